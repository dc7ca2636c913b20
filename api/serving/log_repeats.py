"""Log lines that say the same again are counted and not written, so that no client fills the journal."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

PERIOD = 60.0
MOST = 10
"""Lines of one kind in PERIOD seconds."""
MOST_KINDS = 100
"""Kinds of lines in PERIOD seconds."""


@dataclass(slots=True)
class _Seen:
    since: float
    count: int


class RepeatFilter(logging.Filter):
    """A handler's filter. A kind of line is its text before the values are put in, and its exception."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._seen: dict[tuple[str, str, str], _Seen] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether it is written. The first one after a pause says how many were not."""
        now = self._clock()
        kind = _kind(record)
        seen = self._seen.get(kind)
        left_out = 0
        if seen is None or now - seen.since >= PERIOD:
            left_out = 0 if seen is None else max(0, seen.count - MOST)
            if seen is None and not self._has_room(now):
                return False
            seen = self._seen[kind] = _Seen(now, 0)
        seen.count += 1
        if left_out:
            record.msg = f"{record.getMessage()} ({left_out:,} more like it were not written)"
            record.args = None
        return seen.count <= MOST

    def _has_room(self, now: float) -> bool:
        if len(self._seen) < MOST_KINDS:
            return True
        self._seen = {kind: one for kind, one in self._seen.items() if now - one.since < PERIOD}
        return len(self._seen) < MOST_KINDS


def _kind(record: logging.LogRecord) -> tuple[str, str, str]:
    error = record.exc_info[0] if record.exc_info else None
    return record.name, str(record.msg), error.__name__ if error else ""
