"""Text for terminals: control characters escaped, display width, numbers with prefixes."""

from __future__ import annotations

import json
import unicodedata
from datetime import datetime

from xdpwall.values import times


def escape_controls(text: str, *, keep: str = "") -> str:
    """Escape control and format characters: a name must not be able to move the cursor."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        c if c.isprintable() or c in keep else c.encode("unicode_escape").decode() for c in text
    )


def escape_json(text: str) -> str:
    """Escape control and format characters in a JSON document, where json.dumps leaves DEL, C1 and what
    turns the direction of text. They stand within its strings; line ends are its own."""
    if text.isascii() and "\x7f" not in text:
        return text
    return "".join(c if c.isprintable() or c == "\n" else _json_escape(c) for c in text)


def _json_escape(character: str) -> str:
    return "\\u007f" if character == "\x7f" else json.dumps(character)[1:-1]


def display_width(text: str) -> int:
    """Columns of a terminal that the text takes."""
    if text.isascii():
        return len(text)
    wide = sum(unicodedata.east_asian_width(c) in "WF" for c in text)
    return len(text) + wide - sum(unicodedata.combining(c) > 0 for c in text)


def with_prefix(number: int, unit: str = "") -> str:
    """Write 9999 and less in full, more with three digits and k, M, G, T, P, E (powers of 1000)."""
    if abs(number) < 10_000:
        return f"{number}{unit}"
    value = float(number)
    for prefix in ("k", "M", "G", "T", "P", "E"):
        value /= 1000
        if abs(value) < 999.5 or prefix == "E":
            digits = 2 if abs(value) < 9.995 else 1 if abs(value) < 99.95 else 0
            return f"{value:.{digits}f}{prefix}{unit}"
    raise AssertionError("unreachable")


def entry_count(count: int) -> str:
    """Write a count: `1 entry`, `2,500 entries`."""
    return "1 entry" if count == 1 else f"{count:,} entries"


def time_ago(then: str, now: datetime | None = None) -> str:
    """The age of an RFC 3339 time: "3s", "12m", "5h", "9d"; text that is no time unchanged."""
    try:
        moment = datetime.fromisoformat(then)
    except ValueError:
        return then
    seconds = int(((now or times.now()) - moment).total_seconds())
    for size, letter in ((86_400, "d"), (3600, "h"), (60, "m")):
        if seconds >= 2 * size:
            return f"{seconds // size}{letter}"
    return f"{max(seconds, 0)}s"


def time_left(until: str) -> str:
    """The time until an RFC 3339 time, by its two largest units: "9m58s", "0s" when it is over."""
    left = (datetime.fromisoformat(until) - times.now()).total_seconds()
    return times.duration_text(max(0, int(left)))
