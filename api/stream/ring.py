"""Ring of the latest serialized events, from which a client that was away catches up.

Every client reads from here at its own pace. None has a queue of its own, so memory does not
depend on their number.
"""

from __future__ import annotations

import re
import secrets
from collections import deque

MAX_EVENTS = 600
"""Ten minutes of counters."""
MAX_BYTES = 16 << 20

_ID = re.compile(r"([0-9a-f]{8})-([0-9]{1,15})")


class EventRing:
    """The latest events, numbered from 1; their ids hold for one run of the service."""

    def __init__(
        self, *, most: int = MAX_EVENTS, most_bytes: int = MAX_BYTES, ids: bool = True
    ) -> None:
        """`ids` False: events without ids, to which no client returns."""
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
        """The number of the oldest event in the ring."""
        return self.newest - len(self._events) + 1

    def append(self, name: str, data: bytes) -> None:
        """Append an event; `data` is JSON on one line."""
        event = sse_frame(name, data, self.id_of(self.newest + 1) if self._ids else None)
        self.newest += 1
        self._events.append(event)
        self._bytes += len(event)
        while len(self._events) > self._most or (
            self._bytes > self._most_bytes and len(self._events) > 1
        ):
            self._bytes -= len(self._events.popleft())

    def after(self, number: int) -> bytes:
        """The event after this number; b"" when there is none yet. KeyError when it was dropped."""
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
        """The number of the event with this id; None when events after it were dropped."""
        found = _ID.fullmatch(event_id or "")
        if found is None or found[1] != self._run or not self.holds(int(found[2])):
            return None
        return int(found[2])


def sse_frame(name: str, data: bytes, event_id: str | None = None) -> bytes:
    """Serialize one server-sent event."""
    head = f"id: {event_id}\nevent: {name}\ndata: " if event_id else f"event: {name}\ndata: "
    return head.encode() + data + b"\n\n"
