"""One connection: who is at its other end, how many of them there may be, how long each may take.

uvicorn has no time-out but for a connection that has been answered, and no bound for one user.
"""

from __future__ import annotations

import asyncio
import ipaddress
import json
import socket
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, NamedTuple

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from xdpwall.api.errors import MEDIA_TYPE
from xdpwall.api.serving.caller import Peer
from xdpwall.api.serving.crowd import BUSY, IDLE, WAITING, Crowd, Rank
from xdpwall.api.serving.refusals import Refusals
from xdpwall.api.serving.security import HEADERS, PEER
from xdpwall.api.serving.tls import certificate_names
from xdpwall.api.stream.client import ABORT
from xdpwall.firewall.peers import PeerOwners, peer_groups

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

MAX_TCP, MAX_UNIX = 512, 512
"""Connections in all: descriptors are left for the kernel's objects and the disk."""
MAX_OF_ONE = 128
"""Of one user; root has all of the unix socket, since he could take it anyway."""
MAX_WAITING = 64
"""Of one user by TCP who has not shown a token: the oldest gives way."""

HEAD_TIMEOUT = 10.0
"""Seconds for the head of a request, from the connection or the last answer on."""
BODY_TIMEOUT = 10.0
"""Seconds for each BODY_STEP bytes of a body."""
BODY_STEP = 16 << 10
SEND_TIMEOUT = 30.0
"""Seconds in which a client must take some of what waits for it."""
CHECK_EVERY = 1.0

SEND_BUFFER = 128 << 10
"""Bytes that the kernel keeps for a client who does not read (it doubles them), not megabytes."""


class Doorkeeper:
    """What the connections of one service share."""

    def __init__(self, refusals: Refusals) -> None:
        self.refusals = refusals
        self.tcp: Crowd[Connection] = Crowd(MAX_TCP, MAX_OF_ONE, MAX_WAITING)
        self.unix: Crowd[Connection] = Crowd(MAX_UNIX, MAX_OF_ONE, MAX_UNIX)
        self.owners = PeerOwners()

    def connection(self, *args: Any, **named: Any) -> Connection:
        """Make the protocol of one connection, as uvicorn asks for it."""
        return Connection(self, *args, **named)

    async def watch(self, connections: Iterable[Any]) -> None:
        """End the connections that take too long; runs until it is cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(CHECK_EVERY)
            now = loop.time()
            for one in list(connections):
                one.check_patience(now)


class _Stage(NamedTuple):
    """What is waited for, and a number that changes whenever there is progress."""

    what: str
    progress: int


PATIENCE = {"head": HEAD_TIMEOUT, "body": BODY_TIMEOUT, "send": SEND_TIMEOUT}


class Connection(H11Protocol):
    """One connection. The app learns about its peer from the socket, never from headers."""

    def __init__(self, keeper: Doorkeeper, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        self._keeper = keeper
        self._crowd = keeper.tcp
        self._received = 0
        self._requests = 0
        self._used = self.loop.time()
        self._stage: _Stage | None = None
        self._since = self._used
        self._ended_input = False
        self.peer = Peer()

    # -- asyncio.Protocol --------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        connection = transport.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
        self.peer = peer_of(connection, self._keeper.owners)
        self.peer.certificate = certificate_names(transport.get_extra_info("peercert"))
        if self.peer.via == "socket":
            self._crowd = self._keeper.unix
        self.app = _ConnectionApp(self.app, self.peer, transport.abort)
        leaving = self._crowd.enter(self, self.peer.owner)
        if leaving is not None:
            leaving.give_way()

    def connection_lost(self, exc: Exception | None) -> None:
        self._crowd.leave(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._received += len(data)
        super().data_received(data)

    def eof_received(self) -> bool:  # type: ignore[override]
        """The client sends no more. It gets the answer that it waits for, but for a stream, whose
        client has gone away: only the end of a stream shows that."""
        self._ended_input = True
        return self._answering() and not self.cycle.response_started and not self.cycle.more_body

    def on_response_complete(self) -> None:
        self._requests += 1
        self._used = self.loop.time()
        super().on_response_complete()
        if self._ended_input and not self._answering():
            self.transport.close()

    def send_400_response(self, msg: str) -> None:
        """The answer to what is not HTTP."""
        self._keeper.refusals.count("not-http")
        self.transport.write(_last_words(400, "not-http", "the request is not HTTP"))
        self.transport.close()

    def _unsupported_upgrade_warning(self) -> None:
        """An upgrade that is not taken is no event (RFC 9110, section 7.8)."""

    # -- how long it may take, and when it gives way -----------------------------------------------

    def rank(self) -> Rank:
        """How worth keeping it is."""
        standing = WAITING if not self.peer.admitted else BUSY if self._answering() else IDLE
        return Rank(standing, self._used)

    def give_way(self) -> None:
        """End it for another one, or because its owner has enough of them."""
        detail = "you have too many connections"
        self._end(503, "too-many-connections", detail)

    def check_patience(self, now: float) -> None:
        """End it when nothing has come, or been taken, for as long as that may take."""
        stage = self._waiting_for()
        if stage != self._stage:
            self._stage, self._since = stage, now
        elif stage is not None and now - self._since >= PATIENCE[stage.what]:
            if stage.what == "send" or self.transport.is_closing():
                self.transport.abort()
            else:
                self._end(408, "too-slow", f"the request's {stage.what} did not come in time")

    def _waiting_for(self) -> _Stage | None:
        if waiting := self.transport.get_write_buffer_size():
            return _Stage("send", waiting)
        if self.conn.their_state is h11.IDLE:
            return _Stage("head", self._requests)
        if self.conn.their_state is h11.SEND_BODY and not self.flow.read_paused:
            return _Stage("body", self._received // BODY_STEP)
        return None

    def _answering(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _end(self, status: int, code: str, detail: str) -> None:
        """Say why, where that can still be said, and close."""
        self._crowd.leave(self)
        self._keeper.refusals.count(code)
        if self._answering():
            begun = self.cycle.response_started
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        else:
            begun = self._requests > 0 and self.conn.their_state is not h11.IDLE
        if not begun and (status == 503 or self._received):
            self.transport.write(_last_words(status, code, detail))
        self.transport.close()


class _ConnectionApp:
    """The app for one connection: puts the peer and the way to abort into each request's scope."""

    def __init__(self, app: Any, peer: Peer, abort: Callable[[], None]) -> None:
        self.app = app
        self.peer = peer
        self.abort = abort

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope[PEER] = self.peer
        scope[ABORT] = self.abort
        await self.app(scope, receive, send)


def peer_of(connection: socket.socket, owners: PeerOwners) -> Peer:
    """The peer of an accepted socket, which has the family of the listening one."""
    uid = owners.uid_of(connection)
    if connection.family != socket.AF_UNIX:
        return Peer("tcp", uid, place=None if uid is not None else _place(connection))
    return Peer("socket", uid, peer_groups(connection), admitted=True)


def _place(connection: socket.socket) -> str | None:
    """The address of a peer elsewhere, of IPv6 its /64: one host may have all of that."""
    try:
        found = ipaddress.ip_address(connection.getpeername()[0].partition("%")[0])
    except (OSError, ValueError):
        return None
    if found.is_loopback:
        return None
    return str(found if found.version == 4 else ipaddress.ip_network((found, 64), strict=False))


def _last_words(status: int, code: str, detail: str) -> bytes:
    """A whole answer, for a connection that ends with it."""
    reason = HTTPStatus(status).phrase
    problem = {
        "type": "about:blank",
        "title": reason,
        "status": status,
        "detail": detail,
        "code": code,
    }
    body = json.dumps(problem)
    headers = {
        "content-type": MEDIA_TYPE,
        "content-length": str(len(body)),
        "connection": "close",
        "cache-control": "no-store",
        **HEADERS,
    }
    lines = [
        f"HTTP/1.1 {status} {reason}",
        *(f"{name}: {value}" for name, value in headers.items()),
    ]
    return "\r\n".join([*lines, "", body]).encode()
