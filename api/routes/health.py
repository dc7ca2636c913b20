"""/healthz: whether the service is well; it needs no token and tells no secrets."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from xdpwall.api.openapi import examples
from xdpwall.api.openapi.describe import answer_docs
from xdpwall.api.request import NO_INPUT, ReadCall, json_answer
from xdpwall.api.roles import OPEN
from xdpwall.views.status import Health

router = APIRouter(tags=["health"])


@router.get(
    "/healthz", responses=answer_docs(Health, examples.HEALTH), dependencies=[OPEN, *NO_INPUT]
)
async def health(call: ReadCall) -> Response:
    """Answers within a second or so, also while a change is being made."""
    return json_answer(await call.workers.health())
