"""/events: what happens, as server-sent events."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Header, Query, Request
from starlette.responses import Response

from xdpwall.api.body_checks import as_object
from xdpwall.api.errors import HttpError
from xdpwall.api.openapi import examples
from xdpwall.api.openapi.bodies import EventSettingsBody
from xdpwall.api.openapi.describe import answers, streams, takes
from xdpwall.api.request import CHANGE, NOTHING, Changing, Raw, Reading, answer, no_body, only
from xdpwall.api.stream.client import EventStream
from xdpwall.api.stream.hub import Hub
from xdpwall.errors import InvalidInput
from xdpwall.firewall.facade import Facade
from xdpwall.values.inputs import invalid
from xdpwall.views.events import EventsOutcome, EventsView

router = APIRouter(tags=["firewall"])

MOST_STREAMS = 256
"""Open at once; the rest of the TCP connections is left to requests."""


@router.get(
    "/events",
    responses=streams(examples.EVENTS),
    dependencies=[only("only"), Depends(no_body)],
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
) -> Response:
    """Everything at once, then what changes: counters every second, the rest when it happens.

    The first event is a `snapshot`. With Last-Event-ID the stream goes on after that event, when
    it is still known (the last ten minutes or so), and else begins with a snapshot too. `packets`
    come in batches, ten a second at most, the latest 500 at the beginning; they have no id. Comments
    keep a silent stream alive. A client that does not keep up gets `end` and is let go.
    """
    if just not in (None, "packets"):
        raise invalid("only", just, "is not known here", "packets")
    hub: Hub = request.app.state.events
    if hub.listeners >= MOST_STREAMS:
        raise HttpError(
            503,
            "too-many-streams",
            f"{MOST_STREAMS} clients follow the events already",
            hint="close a page, or ask GET /stats now and then",
            headers={"retry-after": "10"},
        )
    return EventStream(hub, last_event_id, packets_only=just == "packets")


@router.get(
    "/events/settings",
    responses=answers(EventsView, examples.EVENT_SETTINGS),
    dependencies=NOTHING,
)
async def show_settings(call: Reading) -> Response:
    """Which packets become events, how many did, and how many were left out."""
    return await call.read(lambda firewall: answer(firewall.events()))


@router.put(
    "/events/settings",
    responses=answers(EventsOutcome, examples.EVENT_SETTINGS_CHANGED),
    dependencies=CHANGE,
    openapi_extra=takes(EventSettingsBody, {"log_drops": True, "rate": 1000}),
)
async def set_settings(call: Changing, raw: Raw) -> Response:
    """Change the named settings; in force with the next packet, without a new revision."""

    def work(firewall: Facade) -> Response:
        changes = as_object(raw)
        if not changes:
            raise InvalidInput("body: names no setting to change", field="body")
        return answer(firewall.set_events(changes, by=call.by))

    return await call.write(work)
