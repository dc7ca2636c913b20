"""The app: routers, error handlers, and the middleware around them."""

from __future__ import annotations

from fastapi import FastAPI
from fastapi.routing import APIRoute
from starlette.responses import JSONResponse, Response

from xdpwall.api import errors
from xdpwall.api.openapi import describe
from xdpwall.api.roles import READ, role_of
from xdpwall.api.routes import (
    block,
    confirm,
    containers,
    events,
    explain,
    flows,
    health,
    history,
    interfaces,
    metrics,
    not_yet,
    page,
    policy,
    rule,
    rules,
    ruleset,
    sets,
    stats,
    switch,
    tokens,
)
from xdpwall.api.routes.fast import FastRouteMiddleware
from xdpwall.api.serving.caller import Callers
from xdpwall.api.serving.compression import CompressionMiddleware
from xdpwall.api.serving.page import page_beside, page_paths
from xdpwall.api.serving.page_codes import PageCodes
from xdpwall.api.serving.refusals import Refusals
from xdpwall.api.serving.security import SecurityMiddleware
from xdpwall.api.serving.workers import Workers
from xdpwall.api.stream.hub import EventHub
from xdpwall.firewall.facade import ServiceFacade
from xdpwall.values.author import Author
from xdpwall.version import __version__

PREFIX = "/api/v1"
LOOPBACK_NAMES = frozenset({"127.0.0.1", "localhost", "[::1]"})
ROUTERS = [
    noun.router
    for noun in (
        health,
        stats,
        metrics,
        events,
        explain,
        flows,
        interfaces,
        containers,
        rules,
        rule,
        policy,
        switch,
        sets,
        ruleset,
        confirm,
        block,
        history,
        tokens,
        page,
    )
]
"""Below PREFIX, in the order in which they are asked."""


def create_app(
    firewall: ServiceFacade, *, callers: Callers, hosts: frozenset[str] | None = LOOPBACK_NAMES
) -> FastAPI:
    """The service over one firewall.

    `callers` knows who asks; `hosts` are the Host names that TCP clients may send, None any.
    """
    app = FastAPI(
        title="xdpwall",
        version=__version__,
        openapi_url=None,  # It needs a role as every route does.
        # They would load scripts from a CDN.
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    app.state.callers = callers
    app.state.page_codes = PageCodes()
    app.state.page_url = "http://localhost/"
    hub = EventHub(firewall)
    app.state.events = hub
    workers = app.state.workers = Workers(firewall, changed=hub.look_now)

    async def note(action: str, by: Author) -> None:
        await workers.write(lambda held: held.note(action, by=by))

    refusals = app.state.refusals = Refusals(note)
    for router in ROUTERS:
        app.include_router(router, prefix=PREFIX, responses=describe.PROBLEMS)
    app.include_router(not_yet.router, prefix=PREFIX)
    app.include_router(health.router, responses=describe.PROBLEMS)
    app.include_router(metrics.router, include_in_schema=False)

    @app.get(f"{PREFIX}/openapi.json", include_in_schema=False, dependencies=[READ])
    async def openapi() -> Response:
        return JSONResponse(app.openapi())

    for route in (one for router in (*ROUTERS, not_yet.router) for one in router.routes):
        assert isinstance(route, APIRoute)
        role_of(route)
    app.state.served = [
        *((PREFIX, route) for router in (*ROUTERS, not_yet.router) for route in router.routes),
        *(("", route) for router in (health.router, metrics.router) for route in router.routes),
    ]
    # Not a mount: at the root it would take GET /api/v1/switch, which is a 405, for a page.
    app.router.default = page_beside(app.router.not_found)
    errors.install_error_handlers(app)
    describe.install_openapi(app)
    quick = [route for router in ROUTERS for route in router.routes]
    app.add_middleware(FastRouteMiddleware, prefix=PREFIX, routes=quick)
    app.add_middleware(CompressionMiddleware)
    app.add_middleware(
        SecurityMiddleware, callers=callers, hosts=hosts, page=page_paths(), refusals=refusals
    )
    return app
