"""/switch and /restore: the firewall as a whole."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from xdpwall import views
from xdpwall.api import examples
from xdpwall.api.bodies import SwitchBody
from xdpwall.api.checks import parse_body
from xdpwall.api.deps import BARE_CHANGE, CHANGE, Changing, Raw, answer
from xdpwall.api.docs import answers, takes
from xdpwall.facade import Facade

router = APIRouter(tags=["firewall"])


@router.put(
    "/switch",
    responses=answers(views.SwitchOutcome, examples.SWITCHED),
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
    responses=answers(views.RestoreOutcome, examples.RESTORED),
    dependencies=BARE_CHANGE,
)
async def restore(call: Changing) -> Response:
    """Put back what the disk says and the kernel lacks: after a boot, or an interface's return."""
    return await call.write(lambda firewall: answer(firewall.restore(by=call.by)))
