"""`xdpwall serve`: one app, two listening sockets, one event loop."""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
import signal
import socket
import struct
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Self

import uvloop
from uvicorn import Config, Server
from uvicorn.protocols.http.h11_impl import H11Protocol

from xdpwall.api.app import create_app
from xdpwall.api.serving import h11_patterns
from xdpwall.api.serving.listen import host_names, page_url, system_error, tcp_socket, unix_socket
from xdpwall.api.serving.security import PEER, Peer
from xdpwall.api.serving.token import load_token
from xdpwall.api.stream.client import ABORT
from xdpwall.errors import ANOTHER_STATE, Conflict
from xdpwall.gcpause import put_off_collections
from xdpwall.settings import Settings
from xdpwall.values.author import Author

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

    from xdpwall.firewall.firewall import Firewall

log = logging.getLogger("xdpwall.api")
h11_patterns.install_h11_patterns()

MAX_TCP_CONNECTIONS = 512
"""Any local user may connect to TCP; this keeps descriptors for the unix socket and the kernel."""
SEND_BUFFER = 128 << 10
"""Bytes that the kernel keeps for a client who does not read (it doubles them), not megabytes."""
SHUTDOWN_TIMEOUT = 10
"""Seconds that running requests have to end when the service stops."""
_UCRED = struct.Struct("3i")


def serve(
    settings: Settings,
    host: str = "127.0.0.1",
    port: int = 8480,
    *,
    say: Callable[[str], None] = lambda line: print(line, flush=True),
) -> None:
    """Restore what should be in force, then answer until SIGTERM or SIGINT.

    `say` gets the page's address once both sockets answer. Filtering goes on after the end.
    """
    from xdpwall.firewall.firewall import Firewall

    logging.basicConfig(format="%(name)s: %(message)s", level=logging.INFO, stream=sys.stderr)
    names = host_names(host)
    with (
        _StopSignals() as stop,
        Firewall.open(settings, service=True) as firewall,
        _single_service(settings),
        unix_socket(settings.socket) as local,
        tcp_socket(host, port) as tcp,
    ):
        token = load_token(settings.state_dir)
        _restore(firewall)
        app = create_app(firewall, token=token, hosts=names)
        address = page_url(tcp) + f"#token={token}"
        if _is_journal(sys.stdout):
            address = f"{page_url(tcp)} (token: {settings.state_dir / 'token'})"
        server = _Server(_config(app))

        def started() -> None:
            put_off_collections()
            app.state.events.start()
            say(f"xdpwall: page at {address}")

        server.on_started = started
        server.on_stopping = app.state.events.close
        stop.run(server, [local, tcp])


def _restore(firewall: Firewall) -> None:
    try:
        restored = firewall.restore(by=Author(name="service", via="serve"))
    except Conflict as error:
        if error.code != ANOTHER_STATE:
            raise
        # What the kernel holds goes on; whoever asks the service is told.
        log.error("restore: %s (%s)", error.message, error.hint)
        return
    for line in (*restored.failed, *restored.warnings):
        log.warning("restore: %s", line)


def _config(app: ASGIApp) -> Config:
    return Config(
        app,
        http=_Protocol,
        loop="asyncio",
        ws="none",
        lifespan="off",
        proxy_headers=False,
        server_header=False,
        access_log=False,
        log_config=None,
        log_level="warning",
        timeout_graceful_shutdown=SHUTDOWN_TIMEOUT,
    )


class _Server(Server):
    """uvicorn's server with callbacks at start and stop; signals are left to `_StopSignals`."""

    on_started: Callable[[], None]
    on_stopping: Callable[[], None]

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.on_started()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self.on_stopping()  # Streams never end by themselves, and running requests are waited for.
        await super().shutdown(sockets)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield  # `_StopSignals` has them from before the start until after the end.


class _StopSignals:
    """Handler of SIGTERM and SIGINT: ends the server; a second signal does not cut that short."""

    def __init__(self) -> None:
        self.asked = False
        self._server: Server | None = None
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for one in (signal.SIGINT, signal.SIGTERM):
                self._before[one] = signal.signal(one, self._ask)
        return self

    def __exit__(self, *_: object) -> None:
        for one, handler in self._before.items():
            signal.signal(one, handler)

    def run(self, server: Server, sockets: list[socket.socket]) -> None:
        """Serve until asked to stop, also when that was before."""
        self._server = server
        server.should_exit = self.asked
        uvloop.run(server.serve(sockets=sockets))

    def _ask(self, *_: object) -> None:
        self.asked = True
        if self._server is not None:
            self._server.should_exit = True


class _Protocol(H11Protocol):
    """One connection. The app learns about its peer from the socket, never from headers."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        connection = transport.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
        peer = peer_of(connection)
        self.app = _ConnectionApp(self.app, peer, transport.abort)
        if peer.via == "tcp" and _tcp_count(self.connections) > MAX_TCP_CONNECTIONS:
            transport.abort()


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


def peer_of(connection: socket.socket) -> Peer:
    """The peer of an accepted socket, which has the family of the listening one."""
    if connection.family != socket.AF_UNIX:
        return Peer("tcp")
    size = _UCRED.size
    credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size)
    _, uid, _ = _UCRED.unpack(credentials)
    return Peer("socket", uid)


def _tcp_count(connections: Any) -> int:
    return sum(
        1
        for one in connections
        if isinstance(one.app, _ConnectionApp) and one.app.peer.via == "tcp"
    )


@contextmanager
def _single_service(settings: Settings) -> Iterator[None]:
    """Hold the state folder's serve.lock: one service for one instance."""
    path = settings.state_dir / "serve.lock"
    try:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise system_error(error, str(path)) from error
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Conflict(
                f"a service works on {settings.state_dir} already",
                code="already-running",
                hint="stop it, or give this one --state-dir, --bpffs and --socket of its own",
            ) from None
        yield
    finally:
        os.close(fd)


def _is_journal(stream: Any) -> bool:
    """Whether systemd keeps what is printed: the token must not stay there."""
    told = os.environ.get("JOURNAL_STREAM", "")
    try:
        state = os.fstat(stream.fileno())
    except (OSError, ValueError):
        return False
    return told == f"{state.st_dev}:{state.st_ino}"
