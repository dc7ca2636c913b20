"""/healthz: whether the service is well; it needs no token and tells no secrets."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from xdpwall.api.openapi import examples
from xdpwall.api.openapi.describe import answers
from xdpwall.api.request import NOTHING, Reading, answer
from xdpwall.views.status import Health

router = APIRouter(tags=["health"])


@router.get("/healthz", responses=answers(Health, examples.HEALTH), dependencies=NOTHING)
async def health(call: Reading) -> Response:
    """Answers within a second or so, also while a change is being made."""
    return answer(await call.workers.health())
