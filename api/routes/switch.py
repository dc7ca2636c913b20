"""/switch, /restore, /appeared and /repair: the firewall as a whole."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query
from starlette.responses import Response

from xdpwall.api.body_checks import parse_body
from xdpwall.api.openapi import examples
from xdpwall.api.openapi.bodies import AppearedBody, SwitchBody
from xdpwall.api.openapi.describe import answer_docs, body_docs
from xdpwall.api.request import (
    ADOPT,
    MESSAGE_ALONE,
    MESSAGE_AND_BODY,
    ChangeCall,
    RawBody,
    allow_query,
    json_answer,
    no_body,
)
from xdpwall.api.roles import ADMIN
from xdpwall.firewall.facade import Facade
from xdpwall.views.status import RepairOutcome, RestoreOutcome, SwitchOutcome

router = APIRouter(tags=["firewall"])


@router.put(
    "/switch",
    responses=answer_docs(SwitchOutcome, examples.SWITCHED),
    dependencies=[ADMIN, *MESSAGE_AND_BODY],
    openapi_extra=body_docs(SwitchBody, {"on": False}),
)
async def set_switch(call: ChangeCall, raw: RawBody) -> Response:
    """Off: everything passes, nothing else changes. On: the rules decide again."""

    def work(firewall: Facade) -> Response:
        return json_answer(firewall.set_switch(parse_body(SwitchBody, raw).on, by=call.by))

    return await call.write(work)


@router.post(
    "/restore",
    responses=answer_docs(RestoreOutcome, examples.RESTORED),
    dependencies=[ADMIN, allow_query("message", "force", "adopt"), Depends(no_body)],
)
async def restore(
    call: ChangeCall, adopt: Annotated[bool, Query(description=ADOPT)] = False
) -> Response:
    """Put back what the disk says and the kernel lacks: after a boot, or an interface's return."""
    return await call.write(lambda firewall: json_answer(firewall.restore(adopt=adopt, by=call.by)))


@router.post(
    "/appeared",
    responses=answer_docs(RestoreOutcome, examples.APPEARED),
    dependencies=[ADMIN, *MESSAGE_AND_BODY],
    openapi_extra=body_docs(AppearedBody, {"interfaces": ["eth1"]}),
)
async def appeared(call: ChangeCall, raw: RawBody) -> Response:
    """Attach what is wanted on interfaces that have just come and is not in place; what a udev rule asks."""

    def work(firewall: Facade) -> Response:
        named = parse_body(AppearedBody, raw).interfaces
        return json_answer(firewall.appeared(named, by=call.by))

    return await call.write(work)


@router.post(
    "/repair",
    responses=answer_docs(RepairOutcome, examples.REPAIRED),
    dependencies=[ADMIN, *MESSAGE_ALONE],
)
async def repair(call: ChangeCall) -> Response:
    """Make a damaged or lost database anew from its second copy; the kernel goes on as it is."""
    return await call.write(lambda firewall: json_answer(firewall.repair(by=call.by)))
