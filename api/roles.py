"""The role that each route needs: declared where the route is defined, checked before anything else of it.

@router.put("/switch", dependencies=[ADMIN, *MESSAGE_AND_BODY])
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

from fastapi import Depends, Request
from fastapi.routing import APIRoute

from xdpwall.api.serving.caller import caller_of
from xdpwall.values.roles import Role, rank_of, wrong_role

Check = Callable[[Request], Awaitable[None]]


class RouteRole(NamedTuple):
    """What one route needs; None: nothing, it is open."""

    role: Role | None


_CHECKS: dict[Callable[..., Any], RouteRole] = {}


def _needs(role: Role | None) -> Any:
    """Make the dependency that lets only those in who may do what `role` may."""

    async def check(request: Request) -> None:
        check_role(request, role)

    _CHECKS[check] = RouteRole(role)
    return Depends(check)


OPEN = _needs(None)
METRICS = _needs("metrics")
READ = _needs("read")
OPERATOR = _needs("operator")
ADMIN = _needs("admin")


def check_role(request: Request, needed: Role | None) -> None:
    """WrongRole where the sender of a request may not what `needed` may."""
    if needed is not None and caller_of(request.scope).rank < rank_of(needed):
        caller = caller_of(request.scope)
        what = f"{request.method} {request.url.path}"
        request.app.state.refusals.wrong_role(caller.name, f"{what} needs {needed}")
        raise wrong_role(what, needed, caller.name, caller.role, local=caller.via == "socket")


def is_role_check(dependency: Callable[..., Any] | None) -> bool:
    """Whether a dependency is one of those above."""
    return dependency in _CHECKS


def role_of(route: APIRoute) -> RouteRole:
    """What a route declares. LookupError unless it declares one role: none is let pass unsaid."""
    found = [_CHECKS[one.dependency] for one in route.dependencies if one.dependency in _CHECKS]
    if len(found) != 1:
        raise LookupError(f"{route.path} declares {len(found)} roles, not one")
    return found[0]
