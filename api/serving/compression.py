"""Answers compressed for those who ask: the page's files once, JSON each time in a thread.

Not starlette's own: at its level 9, and in the event loop, a long list of rules would hold up
everybody. What is sent in pieces (events) passes untouched.
"""

from __future__ import annotations

import gzip
import re
from typing import TYPE_CHECKING

from anyio import to_thread
from starlette.datastructures import Headers, MutableHeaders

from xdpwall.api.serving.guard import in_api

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

LEAST = 1024
"""Bytes below which it does not pay."""
MOST_KEPT = 128
"""Files of the page kept compressed."""
KINDS = re.compile(r"(text/(css|html|javascript|plain)|application/json|image/svg\+xml)(;|$)")
_WEIGHT = re.compile(r"q=([01](?:\.[0-9]{0,3})?)", re.IGNORECASE)
"""RFC 9110, section 12.4.2."""


class Squeeze:
    """gzip for whole answers that are text and long enough."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self._kept: dict[tuple[str, str], bytes] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] == "HEAD":
            await self.app(scope, receive, send)
            return
        start: Message | None = None

        async def squeezed(message: Message) -> None:
            nonlocal start
            if message["type"] == "http.response.start":
                start = message  # Whether it is compressed shows when the first of the body comes.
                return
            if start is not None:
                head, start = start, None
                if not message.get("more_body", False):
                    message = {**message, "body": await self._pack(scope, head, message)}
                await send(head)
            await send(message)

        await self.app(scope, receive, squeezed)

    async def _pack(self, scope: Scope, head: Message, message: Message) -> bytes:
        body: bytes = message.get("body", b"")
        headers = MutableHeaders(scope=head)
        fit = KINDS.match(headers.get("content-type", "")) and "content-encoding" not in headers
        if head["status"] not in (200, 201) or not fit:
            return body
        headers.add_vary_header("accept-encoding")
        if len(body) < LEAST or not _wants(scope):
            return body
        if in_api(scope["path"]):
            packed = await to_thread.run_sync(gzip.compress, body, 1)
        else:
            packed = await self._file(scope["path"], headers.get("etag", ""), body)
        headers["content-encoding"] = "gzip"
        headers["content-length"] = str(len(packed))
        return packed

    async def _file(self, path: str, etag: str, body: bytes) -> bytes:
        key = (path, etag)
        if key not in self._kept:
            if len(self._kept) >= MOST_KEPT:
                self._kept.clear()
            self._kept[key] = await to_thread.run_sync(gzip.compress, body, 9)
        return self._kept[key]


def _wants(scope: Scope) -> bool:
    """Whether gzip is acceptable, by its own name or else by `*` (RFC 9110, section 12.5.3)."""
    weights: dict[str, float] = {}
    for line in Headers(scope=scope).getlist("accept-encoding"):
        for one in line.split(","):
            coding, semicolon, parameter = (part.strip(" \t") for part in one.partition(";"))
            weight = _WEIGHT.fullmatch(parameter)
            weights[coding.lower()] = float(weight[1]) if weight else 0.0 if semicolon else 1.0
    return weights.get("gzip", weights.get("*", 0.0)) > 0
