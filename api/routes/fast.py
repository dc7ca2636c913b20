"""The short way to a route, for most requests; FastAPI's own way for all others.

For each request FastAPI looks for the route among fifty and solves its dependencies, which takes
as long as a small change. Here both are done once, for routes that need no more than the call, the
body and texts of the path, and for requests without a query. The functions, the checks and the
errors are the same ones; a test holds the answers against FastAPI's.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Awaitable, Callable, Iterable
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple, get_args, get_origin

from fastapi.params import Query
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from xdpwall.api import errors
from xdpwall.api.request import QUERY_CHECKS, Call, Changing, Raw, Reading, no_body
from xdpwall.errors import XdpwallError

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send


class _Way(NamedTuple):
    """What a route's function takes besides texts of the path, by its parameters' names."""

    function: Callable[..., Awaitable[Response]]
    call: str | None
    body: str | None
    bare: bool
    """A body is refused."""


class Quick:
    """Answers what it can; `app` gets the rest."""

    def __init__(self, app: ASGIApp, *, prefix: str, routes: Iterable[BaseRoute]) -> None:
        """`routes` below `prefix`, in the order in which FastAPI asks them."""
        self.app = app
        self._prefix = prefix
        self._ways: dict[str, list[tuple[re.Pattern[str], _Way | None]]] = {}
        for route in routes:
            assert isinstance(route, APIRoute)
            for method in route.methods or ():
                self._ways.setdefault(method, []).append((route.path_regex, _way(route)))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        found = None
        if scope["type"] == "http" and not scope["query_string"]:
            found = self.find(scope["method"], scope["path"])
        if found is None:
            await self.app(scope, receive, send)
            return
        way, texts = found
        try:
            response = await _answer(way, texts, Request(scope, receive))
        except XdpwallError as error:
            response = errors.of(error)
        except HTTPException as error:
            response = errors.of_http(error)
        await response(scope, receive, send)

    def find(self, method: str, path: str) -> tuple[_Way, dict[str, str]] | None:
        """The way and the path's texts by name; None when the request is FastAPI's."""
        if not path.startswith(self._prefix):
            return None
        rest = path[len(self._prefix) :]
        for pattern, way in self._ways.get(method, ()):
            if matched := pattern.match(rest):
                return None if way is None else (way, matched.groupdict())
        return None


async def _answer(way: _Way, texts: dict[str, str], request: Request) -> Response:
    given: dict[str, Any] = {**texts}
    if way.bare:
        await no_body(await request.body())
    if way.call is not None:
        given[way.call] = Call(request, None)
    if way.body is not None:
        given[way.body] = await request.body()
    return await way.function(**given)


def _way(route: APIRoute) -> _Way | None:
    """None for a route that needs more than is known here."""
    checks = {one.dependency for one in route.dependencies}
    if checks - QUERY_CHECKS - {no_body}:
        return None
    call = body = None
    for name, parameter in inspect.signature(route.endpoint, eval_str=True).parameters.items():
        kind = parameter.annotation
        if kind in (Reading, Changing):
            call = name
        elif kind == Raw:
            body = name
        elif name in route.param_convertors:
            if kind is not str:
                return None
        elif not _optional(parameter):
            return None
    return _Way(route.endpoint, call, body, no_body in checks)


def _optional(parameter: inspect.Parameter) -> bool:
    """Whether it is of the query and need not be there."""
    if get_origin(parameter.annotation) is not Annotated:
        return False
    notes = get_args(parameter.annotation)[1:]
    return parameter.default is not parameter.empty and any(isinstance(n, Query) for n in notes)
