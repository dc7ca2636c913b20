"""The canonical time of rules and sets: UTC, whole seconds, 2026-11-21T10:00:00Z.

`rule list` writes it too, so nothing but datetime is imported.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

_LAST_NS = (1 << 64) - 1


def now() -> datetime:
    """The wall clock, in UTC."""
    return datetime.now(UTC)


def time_text(moment: datetime) -> str:
    """Write a time that is in UTC in the canonical way; a fraction of a second is cut off."""
    return moment.replace(microsecond=0, tzinfo=None).isoformat() + "Z"


def now_text() -> str:
    """The wall clock as a canonical time."""
    return time_text(now())


def expiry_after(seconds: int) -> str:
    """The canonical time that many seconds from now, rounded up to a whole second."""
    return time_text(now() + timedelta(seconds=seconds, microseconds=999_999))


def epoch_text(seconds: int) -> str:
    """Write seconds since 1970 as a canonical time."""
    return time_text(datetime.fromtimestamp(seconds, UTC))


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
