"""Run the real service in a process and a namespace of its own.

with Service(space, folder, bpffs) as service:
    service.call("GET", "/rules")                       # over the unix socket
    service.tcp("GET", "/api/v1/rules", token=...)      # over loopback in its namespace
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from tests.support.lock_held import NOT_HELD
from tests.support.net.netns import Namespace
from tests.support.paths import ROOT
from xdpwall.settings import Settings

START = 120.0
"""Seconds in which the service must answer, and end."""

_MAIN = """
import sys
from pathlib import Path
from tests.support.lock_held import check_locks
from xdpwall.api.server import serve
from xdpwall.settings import Settings
check_locks()
serve(Settings(*map(Path, sys.argv[1:4])), port=int(sys.argv[4]), host=sys.argv[5])
"""


@dataclass(frozen=True, slots=True)
class Reply:
    """One HTTP answer."""

    status: int
    headers: http.client.HTTPMessage
    content: bytes

    @property
    def json(self) -> Any:
        """The body, parsed."""
        return json.loads(self.content)


class Service:
    """One service process; `stop` is SIGTERM, `kill` is SIGKILL."""

    def __init__(
        self,
        space: Namespace,
        folder: Path,
        bpffs: Path,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        prelude: str = "",
        handed: Sequence[socket.socket] = (),
        environ: Mapping[str, str] | None = None,
    ) -> None:
        """Port 0 is any free one, another one at each start. `prelude` is run before serving. `handed`: sockets
        as systemd hands them over; `environ`: variables besides."""
        self.space = space
        self._handed = handed
        self._environ = environ or {}
        self._main = prelude + _MAIN
        self._host = host
        self._port = port
        self.settings = Settings(folder / "state", bpffs / "xdpwall", folder / "xdpwall.sock")
        self._url = ""
        self._token = ""
        self._log = folder / "service.log"
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> Self:
        """Start it and wait for the page's address."""
        paths = (self.settings.state_dir, self.settings.bpffs, self.settings.socket)
        with self._log.open("a") as log:
            self._process = subprocess.Popen(
                self.space.argv(
                    *self._handing_over(),
                    *(sys.executable, "-c", self._main),
                    *(*map(str, paths), str(self._port), self._host),
                ),
                cwd=ROOT,
                env={**os.environ, "PYTHONPATH": str(ROOT), **self._environ},
                pass_fds=[one.fileno() for one in self._handed],
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        found = re.fullmatch(r"xdpwall: page at (https?://[^/]+:\d+/) \(sudo .*\)\n", line)
        if found is None:
            self.kill()
            raise AssertionError(f"the service said {line!r}\n{self.log()}")
        self._url = found[1]
        return self

    __enter__ = start

    def __exit__(self, *_: object) -> None:
        self.kill()

    @property
    def pid(self) -> int:
        """The running process (nsenter becomes it)."""
        assert self._process is not None
        return self._process.pid

    @property
    def port(self) -> int:
        """The TCP port."""
        return int(self._url.split("/")[2].rpartition(":")[2])

    @property
    def address(self) -> str:
        """The page's address, with the token."""
        return f"{self._url}#token={self.token}"

    @property
    def token(self) -> str:
        """The admin token `tests`, made when it is asked for."""
        if not self._token:
            made = self.call("POST", "/tokens", {"name": "tests", "role": "admin"})
            assert made.status == 201, made.content
            self._token = made.json["secret"]
        return self._token

    def audit(self, *columns: str) -> tuple[Any, ...]:
        """The columns of the latest entry of the audit trail."""
        path = self.settings.state_dir / "xdpwall.db"
        wanted = ", ".join(columns)
        with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as store:
            found = store.execute(f"SELECT {wanted} FROM audit ORDER BY id DESC LIMIT 1")
            row: tuple[Any, ...] = found.fetchone()
            return row

    def _handing_over(self) -> list[str]:
        """The words in front of a command for which the sockets become descriptors 3, 4 ..."""
        if not self._handed:
            return []
        fds = [one.fileno() for one in self._handed]
        assert min(fds) >= 3 + len(fds), "a descriptor would be overwritten by another"
        moved = " ".join(f"{n}<&{fd} {fd}<&-" for n, fd in enumerate(fds, start=3))
        script = f'export LISTEN_PID=$$ LISTEN_FDS={len(fds)}; exec "$@" {moved}'
        return ["bash", "-c", script, "bash"]

    def log(self) -> str:
        """What it wrote to stderr."""
        return self._log.read_text()

    def stop(self) -> int:
        """SIGTERM; the exit code."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        return self._ended()

    def kill(self) -> int:
        """SIGKILL, where it still runs; the exit code."""
        if self._process is None:
            return 0
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        return self._ended()

    def _ended(self) -> int:
        assert self._process is not None
        code = self._process.wait(START)
        assert self._process.stdout is not None
        self._process.stdout.close()
        self._process = None
        assert NOT_HELD not in self.log(), self.log()
        return code

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> Reply:
        """A request below /api/v1 over the unix socket; `if_match="..."` is If-Match."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        data = None
        if body is not None:
            data = body if isinstance(body, bytes) else json.dumps(body).encode()
            sent.setdefault("content-type", "application/json")
        return self.raw(method, f"/api/v1{path}", sent, data)

    def raw(
        self, method: str, path: str, headers: dict[str, str], data: bytes | None = None
    ) -> Reply:
        """A request over the unix socket."""
        connection = http.client.HTTPConnection("localhost", timeout=START)
        connection.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.sock.settimeout(START)
        try:
            connection.sock.connect(str(self.settings.socket))
        except OSError:
            connection.close()  # Else it is closed by the collector, with a warning, at some time.
            raise
        return _exchange(connection, method, path, headers, data)

    def tcp(
        self,
        method: str,
        path: str,
        headers: dict[str, str] | None = None,
        data: bytes | None = None,
        *,
        token: str | None = None,
    ) -> Reply:
        """A request over loopback TCP; a `host` among the headers replaces the right one."""
        sent = dict(headers or {})
        if token is not None:
            sent["authorization"] = f"Bearer {token}"
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=START)
        with self.space.inside():
            connection.connect()
        return _exchange(connection, method, path, sent, data)


def _exchange(
    connection: http.client.HTTPConnection,
    method: str,
    path: str,
    headers: dict[str, str],
    data: bytes | None,
) -> Reply:
    with contextlib.closing(connection):
        connection.putrequest(
            method,
            path,
            skip_host="host" in headers,
            skip_accept_encoding="accept-encoding" in headers,
        )
        if data is not None and "transfer-encoding" not in headers:
            headers = {"content-length": str(len(data)), **headers}
        for name, value in headers.items():
            connection.putheader(name, value)
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            connection.endheaders(data)  # A refusal may come before all of the body went out.
        answer = connection.getresponse()
        return Reply(answer.status, answer.headers, answer.read())
