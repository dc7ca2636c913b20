"""The kernel's rows of one size in the form of a larger one. Pure.

Bigger maps are filled with the ruleset in force, which another process may have compiled: all there
is of it is what the kernel has.
"""

from __future__ import annotations

import numpy as np

from xdpwall.abi import PATTERNS
from xdpwall.values.arrays import Array

from .generation import NEUTRAL_ROW
from .row_packing import PackedRows, PlainRows
from .sizes import Sizes


def grow_rows(
    rows: Array, whole: Array, tables: Array, old: Sizes, new: Sizes
) -> tuple[Array, Array]:
    """(rows, whole rows) for as many positions or more. The whole rows may be more than there were.

    `tables` are the generation's. The patterns of rules are not known, and nothing but speed depends
    on them: where rows change their form, all rules have the same.
    """
    if old.positions == new.positions:
        return rows, whole
    if old.packed:
        return _wider(rows, whole, new)
    words = np.zeros((len(rows), new.positions // 64), dtype="<u8")
    words[:, : old.positions // 64] = rows[:, int(old.positions > 64) :]
    patterns = np.zeros((PATTERNS, new.positions // 64), dtype="<u8")
    patterns[0] = ~np.uint64(0)
    if not new.packed:
        return PlainRows(words, new, patterns).rows.data, words[:0]
    packed = PackedRows(words, new, patterns, _alike(tables))
    return packed.rows.data, packed.whole.data


def _alike(tables: Array) -> list[int]:
    """Where the rows of ports and addresses begin, which are behind all others."""
    fields = ("sport_row", "dport_row", "src_hidden", "dst_hidden")
    return sorted({int(tables[field]) for field in fields} - {NEUTRAL_ROW})[:1]


def _wider(rows: Array, whole: Array, new: Sizes) -> tuple[Array, Array]:
    """Packed rows. A segment has more words now: where one pattern or the other had rules, all are
    said to have some."""
    wider = rows.copy()
    some: Array = rows["aggregates"].copy().view("u1")
    bits = np.unpackbits(some, axis=1, bitorder="little", count=new.positions // 64)
    segments = np.zeros((len(rows), 64), dtype=bool)
    in_use = bits.reshape(len(rows), -1, new.segment_words).any(axis=2)
    segments[:, : in_use.shape[1]] = in_use
    wider["segments"] = np.packbits(segments, axis=1, bitorder="little").view("<u8")
    there = np.zeros((len(whole), new.positions // 64), dtype="<u8")
    there[:, : whole.shape[1]] = whole
    return wider, there
