"""/healthz: whether the service is well; it needs no token and tells no secrets."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from xdpwall import views
from xdpwall.api import examples
from xdpwall.api.deps import NOTHING, Reading, answer
from xdpwall.api.docs import answers

router = APIRouter(tags=["health"])


@router.get("/healthz", responses=answers(views.Health, examples.HEALTH), dependencies=NOTHING)
async def health(call: Reading) -> Response:
    """Answers within a second or so, also while a change is being made."""
    return answer(await call.workers.health())
