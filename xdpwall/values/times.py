"""Moments and durations as rules spell them. Pure, but for the clock that `for 10m` needs."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime, timedelta
from typing import Any

from .inputs import invalid, parse_text

_WANTED = "a time like 2026-11-21T10:00:00Z, or a duration like 10m, 1h30m, 2d"


_DURATION = re.compile(
    r"(?:([0-9]{1,6})w)?(?:([0-9]{1,6})d)?(?:([0-9]{1,6})h)?(?:([0-9]{1,6})m)?(?:([0-9]{1,9})s)?",
    re.ASCII,
)


_MOMENT = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})[Tt ]([0-9]{2}:[0-9]{2}:[0-9]{2})(?:\.[0-9]{1,9})?"
    r"([Zz]|[+-][0-9]{2}:[0-9]{2})",
    re.ASCII,
)


_SECONDS = (604800, 86400, 3600, 60, 1)


_LONGEST = 100 * 365 * 86400


def now() -> datetime:
    """The wall clock, in UTC."""
    return datetime.now(UTC)


def parse_duration(field: str, value: Any) -> int:
    """Seconds of `90s`, `10m`, `1h30m`, `2d`, `1w`."""
    spelled = parse_text(field, value, "a duration like 10m, 1h30m, 2d")
    found = _DURATION.fullmatch(spelled)
    if not spelled or not found:
        problem = "has no unit" if spelled.isdecimal() else "is not a duration"
        raise invalid(field, value, problem, "a number with s, m, h, d or w: 90s, 10m, 1h30m, 2d")
    seconds = sum(
        int(part) * unit for part, unit in zip(found.groups(), _SECONDS, strict=True) if part
    )
    if not 1 <= seconds <= _LONGEST:
        raise invalid(field, value, "is out of range", "a duration from 1 second to 100 years")
    return seconds


def parse_moment(field: str, value: Any) -> str:
    """An RFC 3339 time as canonical text: UTC, whole seconds, `Z`. A fraction is cut off."""
    spelled = parse_text(field, value, _WANTED)
    found = _MOMENT.fullmatch(spelled)
    if not found:
        problem = "is not a time"
        if spelled[:10].count("-") == 2 and spelled[:4].isdecimal():
            problem = "is not a whole RFC 3339 time with its zone"
        raise invalid(field, value, problem, _WANTED)
    day, clock, zone = found.groups()
    try:
        moment = datetime.fromisoformat(f"{day}T{clock}{'+00:00' if zone in 'Zz' else zone}")
        return _spell(moment.astimezone(UTC))
    except (ValueError, OverflowError):
        raise invalid(field, value, "is not a time that exists", _WANTED) from None


def parse_expiry(field: str, value: Any) -> str:
    """A moment, or a duration counted from now (rounded up to a whole second)."""
    spelled = parse_text(field, value, _WANTED)
    if _DURATION.fullmatch(spelled) or spelled.isdecimal():
        return in_seconds(parse_duration(field, value))
    return parse_moment(field, value)


def in_seconds(seconds: int) -> str:
    """The moment that many seconds from now, rounded up."""
    return _spell(now() + timedelta(seconds=seconds, microseconds=999_999))


def seconds_of(moment: str) -> int:
    """A canonical moment as seconds since 1970."""
    return int(datetime.fromisoformat(moment).timestamp())


def _spell(moment: datetime) -> str:
    return moment.replace(microsecond=0, tzinfo=None).isoformat() + "Z"


def now_text() -> str:
    """This moment as the canonical time of rules: 2026-11-21T10:00:00Z."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def moment(seconds: int) -> str:
    """Seconds since 1970 as the canonical time of rules."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
