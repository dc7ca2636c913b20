"""/block: drop what comes from an address, or what a rule says, at once and for a while."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query
from starlette.responses import Response

from xdpwall.api.body_checks import parse_body
from xdpwall.api.openapi import examples
from xdpwall.api.openapi.bodies import BlockBody
from xdpwall.api.openapi.describe import answer_docs, body_docs
from xdpwall.api.request import (
    NO_INPUT,
    ChangeCall,
    RawBody,
    ReadCall,
    allow_query,
    json_answer,
    no_body,
)
from xdpwall.api.roles import OPERATOR, READ
from xdpwall.firewall.facade import Facade
from xdpwall.views.blocks import BlockList, BlockOutcome

router = APIRouter(tags=["block"])


@router.get(
    "/block", responses=answer_docs(BlockList, examples.BLOCKS), dependencies=[READ, *NO_INPUT]
)
async def list_blocks(call: ReadCall) -> Response:
    """What is blocked, and until when."""
    return await call.read(lambda firewall: json_answer(firewall.blocks()))


@router.post(
    "/block",
    responses=answer_docs(BlockOutcome, examples.BLOCKED),
    dependencies=[OPERATOR, allow_query("message", "force")],
    openapi_extra=body_docs(
        BlockBody,
        {"target": "203.0.113.0/24", "for": "10m"},
        {"target": "icmp", "iface": "docker0"},
        {"target": "tcp/22", "except": "10.0.0.0/8"},
    ),
)
async def block(call: ChangeCall, raw: RawBody) -> Response:
    """Block an address or a prefix, or what a rule says behind `drop`."""

    def work(firewall: Facade) -> Response:
        body = parse_body(BlockBody, raw)
        outcome = firewall.block(
            body.target,
            lasts=body.lasts,
            iface=body.iface,
            spared=body.spared,
            by=call.by,
        )
        return json_answer(outcome)

    return await call.write(work)


@router.delete(
    "/block",
    responses=answer_docs(BlockOutcome, examples.BLOCKED),
    dependencies=[
        OPERATOR,
        allow_query("message", "force", "target", "iface", "except"),
        Depends(no_body),
    ],
)
async def unblock(
    call: ChangeCall,
    target: Annotated[str, Query(description="what was blocked, in the same words")],
    iface: Annotated[str | None, Query(description="on this interface")] = None,
    spared: Annotated[str | None, Query(alias="except", description="what was left out")] = None,
) -> Response:
    """Take a block back."""

    def work(firewall: Facade) -> Response:
        return json_answer(firewall.unblock(target, iface=iface, spared=spared, by=call.by))

    return await call.write(work)
