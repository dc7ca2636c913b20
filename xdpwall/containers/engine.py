"""Ask a container engine (Docker's API, which Podman speaks too) over its unix socket: GET, nothing else.

Who may open that socket is root of the host, so this runs in a process of its own that does no more
than ask. What answers is not trusted: sizes and times are bounded, and what is read is checked.
"""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from xdpwall.errors import Failed

MOST_BYTES = 32 << 20
"""Of one answer: a thousand containers take about 2 MB."""
PATIENCE = 10.0
"""Seconds that an answer may take to begin, and between two parts of it."""
LONGEST_LINE = 1 << 20
"""Bytes of one event."""


class EngineFailed(Failed):
    """The engine does not answer, or not as its API says."""


class Engine:
    """The engine behind a socket. Each question has a connection of its own."""

    def __init__(self, path: Path, patience: float = PATIENCE) -> None:
        self.path = path
        self._patience = patience

    def get(self, path: str) -> Any:
        """The decoded JSON of an answer; EngineFailed."""
        with self._asked(path) as answer:
            data = answer.read(MOST_BYTES + 1)
            if len(data) > MOST_BYTES:
                raise EngineFailed(f"{self.path}: {path} answered more than {MOST_BYTES >> 20} MB")
            return self._decoded(path, data)

    @contextmanager
    def events(self, silence: float) -> Iterator[Iterator[dict[str, Any]]]:
        """What containers and networks do from now on: an iterator, which ends when nothing was heard for
        `silence` seconds. EngineFailed, also from the iterator when the engine goes away."""
        kinds = quote(json.dumps({"type": ["container", "network"]}))
        with self._asked(f"/events?filters={kinds}", silence) as answer:
            yield self._lines(answer)

    @contextmanager
    def _asked(self, path: str, silence: float | None = None) -> Iterator[http.client.HTTPResponse]:
        connection = _UnixConnection(self.path, self._patience)
        try:
            connection.request("GET", path, headers={"Host": "localhost"})
            answer = connection.getresponse()
            if answer.status != 200:
                said = answer.read(300).decode("utf-8", "replace")
                raise EngineFailed(f"{self.path}: {path} answered {answer.status}: {said!r}")
            if silence is not None:
                connection.sock.settimeout(silence)
            yield answer
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise EngineFailed(f"{self.path}: {path}: {error or type(error).__name__}") from error
        finally:
            connection.close()

    def _lines(self, answer: http.client.HTTPResponse) -> Iterator[dict[str, Any]]:
        while True:
            try:
                line = answer.readline(LONGEST_LINE + 1)
            except TimeoutError:
                return
            if not line:
                raise EngineFailed(f"{self.path}: the engine ended its events")
            if len(line) > LONGEST_LINE:
                raise EngineFailed(f"{self.path}: an event of more than {LONGEST_LINE} bytes")
            if line.strip():
                event = self._decoded("/events", line)
                if isinstance(event, dict):
                    yield event

    def _decoded(self, path: str, data: bytes) -> Any:
        try:
            return json.loads(data)
        except (ValueError, RecursionError) as error:
            raise EngineFailed(f"{self.path}: {path} answered no JSON") from error


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path, patience: float) -> None:
        super().__init__("localhost", timeout=patience)
        self._path = path

    def connect(self) -> None:
        """Connect to the unix socket in the place of a host."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))
