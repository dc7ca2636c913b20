"""A client of GET /events.

with Events(service) as events:
    event = events.next("counters")        # the next one of that name; others are kept in .seen
    events.until(lambda event: ...)
"""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.support.service.service import START, Service
from xdpwall.closing import Closing

PATH = "/api/v1/events"


@dataclass(frozen=True, slots=True)
class Event:
    """One event; `id` is "" for the last one."""

    name: str
    data: Any
    id: str = ""


class Reading:
    """Bytes of an answer -> its events; chunked encoding is taken off."""

    def __init__(self) -> None:
        self.head = b""
        self.events: list[Event] = []
        self.comments: list[str] = []
        self.ended = False
        self._raw = b""
        self._text = b""

    def feed(self, data: bytes) -> None:
        """Parse more bytes."""
        self._raw += data
        if not self.head:
            head, found, rest = self._raw.partition(b"\r\n\r\n")
            if not found:
                return
            self.head, self._raw = head, rest
        while not self.ended:
            size, found, rest = self._raw.partition(b"\r\n")
            if not found or len(rest) < int(size, 16) + 2:
                break
            length = int(size, 16)
            self.ended = length == 0
            self._text += rest[:length]
            self._raw = rest[length + 2 :]
        *blocks, self._text = self._text.split(b"\n\n")
        for block in blocks:
            self._take(block.decode())

    def _take(self, block: str) -> None:
        fields = dict(line.split(": ", 1) for line in block.splitlines() if line[:1] != ":")
        self.comments += [line[1:].strip() for line in block.splitlines() if line[:1] == ":"]
        if "event" in fields:
            data = json.loads(fields["data"])
            self.events.append(Event(fields["event"], data, fields.get("id", "")))


class Events(Closing):
    """One connection, over the unix socket or, with a token, over TCP."""

    def __init__(
        self,
        service: Service,
        *,
        token: str | None = None,
        last_id: str | None = None,
        receive_buffer: int | None = None,
        query: str = "",
    ) -> None:
        headers = ["host: localhost"]
        if last_id is not None:
            headers.append(f"last-event-id: {last_id}")
        if token is not None:
            headers.append(f"authorization: Bearer {token}")
        with service.space.inside():
            family = socket.AF_UNIX if token is None else socket.AF_INET
            self.socket = socket.socket(family, socket.SOCK_STREAM)
        if receive_buffer is not None:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(START)
        request = "\r\n".join([f"GET {PATH}{query} HTTP/1.1", *headers, "", ""])
        try:
            self.socket.connect(
                str(service.settings.socket) if token is None else ("127.0.0.1", service.port)
            )
            self.socket.sendall(request.encode())
        except OSError:
            self.socket.close()
            raise
        self.reading = Reading()
        self.seen: list[Event] = []
        self._at = 0

    def close(self) -> None:
        """Close the connection."""
        self.socket.close()

    def drain(self, seconds: float = START) -> None:
        """Read to the end, which must come."""
        deadline = time.monotonic() + seconds
        while self.pull():
            assert time.monotonic() < deadline, f"no end in {seconds} s"

    def pull(self) -> bool:
        """Read what has come, waiting for at least one byte; False at the end."""
        try:
            data = self.socket.recv(1 << 16)
        except ConnectionResetError:
            return False
        self.reading.feed(data)
        return bool(data) and not self.reading.ended

    def until(self, wanted: Callable[[Event], bool], what: str, seconds: float = START) -> Event:
        """The next event that is wanted; those before it are passed over."""
        deadline = time.monotonic() + seconds
        while True:
            while self._at < len(self.reading.events):
                event = self.reading.events[self._at]
                self._at += 1
                self.seen.append(event)
                if wanted(event):
                    return event
            names = [event.name for event in self.seen]
            assert time.monotonic() < deadline, f"no {what} in {seconds} s, but {names}"
            alive = self.pull()
            assert alive or self._at < len(self.reading.events), f"ended before {what}: {names}"

    def next(self, name: str) -> Any:
        """The data of the next event of that name."""
        return self.until(lambda event: event.name == name, name).data
