"""Routes that a later version brings: named, and refused as such."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from xdpwall.api.errors import HttpError
from xdpwall.api.roles import READ

FUTURE_ROUTES = [
    ("/top", ["GET"]),
]


async def refuse(request: Request) -> Response:
    """501: known, not here yet."""
    what = request.url.path.removeprefix("/api/v1")
    raise HttpError(501, "not-in-this-version", f"{what} is not in this version")


router = APIRouter(include_in_schema=False)
for path, methods in FUTURE_ROUTES:
    router.add_api_route(path, refuse, methods=methods, dependencies=[READ])
