"""/stats and /status: counters, and the state of everything at a glance."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from xdpwall.api.openapi import examples
from xdpwall.api.openapi.describe import answers
from xdpwall.api.request import NOTHING, Reading, answer
from xdpwall.firewall.facade import Facade
from xdpwall.views.status import Stats, Status

router = APIRouter(tags=["firewall"])


@router.get("/stats", responses=answers(Stats, examples.STATS), dependencies=NOTHING)
async def stats(call: Reading) -> Response:
    """Every counter at one moment; divide two readings by their `time` for a rate."""
    return await call.read(lambda firewall: answer(firewall.stats()))


@router.get("/status", responses=answers(Status, examples.STATUS), dependencies=NOTHING)
async def status(call: Reading) -> Response:
    """What is attached, whether it is on, and what to be warned of."""

    def work(firewall: Facade) -> Response:
        return answer(firewall.status().model_copy(update={"service": True}))

    return await call.read(work)
