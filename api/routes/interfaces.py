"""/interfaces: what there is, what is attached; attach and detach."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query
from starlette.responses import Response

from xdpwall.api.body_checks import check, parse_body
from xdpwall.api.openapi import examples
from xdpwall.api.openapi.bodies import AttachBody
from xdpwall.api.openapi.describe import answers, takes
from xdpwall.api.request import (
    BARE_CHANGE,
    CHANGE,
    NOTHING,
    Call,
    Changing,
    Raw,
    Reading,
    answer,
    no_body,
    only,
)
from xdpwall.firewall.facade import Facade
from xdpwall.ruleset.attachment import AttachmentSpec
from xdpwall.values.terms import Direction, Hook, Place
from xdpwall.views.attachments import AttachOutcome, DetachOutcome, InterfaceList

router = APIRouter(tags=["interfaces"])

DETACHED = answers(DetachOutcome, examples.DETACHED)
ATTACHED = {
    **answers(AttachOutcome, {**examples.ATTACHED, "changed": False}, what="It was so"),
    **answers(AttachOutcome, examples.ATTACHED, status=201, what="Attached"),
}
NARROWED = [only("message", "hook", "direction"), Depends(no_body)]
OnlyHook = Annotated[Hook | None, Query(description="only this hook")]
OnlyDirection = Annotated[Direction | None, Query(description="only this direction")]


@router.get(
    "/interfaces",
    responses=answers(InterfaceList, examples.INTERFACES),
    dependencies=NOTHING,
)
async def list_interfaces(call: Reading) -> Response:
    """Every interface, what is attached to it (ours and others'), and what that sees."""
    return await call.read(lambda firewall: answer(firewall.interfaces()))


@router.put(
    "/interfaces/{name}/attachments/{place}",
    responses=ATTACHED,
    dependencies=CHANGE,
    openapi_extra=takes(AttachBody, {"mode": "auto"}, {"mode": "generic", "replace": True}),
)
async def attach(call: Changing, name: str, place: Place, raw: Raw) -> Response:
    """Put our program there; a body of {} is enough."""

    def work(firewall: Facade) -> Response:
        body = parse_body(AttachBody, raw) if raw.strip() else check(AttachBody, {})
        spec = AttachmentSpec.at(name, place, body.mode)
        outcome = firewall.attach(
            spec.iface,
            hook=spec.hook,
            direction=spec.direction,
            mode=spec.mode,
            replace=body.replace,
            by=call.by,
        )
        return answer(outcome, 201 if outcome.changed else 200)

    return await call.write(work)


@router.delete(
    "/interfaces/{name}/attachments/{place}", responses=DETACHED, dependencies=BARE_CHANGE
)
async def detach(call: Changing, name: str, place: Place) -> Response:
    """Take our program away from there; never another owner's."""
    spec = AttachmentSpec.at(name, place)
    return await _detach(call, name, spec.hook, spec.direction)


@router.delete("/interfaces/{name}/attachments", responses=DETACHED, dependencies=NARROWED)
async def detach_interface(
    call: Changing, name: str, hook: OnlyHook = None, direction: OnlyDirection = None
) -> Response:
    """Take our programs away from this interface."""
    return await _detach(call, name, hook, direction)


@router.delete("/attachments", responses=DETACHED, dependencies=NARROWED)
async def detach_all(
    call: Changing, hook: OnlyHook = None, direction: OnlyDirection = None
) -> Response:
    """Take our programs away from every interface."""
    return await _detach(call, None, hook, direction)


async def _detach(
    call: Call, name: str | None, hook: Hook | None, direction: Direction | None
) -> Response:
    return await call.write(
        lambda firewall: answer(firewall.detach(name, hook=hook, direction=direction, by=call.by))
    )
