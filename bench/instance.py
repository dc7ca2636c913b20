"""The instance that changes and commands are timed on: its namespace, its paths, its service."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from tests.support.net.netns import Namespace
from xdpwall.firewall.facade import Facade
from xdpwall.firewall.firewall import Firewall
from xdpwall.settings import Settings

PATIENCE = 60.0
"""Seconds that the service may take for anything."""

POLL = 0.0001
"""Seconds between two polls of the kernel: a busy loop would take the service's CPU."""


class BenchFailed(Exception):
    """Something that was to be timed did not work."""


class ServedInstance:
    """The bench's own state folder, bpffs folder and socket, in the namespace `space`."""

    def __init__(self, space: Namespace, folder: Path, pins: Path) -> None:
        self.space = space
        self.folder = folder
        self.settings = Settings(folder / "state", pins / "instance", folder / "xdpwall.sock")
        # As installed: with bytecode, which the environment may forbid to write.
        environ = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
        self.environ = {
            **environ,
            "PYTHONPYCACHEPREFIX": str(folder / "bytecode"),
            "XDPWALL_STATE_DIR": str(self.settings.state_dir),
            "XDPWALL_BPFFS": str(self.settings.bpffs),
            "XDPWALL_SOCKET": str(self.settings.socket),
        }

    def command(self, *arguments: str) -> float:
        """Run one `xdpwall` command; seconds from fork to end. Its output is thrown away."""
        argv = self.space.argv(*program(), *arguments)
        start = time.perf_counter()
        done = subprocess.run(argv, env=self.environ, capture_output=True, text=True, check=False)
        seconds = time.perf_counter() - start
        if done.returncode:
            raise BenchFailed(f"xdpwall {' '.join(arguments)}: {done.stderr}")
        return seconds

    def page_address(self) -> str:
        """An address that opens the running service's page, once."""
        argv = self.space.argv(*program(), "page", "--quiet")
        done = subprocess.run(argv, env=self.environ, capture_output=True, text=True, check=False)
        if done.returncode:
            raise BenchFailed(f"xdpwall page: {done.stderr}")
        return done.stdout.strip()

    @contextmanager
    def opened(self) -> Iterator[Facade]:
        """The firewall in this process, in the instance's namespace."""
        with self.space.inside(), Firewall.open(self.settings) as firewall:
            yield cast(Facade, firewall)

    @contextmanager
    def service(self) -> Iterator[Service]:
        """Run `xdpwall serve`: entered at its first answer, ended by SIGTERM."""
        log = self.folder / "serve.log"
        argv = self.space.argv(*program(), "serve", "--port", "0")
        start = time.perf_counter()
        with log.open("wb") as out:
            process = subprocess.Popen(argv, env=self.environ, stdout=out, stderr=out)
        try:
            service = Service(self.settings.socket, process.pid)
            while not service.answers():
                if process.poll() is not None or time.perf_counter() - start > PATIENCE:
                    raise BenchFailed(f"xdpwall serve: {log.read_text(errors='replace')}")
                time.sleep(0.005)
            service.started = time.perf_counter() - start
            yield service
        finally:
            process.terminate()
            try:
                process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@dataclass(frozen=True)
class RequestTimes:
    """Seconds from before the connection was made."""

    live: float
    """Until it was in force in the kernel; 0 where that was not polled."""
    answered: float
    answer: Any


class Service:
    """A running service, by its unix socket. `started`: seconds until it answered."""

    def __init__(self, path: Path, pid: int) -> None:
        self._path = path
        self._pid = pid
        self.started = 0.0

    def answers(self) -> bool:
        """Whether the socket accepts connections."""
        with socket.socket(socket.AF_UNIX) as probe:
            return probe.connect_ex(str(self._path)) == 0

    def call(self, method: str, path: str, body: Any = None) -> tuple[float, Any]:
        """(seconds, JSON answer) of one request, the connection to the socket included."""
        timed = self.request(method, path, body)
        return timed.answered, timed.answer

    def request(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        live: Callable[[], bool] | None = None,
        rest: float = 0.0,
    ) -> RequestTimes:
        """Time one request; with `live`, also until that first returns true. It asks the kernel, and
        is polled from `rest` seconds after the request was sent.

        The client has a few lines, so that it is the service that is timed: http.client would add
        a millisecond.
        """
        data = b"" if body is None else json.dumps(body).encode()
        lines = [f"{method} /api/v1{path} HTTP/1.1", "Host: localhost"]
        if data:
            lines += ["Content-Type: application/json", f"Content-Length: {len(data)}"]
        request = "\r\n".join([*lines, "", ""]).encode() + data
        start = time.perf_counter()
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(PATIENCE)
            connection.connect(str(self._path))
            connection.sendall(request)
            found = 0.0
            if live:
                time.sleep(rest)
                found = _until(live, start + PATIENCE) - start
            head, text = _read(connection)
            answered = time.perf_counter() - start
        status = int(head.split()[1])
        if status >= 400:
            raise BenchFailed(f"{method} {path}: {status} {text.decode()}")
        return RequestTimes(found, answered, json.loads(text) if text else None)

    def resident(self) -> int:
        """The resident memory of the process in bytes."""
        with open(f"/proc/{self._pid}/status", encoding="ascii", errors="replace") as lines:
            for line in lines:
                if line.startswith("VmRSS:"):
                    return int(line.split()[1]) * 1024
        raise BenchFailed("the service has ended")


def _until(live: Callable[[], bool], end: float) -> float:
    """Poll `live` and return the time at which it was true; BenchFailed after `end`."""
    while not live():
        if time.perf_counter() > end:
            raise BenchFailed("what was changed does not get into the kernel")
        time.sleep(POLL)
    return time.perf_counter()


def _read(connection: socket.socket) -> tuple[bytes, bytes]:
    """Read an HTTP answer with a content-length: (head, body)."""
    got = bytearray()
    while (end := got.find(b"\r\n\r\n")) < 0:
        _more(connection, got)
    head = bytes(got[:end])
    told = re.search(rb"\r\ncontent-length: *(\d+)", head, re.IGNORECASE)
    length = int(told[1]) if told else 0
    while len(got) < end + 4 + length:
        _more(connection, got)
    return head, bytes(got[end + 4 :])


def _more(connection: socket.socket, got: bytearray) -> None:
    part = connection.recv(1 << 20)
    if not part:
        raise BenchFailed("the service ended the connection before its answer")
    got += part


def program() -> list[str]:
    """The command line of xdpwall: installed beside this Python, or as a module."""
    script = Path(sys.executable).with_name("xdpwall")
    return [str(script)] if script.exists() else [sys.executable, "-m", "xdpwall"]
