"""/flows: what the kernel remembers of the packets between two endpoints."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query
from starlette.responses import Response

from xdpwall.api.body_checks import parse_body
from xdpwall.api.openapi import examples_flows
from xdpwall.api.openapi.bodies import FlowSizeBody
from xdpwall.api.openapi.describe import answer_docs, body_docs
from xdpwall.api.request import (
    MESSAGE_AND_BODY,
    ChangeCall,
    RawBody,
    ReadCall,
    allow_query,
    json_answer,
    no_body,
)
from xdpwall.api.roles import ADMIN, OPERATOR, READ
from xdpwall.firewall.facade import Facade
from xdpwall.values.inputs import parse_boolean, parse_number
from xdpwall.views.flows import (
    MOST_LISTED,
    FlowFilter,
    FlowList,
    FlowsFlushed,
    FlowsSized,
    parse_flow_filter,
)

router = APIRouter(tags=["flows"])

_NAMES = ("proto", "from", "to", "port", "state", "rule")


async def _wanted(
    proto: Annotated[str | None, Query(description="a name or a number")] = None,
    src: Annotated[
        str | None, Query(alias="from", description="where it began: an address or a prefix")
    ] = None,
    dst: Annotated[str | None, Query(alias="to", description="the other side, likewise")] = None,
    port: Annotated[str | None, Query(description="of either side")] = None,
    state: Annotated[str | None, Query(description="new, established, closing or closed")] = None,
    rule: Annotated[
        str | None, Query(description="the id of the rule that made it, deleted or not")
    ] = None,
) -> FlowFilter:
    return parse_flow_filter(proto=proto, src=src, dst=dst, port=port, state=state, rule=rule)


Wanted = Annotated[FlowFilter, Depends(_wanted)]


@router.get(
    "/flows",
    responses=answer_docs(FlowList, examples_flows.FLOWS),
    dependencies=[READ, allow_query(*_NAMES, "limit", "top"), Depends(no_body)],
)
async def list_flows(
    call: ReadCall,
    wanted: Wanted,
    limit: Annotated[str, Query(description=f"at most so many: up to {MOST_LISTED:,}")] = "1000",
    top: Annotated[str, Query(description="true: those with most packets first")] = "false",
) -> Response:
    """The flows that the filter lets through, and how full the tables are."""
    most = parse_number("limit", limit, 0, MOST_LISTED, f"a number from 0 to {MOST_LISTED}")
    by_packets = parse_boolean("top", top)
    return await call.read(
        lambda firewall: json_answer(firewall.flows(wanted, limit=most, top=by_packets))
    )


@router.put(
    "/flows/size",
    responses=answer_docs(FlowsSized, examples_flows.SIZED),
    dependencies=[ADMIN, *MESSAGE_AND_BODY],
    openapi_extra=body_docs(FlowSizeBody, {"places": 1 << 20}),
)
async def size_flows(call: ChangeCall, raw: RawBody) -> Response:
    """Give the table of each family so many places, a power of two: more at once, in tables made anew; fewer
    when they are next made."""

    def work(firewall: Facade) -> Response:
        body = parse_body(FlowSizeBody, raw)
        return json_answer(firewall.size_flows(body.places, by=call.by))

    return await call.write(work)


@router.delete(
    "/flows",
    responses=answer_docs(FlowsFlushed, examples_flows.FLUSHED),
    dependencies=[OPERATOR, allow_query("message", "force", *_NAMES), Depends(no_body)],
)
async def flush_flows(call: ChangeCall, wanted: Wanted) -> Response:
    """End the flows that the filter lets through, without one all: their next packet belongs to none."""

    def work(firewall: Facade) -> Response:
        return json_answer(firewall.flush_flows(wanted, by=call.by))

    return await call.write(work)
