"""A fast path to the routes, for most requests; FastAPI's own routing for all others.

For each request FastAPI looks for the route among fifty and solves its dependencies, which takes
as long as a small change. Here both are done once, for routes that need no more than the call, the
body and parameters of the path, and for requests without a query. The functions, the checks and the
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
from xdpwall.api.request import (
    QUERY_CHECKS,
    Call,
    ChangeCall,
    ConfirmableCall,
    RawBody,
    ReadCall,
    Terms,
    no_body,
)
from xdpwall.api.roles import check_role, is_role_check, role_of
from xdpwall.api.serving.caller import CALLER
from xdpwall.errors import XdpwallError
from xdpwall.values.roles import Role, rank_of

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send


class _Endpoint(NamedTuple):
    """A route's function, and the names of its parameters besides those of the path."""

    function: Callable[..., Awaitable[Response]]
    call: str | None
    body: str | None
    bare: bool
    """A body is refused."""
    role: Role | None
    """The role that it needs."""
    rank: int
    may_confirm: bool
    """It takes `confirm`."""


class FastRouteMiddleware:
    """Answers requests to the endpoints that it knows; passes all others to `app`."""

    def __init__(self, app: ASGIApp, *, prefix: str, routes: Iterable[BaseRoute]) -> None:
        """`routes` below `prefix`, in the order in which FastAPI asks them."""
        self.app = app
        self._prefix = prefix
        self._endpoints: dict[str, list[tuple[re.Pattern[str], _Endpoint | None]]] = {}
        for route in routes:
            assert isinstance(route, APIRoute)
            for method in route.methods or ():
                self._endpoints.setdefault(method, []).append(
                    (route.path_regex, _endpoint_of(route))
                )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        found = None
        if scope["type"] == "http" and not scope["query_string"]:
            found = self.find(scope["method"], scope["path"])
        if found is None:
            await self.app(scope, receive, send)
            return
        endpoint, parameters = found
        try:
            response = await _call_endpoint(endpoint, parameters, Request(scope, receive))
        except XdpwallError as error:
            response = errors.problem_of(error)
        except HTTPException as error:
            response = errors.http_problem(error)
        await response(scope, receive, send)

    def find(self, method: str, path: str) -> tuple[_Endpoint, dict[str, str]] | None:
        """The endpoint and the path's parameters; None when FastAPI must answer."""
        if not path.startswith(self._prefix):
            return None
        rest = path[len(self._prefix) :]
        for pattern, endpoint in self._endpoints.get(method, ()):
            if matched := pattern.match(rest):
                return None if endpoint is None else (endpoint, matched.groupdict())
        return None


async def _call_endpoint(
    endpoint: _Endpoint, parameters: dict[str, str], request: Request
) -> Response:
    if endpoint.rank > request.scope[CALLER].rank:
        check_role(request, endpoint.role)
    given: dict[str, Any] = {**parameters}
    if endpoint.bare:
        await no_body(await request.body())
    if endpoint.call is not None:
        given[endpoint.call] = Call(request, Terms(may_confirm=endpoint.may_confirm))
    if endpoint.body is not None:
        given[endpoint.body] = await request.body()
    return await endpoint.function(**given)


def _endpoint_of(route: APIRoute) -> _Endpoint | None:
    """The endpoint of a route; None for a route with dependencies that are not known here."""
    checks = {one.dependency for one in route.dependencies if not is_role_check(one.dependency)}
    if checks - QUERY_CHECKS - {no_body}:
        return None
    call = body = None
    may_confirm = False
    for name, parameter in inspect.signature(route.endpoint, eval_str=True).parameters.items():
        kind = parameter.annotation
        if kind in (ReadCall, ChangeCall, ConfirmableCall):
            call, may_confirm = name, kind == ConfirmableCall
        elif kind == RawBody:
            body = name
        elif name in route.param_convertors:
            if kind is not str:
                return None
        elif not _is_optional_query(parameter):
            return None
    role = role_of(route).role
    bare = no_body in checks
    return _Endpoint(route.endpoint, call, body, bare, role, rank_of(role), may_confirm)


def _is_optional_query(parameter: inspect.Parameter) -> bool:
    """Whether it is a query parameter with a default."""
    if get_origin(parameter.annotation) is not Annotated:
        return False
    notes = get_args(parameter.annotation)[1:]
    return parameter.default is not parameter.empty and any(isinstance(n, Query) for n in notes)
