"""/switch and /restore: the firewall as a whole."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from xdpwall.api.body_checks import parse_body
from xdpwall.api.openapi import examples
from xdpwall.api.openapi.bodies import SwitchBody
from xdpwall.api.openapi.describe import answers, takes
from xdpwall.api.request import BARE_CHANGE, CHANGE, Changing, Raw, answer
from xdpwall.firewall.facade import Facade
from xdpwall.views.status import RestoreOutcome, SwitchOutcome

router = APIRouter(tags=["firewall"])


@router.put(
    "/switch",
    responses=answers(SwitchOutcome, examples.SWITCHED),
    dependencies=CHANGE,
    openapi_extra=takes(SwitchBody, {"on": False}),
)
async def set_switch(call: Changing, raw: Raw) -> Response:
    """Off: everything passes, nothing else changes. On: the rules decide again."""

    def work(firewall: Facade) -> Response:
        return answer(firewall.set_switch(parse_body(SwitchBody, raw).on, by=call.by))

    return await call.write(work)


@router.post(
    "/restore",
    responses=answers(RestoreOutcome, examples.RESTORED),
    dependencies=BARE_CHANGE,
)
async def restore(call: Changing) -> Response:
    """Put back what the disk says and the kernel lacks: after a boot, or an interface's return."""
    return await call.write(lambda firewall: answer(firewall.restore(by=call.by)))
