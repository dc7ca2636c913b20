"""gzip middleware: the page's files are compressed once, JSON each time in a thread.

Not starlette's own: at its level 9, and in the event loop, a long list of rules would hold up
everybody. What is sent in pieces (events) passes untouched.
"""

from __future__ import annotations

import gzip
import re
from typing import TYPE_CHECKING

from anyio import to_thread
from starlette.datastructures import Headers, MutableHeaders

from xdpwall.api.serving.security import in_api

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

MIN_BYTES = 1024
"""Bytes of the shortest body that is compressed."""
MAX_CACHED = 128
"""Files of the page that are cached compressed."""
COMPRESSIBLE = re.compile(
    r"(text/(css|html|javascript|plain)|application/json|image/svg\+xml)(;|$)"
)
_WEIGHT = re.compile(r"q=([01](?:\.[0-9]{0,3})?)", re.IGNORECASE)
"""RFC 9110, section 12.4.2."""


class CompressionMiddleware:
    """Compresses whole responses that are text, long enough, and asked for with gzip."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self._cached: dict[tuple[str, str], bytes] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] == "HEAD":
            await self.app(scope, receive, send)
            return
        start: Message | None = None

        async def compressed(message: Message) -> None:
            nonlocal start
            if message["type"] == "http.response.start":
                start = message  # Whether it is compressed shows when the first of the body comes.
                return
            if start is not None:
                head, start = start, None
                if not message.get("more_body", False):
                    message = {**message, "body": await self._compress(scope, head, message)}
                await send(head)
            await send(message)

        await self.app(scope, receive, compressed)

    async def _compress(self, scope: Scope, head: Message, message: Message) -> bytes:
        body: bytes = message.get("body", b"")
        headers = MutableHeaders(scope=head)
        fit = (
            COMPRESSIBLE.match(headers.get("content-type", ""))
            and "content-encoding" not in headers
        )
        if head["status"] not in (200, 201) or not fit:
            return body
        headers.add_vary_header("accept-encoding")
        if len(body) < MIN_BYTES or not _accepts_gzip(scope):
            return body
        if in_api(scope["path"]):
            packed = await to_thread.run_sync(gzip.compress, body, 1)
        else:
            packed = await self._compress_file(scope["path"], headers.get("etag", ""), body)
        headers["content-encoding"] = "gzip"
        headers["content-length"] = str(len(packed))
        return packed

    async def _compress_file(self, path: str, etag: str, body: bytes) -> bytes:
        key = (path, etag)
        if key not in self._cached:
            if len(self._cached) >= MAX_CACHED:
                self._cached.clear()
            self._cached[key] = await to_thread.run_sync(gzip.compress, body, 9)
        return self._cached[key]


def _accepts_gzip(scope: Scope) -> bool:
    """Whether gzip is acceptable, by its own name or else by `*` (RFC 9110, section 12.5.3)."""
    weights: dict[str, float] = {}
    for line in Headers(scope=scope).getlist("accept-encoding"):
        for one in line.split(","):
            coding, semicolon, parameter = (part.strip(" \t") for part in one.partition(";"))
            weight = _WEIGHT.fullmatch(parameter)
            weights[coding.lower()] = float(weight[1]) if weight else 0.0 if semicolon else 1.0
    return weights.get("gzip", weights.get("*", 0.0)) > 0
