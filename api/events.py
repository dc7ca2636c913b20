"""/events: what happens, as server-sent events."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Header, Request
from starlette.responses import Response

from xdpwall.api import examples
from xdpwall.api.deps import NOTHING
from xdpwall.api.docs import streams
from xdpwall.api.errors import HttpError
from xdpwall.api.eventhub import Hub
from xdpwall.api.eventstream import EventStream

router = APIRouter(tags=["firewall"])

MOST_STREAMS = 256
"""Open at once; the rest of the TCP connections is left to requests."""


@router.get(
    "/events", responses=streams(examples.EVENTS), dependencies=NOTHING, response_class=EventStream
)
async def events(
    request: Request,
    last_event_id: Annotated[
        str | None, Header(description="the `id` of the last event that was seen")
    ] = None,
) -> Response:
    """Everything at once, then what changes: counters every second, the rest when it happens.

    The first event is a `snapshot`. With Last-Event-ID the stream goes on after that event, when
    it is still known (the last ten minutes or so), and else begins with a snapshot too. Comments
    keep a silent stream alive. A client that does not keep up gets `end` and is let go.
    """
    hub: Hub = request.app.state.events
    if hub.listeners >= MOST_STREAMS:
        raise HttpError(
            503,
            "too-many-streams",
            f"{MOST_STREAMS} clients follow the events already",
            hint="close a page, or ask GET /stats now and then",
            headers={"retry-after": "10"},
        )
    return EventStream(hub, last_event_id)
