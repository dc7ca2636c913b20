"""HTTP requests over the service's unix socket; problem details become errors again."""

from __future__ import annotations

import json
import os
import socket
import struct
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xdpwall import errors

PREFIX = "/api/v1"
PROBE_TIMEOUT = 5.0
"""Seconds that GET /healthz may take."""
CALL_TIMEOUT = 120.0
"""Seconds for one change: attaching loads a program, and the lock may be waited for."""

_UCRED = struct.Struct("3i")
"""struct ucred: process, user, group."""
DEADLINE = "Xdpwall-Deadline"
"""The header with the CLOCK_MONOTONIC, in ns, after which a change must not begin any more."""

SESSION = "Xdpwall-Session"
"""The header with the connection of the login from which a change is asked for."""

_KINDS: dict[str, type[errors.XdpwallError]] = {
    kind.default_code: kind
    for kind in (
        errors.Failed,
        errors.Full,
        errors.InvalidInput,
        errors.NotFound,
        errors.NeedsPrivileges,
        errors.WrongRole,
        errors.Conflict,
        errors.Unsupported,
        errors.ServiceUnreachable,
        errors.Refused,
        errors.LockOut,
    )
}
"""The class of an error by its problem type, after urn:xdpwall:."""

_BY_STATUS: dict[int, type[errors.XdpwallError]] = {
    401: errors.NeedsPrivileges,
    403: errors.NeedsPrivileges,
    404: errors.NotFound,
    409: errors.Conflict,
    412: errors.Conflict,
    503: errors.ServiceUnreachable,
}
"""The class of an error without such a type, by HTTP status."""


@dataclass(frozen=True, slots=True)
class ServiceAnswer:
    """One response: its JSON and the revision out of the ETag, where it has one."""

    status: int
    body: Any
    revision: int | None = None


class ServiceTransport:
    """Makes requests to one service. Each raises only XdpwallError."""

    def __init__(self, path: Path, *, patience: float | None = None) -> None:
        """`patience`: seconds for one request, for who goes past a service that does not answer. It is
        told so, and does not begin a change after that."""
        self._path = path
        self._patience = patience

    def probe(self) -> Any | None:
        """GET /healthz; None when nobody listens there."""
        try:
            return self._request("GET", "/healthz", timeout=PROBE_TIMEOUT).body
        except (FileNotFoundError, NotADirectoryError, ConnectionRefusedError):
            return None
        except PermissionError as error:
            raise errors.NeedsPrivileges(
                f"{self._path}: permission denied",
                hint="run as root (sudo), or join the group xdpwall",
                detail=str(error),
            ) from error

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        query: Mapping[str, str | None] | None = None,
        session: str | None = None,
    ) -> ServiceAnswer:
        """One request below /api/v1; an answer of 400 and above becomes its XdpwallError.

        Of `query` only what is not None is sent. `session`: the login's connection, for the guard.
        """
        from urllib.parse import urlencode

        sent = {name: value for name, value in (query or {}).items() if value is not None}
        target = path + (f"?{urlencode(sent)}" if sent else "")
        try:
            return self._request(method, target, body, session=session)
        except OSError as error:
            raise self._unreachable("went away", error) from error

    def open(self, path: str) -> tuple[socket.socket, bytes]:
        """A stream below /api/v1: the connection after the answer's head, and what came with it."""
        connected = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            connected.settimeout(PROBE_TIMEOUT)
            self._connect(connected)
            # 1.0, so that the answer is not cut into chunks.
            connected.sendall(f"GET {PREFIX}{path} HTTP/1.0\r\nHost: localhost\r\n\r\n".encode())
            head, rest = b"", b""
            while not rest:
                data = connected.recv(1 << 16)
                if not data:
                    raise ConnectionResetError("no answer")
                head, rest = _split_head(head + data)
            status = int(head.split(b" ", 2)[1])
            while status != 200 and (data := connected.recv(1 << 16)):
                rest += data
        except OSError as error:
            connected.close()
            raise self._unreachable("broke the connection", error) from error
        if status != 200:
            connected.close()
            self._answer(status, "", rest)
        return connected, rest

    def _connect(self, connected: socket.socket) -> None:
        """Connect to a service of root's, of its own user, or of whoever runs this: another could answer what
        it likes."""
        connected.connect(str(self._path))
        peer = connected.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size)
        uid = _UCRED.unpack(peer)[1]
        from xdpwall.firewall.owner import service_uid

        if uid not in (0, os.geteuid()) and uid != service_uid():
            raise errors.Refused(
                f"the service at {self._path} runs as uid {uid}; wanted root's",
                code="untrusted-service",
                hint="give another --socket, or remove what listens there",
            )

    def _request(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        timeout: float = CALL_TIMEOUT,
        session: str | None = None,
    ) -> ServiceAnswer:
        timeout = self._patience or timeout
        connected = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            connected.settimeout(timeout)
            self._connect(connected)
        except BaseException:
            connected.close()
            raise
        from .unix_http import MalformedResponse, exchange_http

        payload = None if body is None else json.dumps(body).encode()
        headers = {"Accept": "application/json", "Connection": "close"}
        if self._patience:
            headers[DEADLINE] = str(time.monotonic_ns() + int(timeout * 1e9))
        if session is not None:
            headers[SESSION] = session
        if payload is not None:
            headers["Content-Type"] = "application/json"
        try:
            status, tag, text = exchange_http(connected, method, PREFIX + path, payload, headers)
        except TimeoutError as error:
            raise self._unreachable(f"did not answer within {timeout:g} s", error) from error
        except (OSError, MalformedResponse) as error:
            raise self._unreachable("broke the connection", error) from error
        return self._answer(status, tag, text)

    def _answer(self, status: int, tag: str, text: bytes) -> ServiceAnswer:
        try:
            body = json.loads(text) if text else None
        except ValueError as error:
            raise self._unreachable("answered something other than JSON", error) from error
        if status >= 400:
            raise error_of_problem(status, body)
        tag = tag.removeprefix("W/").strip('"')
        return ServiceAnswer(status, body, int(tag) if tag.isdecimal() else None)

    def _unreachable(self, what: str, error: Exception) -> errors.ServiceUnreachable:
        return errors.ServiceUnreachable(
            f"the service at {self._path} {what}",
            hint="see whether it runs (systemctl status xdpwall) and what it logged; "
            "filtering goes on without it",
            detail=f"{type(error).__name__}: {error}",
        )


def _split_head(data: bytes) -> tuple[bytes, bytes]:
    """Head and what follows it; nothing follows while the head is not whole."""
    head, end, rest = data.partition(b"\r\n\r\n")
    return (head, rest) if end and rest else (data, b"")


def error_of_problem(status: int, body: Any) -> errors.XdpwallError:
    """Make the error that the service raised, from its problem details (RFC 9457)."""
    if not isinstance(body, dict):
        return errors.Failed(f"the service answered HTTP {status}")
    span = body.get("span")
    message = _text(body.get("detail")) or _text(body.get("title")) or f"HTTP {status}"
    return _kind(status, body.get("type"))(
        message,
        hint=_text(body.get("hint")),
        code=_text(body.get("code")),
        field=_text(body.get("field")),
        value=body.get("value"),
        detail=_text(body.get("debug")),
        span=(span[0], span[1]) if isinstance(span, list) and len(span) == 2 else None,
    )


def _kind(status: int, told: object) -> type[errors.XdpwallError]:
    own = _KINDS.get(str(told).rpartition(":")[2])
    return own or _BY_STATUS.get(status) or (errors.InvalidInput if status < 500 else errors.Failed)


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None
