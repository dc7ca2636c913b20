"""/containers: what a container engine told, and the interfaces that lead to each container."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from xdpwall.api.openapi.describe import answer_docs
from xdpwall.api.openapi.examples_containers import CONTAINERS, PUBLISHED
from xdpwall.api.request import NO_INPUT, ReadCall, json_answer
from xdpwall.api.roles import READ
from xdpwall.views.containers import ContainerList, PublishedList

router = APIRouter(tags=["interfaces"])


@router.get(
    "/containers",
    responses=answer_docs(ContainerList, CONTAINERS),
    dependencies=[READ, *NO_INPUT],
)
async def containers(call: ReadCall) -> Response:
    """Containers by name; `complete` is false where nobody asks an engine, and where it does not answer."""
    return await call.read(lambda firewall: json_answer(firewall.containers()))


@router.get(
    "/containers/published",
    responses=answer_docs(PublishedList, PUBLISHED),
    dependencies=[READ, *NO_INPUT],
)
async def published(call: ReadCall) -> Response:
    """What containers publish to the outside, interface by interface, and which rules decide who comes to it."""
    return await call.read(lambda firewall: json_answer(firewall.published()))
