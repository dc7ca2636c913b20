"""The pattern of each rule: which of two fields it names. Pure.

Take rules that name either a source or a destination. A packet whose addresses no rule names
satisfies all rules without a source by its source, and all rules without a destination by its
destination. Nearly every word of both rows has such bits, but no rule has its bit in both. So the
summaries of rows are made for each pattern apart: a segment is skipped unless one pattern has a rule
there in every row. A rule may get any pattern: only speed depends on it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from operator import or_

import numpy as np

from xdpwall.abi import PATTERNS
from xdpwall.values.arrays import Array

from .columns import Columns

_FEW = 256
"""A field may define patterns if more than one rule in this many names it, and does not."""


def _names_plainly(columns: Columns, name: str) -> list[bool]:
    """Whether each rule names a value. A negated one counts as none: most packets satisfy it."""
    return [value is not None and not value[0] for value in columns.values(name)]


def _address(name: str) -> Callable[[Columns], list[bool]]:
    def named(columns: Columns) -> list[bool]:
        return [*map(or_, _names_plainly(columns, name), _names_plainly(columns, f"{name}_set"))]

    return named


_FIELDS: Mapping[str, Callable[[Columns], list[bool]]] = {
    "src": _address("src"),
    "dst": _address("dst"),
    "dport": lambda columns: _names_plainly(columns, "dport"),
    "sport": lambda columns: _names_plainly(columns, "sport"),
    "proto": lambda columns: [value is not None for value in columns.values("proto")],
}


def pattern_fields(columns: Columns) -> tuple[str, ...]:
    """The fields that define the patterns of a ruleset, two at most: those that some rules name and
    others do not."""
    few = len(columns) // _FEW
    found = [f for f, named in _FIELDS.items() if few < sum(named(columns)) < len(columns) - few]
    return tuple(found[:2])


def patterns_of(columns: Columns, fields: tuple[str, ...]) -> Array:
    """Each rule's pattern, (n,) u8: bit i says whether it names `fields[i]`."""
    patterns = np.zeros(len(columns), dtype="u1")
    for n, field in enumerate(fields):
        patterns |= np.array(_FIELDS[field](columns), dtype="u1") << n
    return patterns


def pattern_masks(patterns: Array) -> Array:
    """Bit vectors of the positions that have each pattern, (PATTERNS, n / 64) u64, from the pattern
    of each position, (n,) u8."""
    of = patterns == np.arange(PATTERNS, dtype="u1")[:, None]
    return np.packbits(of, axis=1, bitorder="little").view("<u8")
