"""/events: changes, counters and packets as server-sent events; which packets become events."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Header, Query, Request
from starlette.responses import Response

from xdpwall.api.body_checks import parse_object
from xdpwall.api.errors import HttpError
from xdpwall.api.openapi import examples
from xdpwall.api.openapi.bodies import EventSettingsBody
from xdpwall.api.openapi.describe import answer_docs, body_docs, stream_docs
from xdpwall.api.request import (
    MESSAGE_AND_BODY,
    NO_INPUT,
    ChangeCall,
    RawBody,
    ReadCall,
    allow_query,
    json_answer,
    no_body,
)
from xdpwall.api.roles import ADMIN, READ
from xdpwall.api.serving.caller import caller_of
from xdpwall.api.stream.client import EventStream
from xdpwall.api.stream.hub import EventHub
from xdpwall.errors import InvalidInput
from xdpwall.firewall.facade import Facade
from xdpwall.values.inputs import invalid, parse_boolean
from xdpwall.values.roles import covers
from xdpwall.views.events import EventsOutcome, EventsView

router = APIRouter(tags=["firewall"])

MAX_STREAMS = 256
"""Open at once; the rest of the TCP connections is left to requests."""


@router.get(
    "/events",
    responses=stream_docs(examples.EVENTS),
    dependencies=[READ, allow_query("only", "kept"), Depends(no_body)],
    response_class=EventStream,
)
async def events(
    request: Request,
    last_event_id: Annotated[
        str | None, Header(description="the `id` of the last event that was seen")
    ] = None,
    just: Annotated[
        str | None, Query(alias="only", description="packets: nothing but single packets")
    ] = None,
    kept: Annotated[
        str | None,
        Query(description="true, with only=packets: begin with the latest 500 as one event"),
    ] = None,
) -> Response:
    """Everything at once, then what changes: counters every second, the rest when it happens.

    The first event is a `snapshot`. With Last-Event-ID the stream goes on after that event, when
    it is still known (the last ten minutes or so), and else begins with a snapshot too. `packets`
    come in batches, ten a second at most, the latest 500 at the beginning; they have no id. Comments
    keep a silent stream alive. The role read sees no packet's bytes (`data`). A client that does not keep up gets `end` and is let go.
    """
    if just not in (None, "packets"):
        raise invalid("only", just, "is not known here", "packets")
    wants_kept = kept is not None and parse_boolean("kept", kept)
    if wants_kept and just is None:
        raise invalid("kept", kept, "is for single packets", "only=packets beside it")
    hub: EventHub = request.app.state.events
    if hub.listeners >= MAX_STREAMS:
        raise HttpError(
            503,
            "too-many-streams",
            f"{MAX_STREAMS} clients follow the events already",
            hint="close a page, or ask GET /stats now and then",
            headers={"retry-after": "10"},
        )
    caller, callers = caller_of(request.scope), request.app.state.callers
    return EventStream(
        hub,
        last_event_id,
        packets_only=just == "packets",
        kept=wants_kept,
        with_bytes=covers(caller.role, "operator"),
        is_welcome=lambda: callers.still(caller),
    )


@router.get(
    "/events/settings",
    responses=answer_docs(EventsView, examples.EVENT_SETTINGS),
    dependencies=[READ, *NO_INPUT],
)
async def show_settings(call: ReadCall) -> Response:
    """Which packets become events, how many did, and how many were left out."""
    return await call.read(lambda firewall: json_answer(firewall.events()))


@router.put(
    "/events/settings",
    responses=answer_docs(EventsOutcome, examples.EVENT_SETTINGS_CHANGED),
    dependencies=[ADMIN, *MESSAGE_AND_BODY],
    openapi_extra=body_docs(EventSettingsBody, {"log_drops": True, "rate": 1000}),
)
async def set_settings(call: ChangeCall, raw: RawBody) -> Response:
    """Change the named settings; in force with the next packet, without a new revision."""

    def work(firewall: Facade) -> Response:
        changes = parse_object(raw)
        if not changes:
            raise InvalidInput("body: names no setting to change", field="body")
        return json_answer(firewall.set_events(changes, by=call.by))

    return await call.write(work)
