"""The canonical time of rules and sets: UTC, whole seconds, 2026-11-21T10:00:00Z.

`rule list` writes it too, so nothing but datetime is imported.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

_LAST_NS = (1 << 64) - 1


class _Present:
    """Where `now` comes from; whoever starts the process knows a better source than the clock."""

    seconds: Callable[[], float] = staticmethod(time.time)


def take_time_from(seconds: Callable[[], float]) -> None:
    """Count durations from now on from what this gives, in seconds since 1970."""
    _Present.seconds = staticmethod(seconds)


def now() -> datetime:
    """What durations are counted from, in UTC."""
    return datetime.fromtimestamp(_Present.seconds(), UTC)


def time_text(moment: datetime) -> str:
    """Write a time that is in UTC in the canonical way; a fraction of a second is cut off."""
    return moment.replace(microsecond=0, tzinfo=None).isoformat() + "Z"


def expiry_after(seconds: int) -> str:
    """The canonical time that many seconds from now, rounded up to a whole second."""
    return time_text(now() + timedelta(seconds=seconds, microseconds=999_999))


def epoch_text(seconds: int) -> str:
    """Write seconds since 1970 as a canonical time."""
    return time_text(datetime.fromtimestamp(seconds, UTC))


def duration_text(seconds: int) -> str:
    """Write a duration by its two largest units: 3d4h, 25s."""
    found: list[str] = []
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1)):
        count, seconds = divmod(seconds, size)
        if count or found:
            found.append(f"{count}{unit}" if count else "")
    return "".join(found[:2]) or "0s"


def epoch_ns_text(ns: int) -> str:
    """Write nanoseconds since 1970 with microseconds: 2026-11-21T10:00:00.123456Z."""
    seconds, rest = divmod(ns, 10**9)
    return f"{epoch_text(seconds)[:-1]}.{rest // 1000:06d}Z"


def boottime_ns(seconds: int, boot: int) -> int:
    """An expiry on CLOCK_BOOTTIME in ns, from 1 up: 0 is no expiry in the kernel. One past what 64
    bits hold, in the year 2554 or later, never comes. `boot` is CLOCK_REALTIME at boot, in ns."""
    return min(max(1, seconds * 10**9 - boot), _LAST_NS)


def epoch_seconds(text: str) -> int:
    """Read a canonical time as seconds since 1970."""
    return int(datetime.fromisoformat(text).timestamp())
