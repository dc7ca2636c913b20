"""Text that a terminal can take: no control characters, known width, numbers with units."""

from __future__ import annotations

import unicodedata
from datetime import UTC, datetime


def clean(text: str, *, keep: str = "") -> str:
    """Control and format characters as escapes: a name must not be able to move the cursor."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        c if c.isprintable() or c in keep else c.encode("unicode_escape").decode() for c in text
    )


def width(text: str) -> int:
    """Columns that the text takes."""
    if text.isascii():
        return len(text)
    wide = sum(unicodedata.east_asian_width(c) in "WF" for c in text)
    return len(text) + wide - sum(unicodedata.combining(c) > 0 for c in text)


def human(number: int, unit: str = "") -> str:
    """9999 and less in full, then three digits and k, M, G, T, P, E (powers of 1000)."""
    if abs(number) < 10_000:
        return f"{number}{unit}"
    value = float(number)
    for prefix in ("k", "M", "G", "T", "P", "E"):
        value /= 1000
        if abs(value) < 999.5 or prefix == "E":
            digits = 2 if abs(value) < 9.995 else 1 if abs(value) < 99.95 else 0
            return f"{value:.{digits}f}{prefix}{unit}"
    raise AssertionError("unreachable")


def entries(count: int) -> str:
    """As `1 entry` or `2,500 entries`."""
    return "1 entry" if count == 1 else f"{count:,} entries"


def ago(then: str, now: datetime | None = None) -> str:
    """How long an RFC 3339 moment lies back: "3s", "12m", "5h", "9d"; unreadable text as it is."""
    try:
        moment = datetime.fromisoformat(then)
    except ValueError:
        return then
    seconds = int(((now or datetime.now(UTC)) - moment).total_seconds())
    for size, letter in ((86_400, "d"), (3600, "h"), (60, "m")):
        if seconds >= 2 * size:
            return f"{seconds // size}{letter}"
    return f"{max(seconds, 0)}s"
