"""The static page: web/ at the root, under the content security policy of security.py."""

from __future__ import annotations

import mimetypes
import os
import re
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from starlette.staticfiles import StaticFiles

from xdpwall.api.security import in_api

if TYPE_CHECKING:
    from starlette.responses import Response
    from starlette.types import ASGIApp, Receive, Scope, Send

TYPES = {
    ".css": "text/css",
    ".html": "text/html",
    ".js": "text/javascript",
    ".json": "application/json",
    ".mjs": "text/javascript",
    ".svg": "image/svg+xml",
}
# Python 3.11's table says application/javascript, and a host's own may say anything: nosniff makes
# the right word matter.
for suffix, kind in TYPES.items():
    mimetypes.add_type(kind, suffix)

FOREVER = "max-age=31536000, immutable"
_VERSIONED = re.compile(r"-[0-9]+(\.[0-9]+)+\.(css|m?js)$")


class _Files(StaticFiles):
    """A file whose name says its version is kept; the others are asked for anew, by ETag."""

    def file_response(
        self,
        full_path: str | os.PathLike[str],
        stat_result: os.stat_result,
        scope: Scope,
        status_code: int = 200,
    ) -> Response:
        response = super().file_response(full_path, stat_result, scope, status_code)
        if _VERSIONED.search(os.fspath(full_path)):
            response.headers["cache-control"] = FOREVER
        return response


def page_beside(api: ASGIApp) -> ASGIApp:
    """The files of web/, index.html at /; paths of the API go on to `api`."""
    files_of_web = _Files(directory=Path(str(files("xdpwall"))) / "web", html=True)

    async def dispatch(scope: Scope, receive: Receive, send: Send) -> None:
        app = api if scope["type"] != "http" or in_api(scope["path"]) else files_of_web
        await app(scope, receive, send)

    return dispatch
