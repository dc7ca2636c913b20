"""Ranges of numbers: sorted, merged, as ports are written."""

from __future__ import annotations

import re
from typing import Any

from .inputs import did_you_mean, invalid, split_negation
from .services import SERVICE_PORTS

Ranges = tuple[tuple[int, int], ...]
"""Sorted, disjoint, non-adjacent inclusive ranges."""

NUMBER_RANGE = re.compile(r"(0|[1-9][0-9]{0,4})(?:-(0|[1-9][0-9]{0,4}))?", re.ASCII)
_PORTS = "a port, a range or a list: 80 or 8000-8100 or ssh,443,8000-8100 (0 to 65535)"


def parse_ranges(field: str, value: Any) -> tuple[bool, Ranges]:
    """(negated, sorted and merged ranges) of a port field; a service's name is its port."""
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value) if 0 <= value <= 65535 else _raise_port(field, value)
    if not isinstance(value, str):
        raise invalid(field, value, "is not a port", _PORTS)
    negated, body = split_negation(value)
    found = []
    for part in body.split(","):
        text = part.strip()
        match = NUMBER_RANGE.fullmatch(text)
        if not match:
            if (port := SERVICE_PORTS.get(text)) is not None:
                found.append((port, port))
                continue
            problem = "is not a port" if "," not in body else f"holds {text[:20]!r}"
            raise invalid(field, value, problem, _PORTS, hint=_port_hint(text))
        low, high = int(match[1]), int(match[2] or match[1])
        if low > 65535 or high > 65535:
            _raise_port(field, value)
        if low > high:
            raise invalid(field, value, f"holds a range that runs backwards, {low}-{high}", _PORTS)
        found.append((low, high))
    return negated, _merged(found)


def _port_hint(text: str) -> str | None:
    if text in ("any", "all", "*", ""):
        return "what a rule does not name is any: leave the ports out"
    if text[:1] in "{[(" or text[-1:] in "}])":
        return "a list has no brackets: 80,443"
    if re.fullmatch(r"\d+(:|\.\.|–)\d+", text):
        return f"a range has a dash: {'-'.join(re.split('[^0-9]+', text))}"
    if "/" in text:
        return (
            "one / stands between protocol and ports; what follows is a word by itself: tcp/22 in"
        )
    if not text[:1].isalpha():
        return None
    return did_you_mean(text, SERVICE_PORTS) or "of services only the usual ones have a name here"


def _raise_port(field: str, value: object) -> str:
    raise invalid(field, value, "is out of range", _PORTS)


def _merged(ranges: list[tuple[int, int]]) -> Ranges:
    if len(ranges) == 1:
        return (ranges[0],)
    merged: list[tuple[int, int]] = []
    for low, high in sorted(ranges):
        if merged and low <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(high, merged[-1][1]))
        else:
            merged.append((low, high))
    return tuple(merged)


def range_text(low: int, high: int) -> str:
    return str(low) if low == high else f"{low}-{high}"
