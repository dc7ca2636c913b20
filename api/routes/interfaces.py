"""/interfaces: what there is, what is attached; attach and detach."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query
from starlette.responses import Response

from xdpwall.api.body_checks import parse_body, validate_body
from xdpwall.api.openapi import examples
from xdpwall.api.openapi.attach_bodies import AttachBody
from xdpwall.api.openapi.describe import answer_docs, body_docs
from xdpwall.api.request import (
    CONFIRM_ALONE,
    CONFIRM_AND_BODY,
    NO_INPUT,
    Call,
    ConfirmableCall,
    RawBody,
    ReadCall,
    allow_query,
    json_answer,
    no_body,
)
from xdpwall.api.roles import ADMIN, READ
from xdpwall.firewall.facade import Facade
from xdpwall.ruleset.attachment import AttachmentSpec, refuse_to_replace
from xdpwall.values.terms import Direction, Hook, Place
from xdpwall.views.attachments import AttachOutcome, DetachOutcome, InterfaceList, WantOutcome

router = APIRouter(tags=["interfaces"])

DETACHED = answer_docs(DetachOutcome, examples.DETACHED)
ATTACHED = {
    **answer_docs(
        AttachOutcome,
        {**examples.ATTACHED, "changed": False},
        what="It was so",
        or_else=WantOutcome,
    ),
    **answer_docs(
        AttachOutcome, examples.ATTACHED, status=201, what="Attached", or_else=WantOutcome
    ),
}
NARROWED = [allow_query("message", "force", "hook", "direction", "confirm"), Depends(no_body)]
OnlyHook = Annotated[Hook | None, Query(description="only this hook")]
OnlyDirection = Annotated[Direction | None, Query(description="only this direction")]


@router.get(
    "/interfaces",
    responses=answer_docs(InterfaceList, examples.INTERFACES),
    dependencies=[READ, *NO_INPUT],
)
async def list_interfaces(call: ReadCall) -> Response:
    """Every interface, what is attached to it (ours and others'), and what that sees."""
    return await call.read(lambda firewall: json_answer(firewall.interfaces()))


@router.put(
    "/interfaces/{name}/attachments/{place}",
    responses=ATTACHED,
    dependencies=[ADMIN, *CONFIRM_AND_BODY],
    openapi_extra=body_docs(
        AttachBody, {"mode": "auto"}, {"mode": "generic", "replace": True}, required=False
    ),
)
async def attach(call: ConfirmableCall, name: str, place: Place, raw: RawBody) -> Response:
    """Put our program there; a body of {} is enough. `veth*` (percent-encoded), `ports:docker0` and, with
    `if_present`, a name that need not exist yet are wanted from now on, wherever an interface matches; what is
    taken off is put back with `hold`."""

    def work(firewall: Facade) -> Response:
        body = parse_body(AttachBody, raw) if raw.strip() else validate_body(AttachBody, {})
        spec = AttachmentSpec.at(name, place, body.mode, if_present=body.if_present, hold=body.hold)
        if spec.by_policy:
            if body.replace:
                raise refuse_to_replace(spec)
            wanted = firewall.want(spec, by=call.by)
            return json_answer(wanted, 201 if wanted.changed else 200)
        outcome = firewall.attach(
            spec.iface,
            hook=spec.hook,
            direction=spec.direction,
            mode=spec.mode,
            replace=body.replace,
            by=call.by,
        )
        return json_answer(outcome, 201 if outcome.changed else 200)

    return await call.write(work)


@router.delete(
    "/interfaces/{name}/attachments/{place}",
    responses=DETACHED,
    dependencies=[ADMIN, *CONFIRM_ALONE],
)
async def detach(call: ConfirmableCall, name: str, place: Place) -> Response:
    """Take our program away from there; never another owner's."""
    spec = AttachmentSpec.at(name, place)
    return await _detach(call, name, spec.hook, spec.direction)


@router.delete(
    "/interfaces/{name}/attachments", responses=DETACHED, dependencies=[ADMIN, *NARROWED]
)
async def detach_interface(
    call: ConfirmableCall, name: str, hook: OnlyHook = None, direction: OnlyDirection = None
) -> Response:
    """Take our programs away from this interface."""
    return await _detach(call, name, hook, direction)


@router.delete("/attachments", responses=DETACHED, dependencies=[ADMIN, *NARROWED])
async def detach_all(
    call: ConfirmableCall, hook: OnlyHook = None, direction: OnlyDirection = None
) -> Response:
    """Take our programs away from every interface."""
    return await _detach(call, None, hook, direction)


async def _detach(
    call: Call, name: str | None, hook: Hook | None, direction: Direction | None
) -> Response:
    return await call.write(
        lambda firewall: json_answer(
            firewall.detach(name, hook=hook, direction=direction, by=call.by)
        )
    )
