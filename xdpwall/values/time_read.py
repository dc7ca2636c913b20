"""Parsers of times and durations. Pure, but for the clock that `for 10m` needs."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

from .inputs import invalid, parse_text
from .times import expiry_after, now, time_text

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
_FAR = re.compile(r"\+?[0-9]{5,9}-[0-9]{2}-", re.ASCII)
_UNITS = (604800, 86400, 3600, 60, 1)
"""Seconds of w, d, h, m, s."""
_LONGEST = 100 * 365 * 86400
"""Seconds of 100 years."""


def parse_duration(field: str, value: Any) -> int:
    """Seconds of `90s`, `10m`, `1h30m`, `2d`, `1w`."""
    spelled = parse_text(field, value, "a duration like 10m, 1h30m, 2d")
    found = _DURATION.fullmatch(spelled)
    if not spelled or not found:
        problem = "has no unit" if spelled.isdecimal() else "is not a duration"
        raise invalid(field, value, problem, "a number with s, m, h, d or w: 90s, 10m, 1h30m, 2d")
    seconds = sum(
        int(part) * unit for part, unit in zip(found.groups(), _UNITS, strict=True) if part
    )
    if not 1 <= seconds <= _LONGEST:
        raise invalid(field, value, "is out of range", "a duration from 1 second to 100 years")
    return seconds


def parse_moment(field: str, value: Any) -> str:
    """An RFC 3339 time as a canonical one. A fraction of a second is cut off."""
    spelled = parse_text(field, value, _WANTED)
    found = _MOMENT.fullmatch(spelled)
    if not found:
        problem = "is not a time"
        if _FAR.match(spelled):
            raise invalid(
                field, value, "is past the year 9999", "a time until 9999-12-31T23:59:59Z"
            )
        if spelled[:10].count("-") == 2 and spelled[:4].isdecimal():
            problem = "is not a whole RFC 3339 time with its zone"
        raise invalid(field, value, problem, _WANTED)
    day, clock, zone = found.groups()
    try:
        moment = datetime.fromisoformat(f"{day}T{clock}{'+00:00' if zone in 'Zz' else zone}")
        return time_text(moment.astimezone(UTC))
    except (ValueError, OverflowError):
        raise invalid(field, value, "is not a time that exists", _WANTED) from None


def parse_expiry(field: str, value: Any) -> str:
    """A moment, or a duration counted from now (rounded up to a whole second)."""
    spelled = parse_text(field, value, _WANTED)
    if _DURATION.fullmatch(spelled) or spelled.isdecimal():
        return expiry_after(parse_duration(field, value))
    return parse_moment(field, value)


def parse_since(field: str, value: Any) -> str:
    """A moment, or a duration counted back from now."""
    spelled = parse_text(field, value, _WANTED)
    if "-" not in spelled:
        return time_text(now() - timedelta(seconds=parse_duration(field, spelled)))
    return parse_moment(field, spelled)
