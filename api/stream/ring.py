"""The latest events as bytes, the oldest dropped first: what a client that was away may still get.

Every client reads from here at its own pace. None has a queue of its own, so memory does not
depend on their number.
"""

from __future__ import annotations

import re
import secrets
from collections import deque

MOST_EVENTS = 600
"""Ten minutes of counters."""
MOST_BYTES = 16 << 20

_ID = re.compile(r"([0-9a-f]{8})-([0-9]{1,15})")


class Ring:
    """Events numbered from 1; ids are those of one run of the service."""

    def __init__(
        self, *, most: int = MOST_EVENTS, most_bytes: int = MOST_BYTES, ids: bool = True
    ) -> None:
        """`ids` False: no client comes back to these."""
        self._run = secrets.token_hex(4)
        self._ids = ids
        self._most = most
        self._most_bytes = most_bytes
        self._events: deque[bytes] = deque()
        self._bytes = 0
        self.newest = 0
        """The number of the latest event."""

    @property
    def oldest(self) -> int:
        """The number of the first event that is still here."""
        return self.newest - len(self._events) + 1

    def append(self, name: str, data: bytes) -> None:
        """One more event; `data` is JSON on one line."""
        event = frame(name, data, self.id_of(self.newest + 1) if self._ids else None)
        self.newest += 1
        self._events.append(event)
        self._bytes += len(event)
        while len(self._events) > self._most or (
            self._bytes > self._most_bytes and len(self._events) > 1
        ):
            self._bytes -= len(self._events.popleft())

    def after(self, number: int) -> bytes:
        """The event that follows; b"" when there is none yet. KeyError when it is gone."""
        if number == self.newest:
            return b""
        if not self.oldest <= number + 1 <= self.newest:
            raise KeyError(number)
        return self._events[number + 1 - self.oldest]

    def holds(self, number: int) -> bool:
        """Whether everything after this event is still here."""
        return self.oldest - 1 <= number <= self.newest

    def id_of(self, number: int) -> str:
        """The event's id for clients."""
        return f"{self._run}-{number}"

    def number_of(self, event_id: str | None) -> int | None:
        """The event whose id a client names, when what follows it is still here."""
        found = _ID.fullmatch(event_id or "")
        if found is None or found[1] != self._run or not self.holds(int(found[2])):
            return None
        return int(found[2])


def frame(name: str, data: bytes, event_id: str | None = None) -> bytes:
    """One event as it goes over the wire."""
    head = f"id: {event_id}\nevent: {name}\ndata: " if event_id else f"event: {name}\ndata: "
    return head.encode() + data + b"\n\n"
