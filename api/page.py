"""The static page: web/ at the root, under the content security policy of security.py."""

from __future__ import annotations

import mimetypes
from importlib.resources import files
from pathlib import Path

from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Receive, Scope, Send

from xdpwall.api.security import in_api

# Python 3.11's table says application/javascript; nosniff makes the right word matter.
mimetypes.add_type("text/javascript", ".mjs")


def page_beside(api: ASGIApp) -> ASGIApp:
    """The files of web/, index.html at /; paths of the API go on to `api`."""
    files_of_web = StaticFiles(directory=Path(str(files("xdpwall"))) / "web", html=True)

    async def dispatch(scope: Scope, receive: Receive, send: Send) -> None:
        app = api if scope["type"] != "http" or in_api(scope["path"]) else files_of_web
        await app(scope, receive, send)

    return dispatch
