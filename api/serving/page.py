"""The static page: web/ at the root, under the content security policy of security.py.

index.html loads one script and one style sheet (bundle.py); the single files are served as well.
"""

from __future__ import annotations

import hashlib
import mimetypes
import os
import re
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.staticfiles import StaticFiles

from xdpwall.api.serving import bundle
from xdpwall.api.serving.security import in_api

if TYPE_CHECKING:
    from collections.abc import Callable

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

BUNDLES: dict[str, Callable[[Path], str]] = {
    "/page.mjs": bundle.bundle_scripts,
    "/page.css": bundle.bundle_sheets,
}
"""The bundles, by their paths."""

FOREVER = "max-age=31536000, immutable"
_VERSIONED = re.compile(r"-[0-9]+(\.[0-9]+)+\.(css|m?js)$")


class _PageFiles(StaticFiles):
    """Static files: browsers keep those with a version in their name, and revalidate the others."""

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


class BundledFile:
    """Several files of web/ served as one, bundled again when one of them changes."""

    def __init__(self, web: Path, bundle_files: Callable[[Path], str], kind: str) -> None:
        self._web = web
        self._bundle = bundle_files
        self._kind = kind
        self._seen: list[tuple[str, int]] = []
        self._content = b""
        self._etag = ""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with os.scandir(self._web) as entries:
            seen = sorted((one.name, one.stat().st_mtime_ns) for one in entries)
        if seen != self._seen:
            self._content = self._bundle(self._web).encode()
            self._etag = f'"{hashlib.sha256(self._content).hexdigest()[:16]}"'
            self._seen = seen
        known = Headers(scope=scope).get("if-none-match", "")
        fresh = self._etag in (tag.strip() for tag in known.split(","))
        content, status = (b"", 304) if fresh else (self._content, 200)
        response = Response(content, status, {"etag": self._etag}, self._kind)
        await response(scope, receive, send)


def page_paths() -> frozenset[str]:
    """The paths of the page: its bundles, and the files of web/ as they are now."""
    web = _folder()
    found = (one.relative_to(web).as_posix() for one in web.rglob("*") if one.is_file())
    return frozenset({"/", *BUNDLES, *(f"/{one}" for one in found)})


def _folder() -> Path:
    return Path(str(files("xdpwall"))) / "web"


def page_beside(api: ASGIApp) -> ASGIApp:
    """The files of web/, index.html at /; paths of the API go on to `api`."""
    web = _folder()
    files_of_web = _PageFiles(directory=web, html=True)
    bundled = {
        path: BundledFile(web, bundle_files, TYPES[Path(path).suffix])
        for path, bundle_files in BUNDLES.items()
    }

    async def dispatch(scope: Scope, receive: Receive, send: Send) -> None:
        app: ASGIApp
        if scope["type"] != "http" or in_api(scope["path"]):
            app = api
        else:
            reading = scope["method"] in ("GET", "HEAD")
            app = bundled.get(scope["path"], files_of_web) if reading else files_of_web
        await app(scope, receive, send)

    return dispatch
