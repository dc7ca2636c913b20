"""Security middleware: Host, Origin, path, token, size and type of the body, security headers.

A plain ASGI wrapper. Whether a request came by the unix socket is decided by the listening socket
(server.py notes it in the scope, where no header can); what is not noted counts as TCP.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect
from starlette.responses import Response

from xdpwall.api.errors import HttpError, http_problem, unexpected_problem
from xdpwall.api.serving.caller import (
    CALLER,
    NOBODY,
    TOKEN_HINT,
    Caller,
    Callers,
    MisusedToken,
    Peer,
    wrong_token,
)
from xdpwall.api.serving.refusals import Refusals

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

PEER = "xdpwall.peer"
"""The scope's key under which server.py notes the Peer."""

LARGE_BODY = 16 << 20
SMALL_BODY = 64 << 10
LARGE_BODY_PATHS = {"/api/v1/rules", "/api/v1/ruleset"}
"""Paths that take a whole ruleset; 16 MiB is the ruleset file's limit too."""
SETS_PATH = "/api/v1/sets/"
SET_BODY = 128 << 20
"""A packed set of as many IPv4 addresses as one may hold takes 86 MiB."""
MAX_HELD = 256 << 20
"""Bytes of all bodies that are being received or worked on; a small one is always taken."""

PATHS_WITHOUT_TOKEN = frozenset({"/healthz", "/api/v1/healthz"})
"""Paths of the API that need no token; besides these only the page's files do not."""
OPEN_REQUESTS = frozenset(
    {("GET", path) for path in PATHS_WITHOUT_TOKEN}
    | {("HEAD", path) for path in PATHS_WITHOUT_TOKEN}
    | {("POST", "/api/v1/session")}
)
"""Requests to the API that need no token: health, and a code that is exchanged for one."""

CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'"
)
HEADERS = {
    "content-security-policy": CSP,
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}
_HEADER_PAIRS = [(name.encode(), value.encode()) for name, value in HEADERS.items()]
_OURS = frozenset(name for name, _ in _HEADER_PAIRS)
_NEVER_KEPT = (b"cache-control", b"no-store")
_ASKED_ANEW = (b"cache-control", b"no-cache")

_PORT = re.compile(r":[0-9]{1,5}$")
# `$` in a route's pattern also holds before a newline that ends the path.
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")


class SecurityMiddleware:
    """Refuses requests that must not reach the app; puts security headers on every answer."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        callers: Callers,
        hosts: frozenset[str] | None,
        page: frozenset[str],
        refusals: Refusals,
    ) -> None:
        """`hosts`: the names that TCP clients may call us by; any port, for those who tunnel. None is any
        name: with TLS a browser does not take a certificate for a name that is not ours.

        `page`: the paths of the page's files, which anybody may read.
        """
        self.app = app
        self._page = page
        self._callers = callers
        self._hosts = hosts
        self._refusals = refusals
        self._held = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = False
        received = 0
        limit = max_body(scope)
        is_page = scope["path"] in self._page

        async def with_headers(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                headers = [one for one in message["headers"] if one[0] not in _OURS] + _HEADER_PAIRS
                if not any(name == b"cache-control" for name, _ in headers):
                    headers.append(_ASKED_ANEW if is_page else _NEVER_KEPT)
                message = {**message, "headers": headers}
            await send(message)

        async def limited() -> Message:
            nonlocal received
            message = await receive()
            if size := len(message.get("body", b"")):
                received += size
                self._held += size
                if received > limit:
                    raise _too_large(scope)
                if received > SMALL_BODY and self._held > MAX_HELD:
                    raise _TOO_MUCH
            return message

        try:
            self._admit(scope)
            await self.app(scope, limited, with_headers)
        except ClientDisconnect:
            pass  # It has gone before it had sent all of the body.
        except HttpError as error:
            self._refusals.count(error.code)
            if isinstance(error, MisusedToken):
                self._refusals.misused_token(error.name, _address(scope))
            if error.code == "wrong-token":
                await self._refusals.wrong_token((scope.get(PEER) or Peer()).owner)
            await _send_answer(http_problem(error), scope, receive, with_headers, started)
        except Exception as error:  # noqa: BLE001  # a defect answers as a problem too
            await _send_answer(unexpected_problem(error), scope, receive, with_headers, started)
        finally:
            self._held -= received

    def _admit(self, scope: Scope) -> None:
        headers = Headers(scope=scope)
        path = scope["path"]
        peer = scope.get(PEER) or Peer()
        over_tcp = peer.via != "socket"
        if over_tcp:
            self._check_host(headers, scope["scheme"])
        if _CONTROL.search(path):
            raise HttpError(400, "bad-path", "the path holds a control character", field="path")
        method = scope["method"]
        is_open = (method, path) in OPEN_REQUESTS or (
            path in self._page and method in ("GET", "HEAD")
        )
        if not over_tcp:
            scope[CALLER] = self._callers.by_peer(peer)
        elif is_open:
            scope[CALLER] = NOBODY
        else:
            scope[CALLER] = self._caller_over_tcp(headers, scope, peer)
            peer.admitted = True
        if path not in self._page:
            _check_body(scope, headers)

    def _check_host(self, headers: Headers, scheme: str) -> None:
        # A page of a foreign name that resolves to 127.0.0.1 sends that name (DNS rebinding).
        hosts = headers.getlist("host")
        known = self._hosts
        if len(hosts) != 1 or known is not None and _PORT.sub("", hosts[0].lower()) not in known:
            raise HttpError(
                421,
                "wrong-host",
                "the Host header is none of the names that the service listens on",
                hint=f"the names are {', '.join(sorted(known or ()))}",
                field="host",
            )
        ours = f"{scheme}://{hosts[0].lower()}"
        if any(origin.lower() != ours for origin in headers.getlist("origin")):
            raise HttpError(
                403, "wrong-origin", "requests from other sites' pages are refused", field="origin"
            )

    def _caller_over_tcp(self, headers: Headers, scope: Scope, peer: Peer) -> Caller:
        given = headers.getlist("authorization")
        if not given and peer.certificate:
            return self._callers.by_certificate(peer)
        if not given:
            challenge = {"www-authenticate": 'Bearer realm="xdpwall"'}
            raise HttpError(
                401, "no-token", "a token is needed", hint=TOKEN_HINT, headers=challenge
            )
        scheme, _, credentials = given[0].partition(" ")
        secret = credentials.strip().encode("latin-1")
        if len(given) != 1 or scheme.lower() != "bearer" or not secret:
            raise wrong_token()
        return self._callers.by_token(secret, _address(scope))


def in_api(path: str) -> bool:
    """Whether the path belongs to the API rather than to the page."""
    return path == "/api" or path.startswith("/api/") or path in {"/metrics", "/healthz"}


def _address(scope: Scope) -> str | None:
    client = scope.get("client")
    return client[0] if client else None


def max_body(scope: Scope) -> int:
    """The most bytes that the request's body may have."""
    if scope["path"].startswith(SETS_PATH):
        return SET_BODY
    return LARGE_BODY if scope["path"] in LARGE_BODY_PATHS else SMALL_BODY


def _too_large(scope: Scope) -> HttpError:
    limit = max_body(scope)
    return HttpError(
        413, "too-large", f"the body is larger than {limit} bytes", headers={"connection": "close"}
    )


_TOO_MUCH = HttpError(
    503,
    "too-much-at-once",
    "large bodies of other requests are being worked on",
    hint="send it again in some seconds",
    headers={"connection": "close", "retry-after": "10"},
)


def _check_body(scope: Scope, headers: Headers) -> None:
    length = headers.get("content-length", "0")
    chunked = "transfer-encoding" in headers
    if not chunked and (not length.isdecimal() or int(length) == 0):
        return
    if not chunked and int(length) > max_body(scope):
        raise _too_large(scope)
    kind, _, parameters = headers.get("content-type", "").lower().partition(";")
    charset = parameters.strip().removeprefix("charset=").strip('"')
    if kind.strip() != "application/json" or charset not in {"", "utf-8"}:
        raise HttpError(
            415,
            "not-json",
            "the body must be application/json in UTF-8",
            hint="send `Content-Type: application/json`",
            field="content-type",
        )
    if "content-encoding" in headers:
        raise HttpError(415, "encoded", "the body must not be compressed", field="content-encoding")


async def _send_answer(
    response: Response, scope: Scope, receive: Receive, send: Send, started: bool
) -> None:
    # Half an answer cannot be taken back; the connection ends there and the client sees that.
    if not started:
        await response(scope, receive, send)
