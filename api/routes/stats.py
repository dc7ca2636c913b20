"""/stats and /status: counters, and the state of everything at a glance."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from xdpwall.api.openapi import examples
from xdpwall.api.openapi.describe import answer_docs
from xdpwall.api.request import NO_INPUT, ReadCall, json_answer
from xdpwall.api.roles import READ
from xdpwall.firewall.facade import Facade
from xdpwall.views.status import Stats, Status

router = APIRouter(tags=["firewall"])


@router.get("/stats", responses=answer_docs(Stats, examples.STATS), dependencies=[READ, *NO_INPUT])
async def stats(call: ReadCall) -> Response:
    """Every counter at one moment; divide two readings by their `time` for a rate."""
    return await call.read(lambda firewall: json_answer(firewall.stats()))


@router.get(
    "/status", responses=answer_docs(Status, examples.STATUS), dependencies=[READ, *NO_INPUT]
)
async def status(call: ReadCall) -> Response:
    """What is attached, whether it is on, and what to be warned of."""

    def work(firewall: Facade) -> Response:
        return json_answer(firewall.status().model_copy(update={"service": True}))

    return await call.read(work)
