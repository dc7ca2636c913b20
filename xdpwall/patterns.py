"""Rules by pattern: which of two fields they leave open. Pure.

A packet of no known source satisfies, by its source, the rules that leave the source open, and by
its destination those that leave that one open: together nearly every word has one of each, though
no rule is both. Summaries of rows are made for each pattern apart, so that such words are passed
over. Any rule may be given any pattern: only speed depends on it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from .layout import PATTERNS, Array
from .match import Match

_FEW = 256
"""A field tells rules apart when one in so many names it, and one in so many does not."""


def _plainly(field: tuple[bool, Any] | None) -> bool:
    """Does a rule name a field, and not what it must not be, which most packets satisfy?"""
    return field is not None and not field[0]


_FIELDS: Mapping[str, Callable[[Match], bool]] = {
    "src": lambda match: _plainly(match.src) or _plainly(match.src_set),
    "dst": lambda match: _plainly(match.dst) or _plainly(match.dst_set),
    "dport": lambda match: _plainly(match.dport),
    "sport": lambda match: _plainly(match.sport),
    "proto": lambda match: match.proto is not None,
}


def telling(matches: Sequence[Match]) -> tuple[str, ...]:
    """The fields that tell a ruleset's rules apart, two at most."""
    few = len(matches) // _FEW
    found: list[str] = []
    for field, named in _FIELDS.items():
        if len(found) < 2 and few < sum(map(named, matches)) < len(matches) - few:
            found.append(field)
    return tuple(found)


def pattern_of(match: Match, fields: Sequence[str]) -> int:
    """A rule's pattern, by the fields that telling() gave."""
    return sum(_FIELDS[field](match) << n for n, field in enumerate(fields))


def masks(patterns: Array) -> Array:
    """The positions of each pattern, (PATTERNS, positions / 64) u64, of each position's pattern."""
    of = patterns == np.arange(PATTERNS, dtype="u1")[:, None]
    return np.packbits(of, axis=1, bitorder="little").view("<u8")
