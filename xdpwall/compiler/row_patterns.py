"""Rules by pattern: which of two fields they leave open. Pure.

A packet of no known source satisfies, by its source, the rules that leave the source open, and by
its destination those that leave that one open: together nearly every word has one of each, though
no rule is both. Summaries of rows are made for each pattern apart, so that such words are passed
over. Any rule may be given any pattern: only speed depends on it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from operator import or_

import numpy as np

from xdpwall.abi import PATTERNS
from xdpwall.values.arrays import Array

from .columns import Columns

_FEW = 256
"""A field tells rules apart when one in so many names it, and one in so many does not."""


def _plainly(columns: Columns, name: str) -> list[bool]:
    """The rules that name the field, and not what it must not be, which most packets satisfy."""
    return [value is not None and not value[0] for value in columns.values(name)]


def _address(name: str) -> Callable[[Columns], list[bool]]:
    def named(columns: Columns) -> list[bool]:
        return [*map(or_, _plainly(columns, name), _plainly(columns, f"{name}_set"))]

    return named


_FIELDS: Mapping[str, Callable[[Columns], list[bool]]] = {
    "src": _address("src"),
    "dst": _address("dst"),
    "dport": lambda columns: _plainly(columns, "dport"),
    "sport": lambda columns: _plainly(columns, "sport"),
    "proto": lambda columns: [value is not None for value in columns.values("proto")],
}


def pattern_fields(columns: Columns) -> tuple[str, ...]:
    """The fields that tell a ruleset's rules apart, two at most."""
    few = len(columns) // _FEW
    found = [f for f, named in _FIELDS.items() if few < sum(named(columns)) < len(columns) - few]
    return tuple(found[:2])


def patterns_of(columns: Columns, fields: tuple[str, ...]) -> Array:
    """Each rule's pattern, (n,) u8, by the fields that telling() gave."""
    answer = np.zeros(len(columns), dtype="u1")
    for n, field in enumerate(fields):
        answer |= np.array(_FIELDS[field](columns), dtype="u1") << n
    return answer


def pattern_masks(patterns: Array) -> Array:
    """The positions of each pattern, (PATTERNS, positions / 64) u64, of each position's pattern."""
    of = patterns == np.arange(PATTERNS, dtype="u1")[:, None]
    return np.packbits(of, axis=1, bitorder="little").view("<u8")
