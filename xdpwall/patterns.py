"""Rules by pattern: which of two fields they leave open. Pure.

A packet of no known source satisfies, by its source, the rules that leave the source open, and by
its destination those that leave that one open: together nearly every word has one of each, though
no rule is both. Summaries of rows are made for each pattern apart, so that such words are passed
over. Any rule may be given any pattern: only speed depends on it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from .columns import ABSENT, Columns
from .layout import PATTERNS, Array

_FEW = 256
"""A field tells rules apart when one in so many names it, and one in so many does not."""


def _address(name: str) -> Callable[[Columns], Array]:
    def named(columns: Columns) -> Array:
        found: Array = _plainly(columns, name) | _plainly(columns, f"{name}_set")
        return found

    return named


def _plainly(columns: Columns, name: str) -> Array:
    """The rules that name the field, and not what it must not be, which most packets satisfy."""
    return np.array([v is not None and not v[0] for v in columns.values(name)], dtype=bool)


_FIELDS: Mapping[str, Callable[[Columns], Array]] = {
    "src": _address("src"),
    "dst": _address("dst"),
    "dport": lambda columns: _plainly(columns, "dport"),
    "sport": lambda columns: _plainly(columns, "sport"),
    "proto": lambda columns: columns.proto != ABSENT,
}


def telling(columns: Columns) -> tuple[str, ...]:
    """The fields that tell a ruleset's rules apart, two at most."""
    few = len(columns) // _FEW
    found = [f for f, named in _FIELDS.items() if few < named(columns).sum() < len(columns) - few]
    return tuple(found[:2])


def patterns_of(columns: Columns, fields: tuple[str, ...]) -> Array:
    """Each rule's pattern, (n,) u8, by the fields that telling() gave."""
    answer = np.zeros(len(columns), dtype="u1")
    for n, field in enumerate(fields):
        answer |= _FIELDS[field](columns).astype("u1") << n
    return answer


def masks(patterns: Array) -> Array:
    """The positions of each pattern, (PATTERNS, positions / 64) u64, of each position's pattern."""
    of = patterns == np.arange(PATTERNS, dtype="u1")[:, None]
    return np.packbits(of, axis=1, bitorder="little").view("<u8")
