"""`xdpwall serve`: one app, two listening sockets, one event loop."""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
import resource
import signal
import socket
import ssl
import sys
import threading
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Any, Self

import uvloop
from uvicorn import Config, Server

from xdpwall.api.app import create_app
from xdpwall.api.serving import h11_patterns
from xdpwall.api.serving.activation import open_listeners
from xdpwall.api.serving.caller import Callers
from xdpwall.api.serving.connection import Doorkeeper
from xdpwall.api.serving.listen import listen_address, page_url, system_error
from xdpwall.api.serving.log_repeats import RepeatFilter
from xdpwall.api.serving.page_codes import CodeGrant
from xdpwall.api.serving.peer_roles import PeerRoles
from xdpwall.api.serving.reload import ServiceReload
from xdpwall.api.serving.service_manager import ServiceManager
from xdpwall.api.serving.tls import HANDSHAKE_TIMEOUT, TlsSettings
from xdpwall.api.serving.token import take_over_token
from xdpwall.errors import ANOTHER_STATE, Conflict, XdpwallError
from xdpwall.gcpause import put_off_collections
from xdpwall.settings import Settings, service_tables
from xdpwall.trusted import open_file
from xdpwall.values.author import Author
from xdpwall.values.times import take_time_from

if TYPE_CHECKING:
    from fastapi import FastAPI
    from starlette.types import ASGIApp

    from xdpwall.firewall.firewall import Firewall
    from xdpwall.firewall.token_book import TokenBook

log = logging.getLogger("xdpwall.api")
h11_patterns.install_h11_patterns()

SHUTDOWN_TIMEOUT = 10
"""Seconds that running requests have to end when the service stops."""
SAVE_USES_EVERY = 60.0
"""Seconds."""
MOST_FILES = 65536
"""Open files that the service asks for; a soft limit of 1,024 would be short of its connections."""
_STATE_FAULTS = frozenset((ANOTHER_STATE, "corrupt", "newer-store", "empty-set"))
"""Codes of what is wrong with the state folder: reads are served, and changes refused."""


def serve(
    settings: Settings,
    host: str = "127.0.0.1",
    port: int = 8480,
    *,
    say: Callable[[str], None] = lambda line: print(line, flush=True),
) -> None:
    """Restore what should be in force, then answer until SIGTERM or SIGINT.

    Sockets that systemd hands over go before `host` and `port`. `say` gets the page's address once both
    answer. Filtering goes on after the end.
    """
    from xdpwall.firewall.firewall import Firewall

    logging.basicConfig(format="%(name)s: %(message)s", level=logging.INFO, stream=sys.stderr)
    for handler in logging.getLogger().handlers:
        handler.addFilter(RepeatFilter())
    tables = service_tables()
    tls = TlsSettings.parse(tables["tls"]) if "tls" in tables else None
    context = None if tls is None else tls.context()
    roles = PeerRoles(tables.get("roles"))
    listen_address(host, encrypted=tls is not None)
    manager = ServiceManager()
    _allow_files()
    with (
        _StopSignals() as stop,
        Firewall.open(settings, service=True) as firewall,
        _single_service(settings),
        open_listeners(settings.socket, host, port, tls=tls) as listeners,
    ):
        take_time_from(firewall.seconds)
        if take_over_token(settings.state_dir, firewall.keep_first_token):
            log.info("the file `token` is the admin token `first` now; its secret is as before")
        _restore(firewall)
        firewall.watch()
        callers = Callers(firewall.token_book, roles)
        app = create_app(firewall, callers=callers, hosts=listeners.hosts)
        page = app.state.page_url = page_url(listeners.tcp, encrypted=tls is not None)
        keeper = Doorkeeper(app.state.refusals)
        server = _Server(_config(app, keeper))

        def started() -> None:
            put_off_collections()
            app.state.events.start()
            say(f"xdpwall: page at {_page_address(app)}")
            manager.ready(f"page at {page}")

        def stopping() -> None:
            manager.stopping()
            app.state.events.close()

        server.tls = context
        server.chores = [
            lambda: keeper.watch(server.server_state.connections),
            lambda: _save_uses(firewall.token_book),
            ServiceReload(callers, tls, context).watch,
        ]
        server.on_started = started
        server.on_stopping = stopping
        server.on_stopped = manager.close
        try:
            stop.run(server, [listeners.local, listeners.tcp])
        finally:
            firewall.token_book.save_uses()


def _allow_files() -> None:
    """Raise the soft limit of open files; nothing in this process uses select(2)."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, MOST_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _restore(firewall: Firewall) -> None:
    try:
        restored = firewall.restore(by=Author(name="service", via="serve"))
    except XdpwallError as error:
        if error.code not in _STATE_FAULTS:
            raise
        # What the kernel holds goes on; whoever asks the service is told.
        log.error("restore: %s (%s)", error.message, error.hint)
        return
    for line in (*restored.failed, *restored.warnings):
        log.warning("restore: %s", line)


def _config(app: ASGIApp, keeper: Doorkeeper) -> Config:
    return Config(
        app,
        http=keeper.connection,  # type: ignore[arg-type]  # called as the class is
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

    tls: ssl.SSLContext | None = None
    chores: Sequence[Callable[[], Coroutine[Any, Any, None]]] = ()
    """Run from the start until the stop."""
    on_started: Callable[[], None]
    on_stopping: Callable[[], None]
    on_stopped: Callable[[], None]
    _tasks: tuple[asyncio.Task[None], ...] = ()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        # uvicorn would have TLS on all sockets or on none.
        over_tcp = [one for one in sockets or () if one.family != socket.AF_UNIX]
        await super().startup([one for one in sockets or () if one not in over_tcp])
        protocol = partial(
            self.config.http_protocol_class,  # type: ignore[call-arg]  # as uvicorn has it
            config=self.config,
            server_state=self.server_state,
            app_state=self.lifespan.state,
        )
        for one in over_tcp:
            self.servers.append(
                await asyncio.get_running_loop().create_server(
                    protocol,
                    sock=one,
                    ssl=self.tls,
                    ssl_handshake_timeout=HANDSHAKE_TIMEOUT if self.tls else None,
                    backlog=self.config.backlog,
                )
            )
        self._tasks = tuple(asyncio.create_task(chore()) for chore in self.chores)
        self.on_started()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self.on_stopping()  # Streams never end by themselves, and running requests are waited for.
        await super().shutdown(sockets)
        for task in self._tasks:
            task.cancel()
        self.on_stopped()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield  # `_StopSignals` has them from before the start until after the end.


async def _save_uses(book: TokenBook) -> None:
    """Write now and then when each token was used last; runs until it is cancelled."""
    while True:
        await asyncio.sleep(SAVE_USES_EVERY)
        if book.has_uses:
            await asyncio.to_thread(book.save_uses)


class _StopSignals:
    """Handler of SIGTERM and SIGINT: ends the server; a second signal does not cut that short.

    SIGHUP ends it too where its terminal went; a daemon goes on: files are read anew when they change (reload.py).
    """

    def __init__(self) -> None:
        self.asked = False
        self._server: Server | None = None
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for one in (signal.SIGINT, signal.SIGTERM):
                self._before[one] = signal.signal(one, self._ask)
            hung_up = self._ask if os.isatty(0) else _go_on
            self._before[signal.SIGHUP] = signal.signal(signal.SIGHUP, hung_up)
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


@contextmanager
def _single_service(settings: Settings) -> Iterator[None]:
    """Hold the state folder's serve.lock: one service for one instance."""
    path = settings.state_dir / "serve.lock"
    try:
        fd = open_file(path, os.O_RDWR | os.O_CREAT)
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


def _go_on(*_: object) -> None:
    log.info(
        "SIGHUP: the service goes on; roles and certificates are read anew when their files change"
    )


def _page_address(app: FastAPI) -> str:
    """The page's address for whoever started the service: on a terminal one that opens it. Elsewhere,
    in a journal or a file, no secret must stay."""
    url: str = app.state.page_url
    if not sys.stdout.isatty():
        return f"{url} (sudo xdpwall page prints an address that opens it)"
    code = app.state.page_codes.make(CodeGrant(f"uid {os.getuid()}", "admin"))
    return f"{url}#code={code} (once, within a minute; another: sudo xdpwall page)"
