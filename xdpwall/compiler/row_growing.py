"""Convert the kernel's rows to the form that larger maps need. Pure.

Larger maps are filled with the active generation, which another process may have compiled: the
kernel's maps are all there is of it.
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
    """(rows, whole rows) for `new.positions`, which are at least `old.positions`, with the same row
    numbers. There may be more whole rows than before.

    `tables` is the generation's abi.TABLES. The patterns of the rules are not known. Only speed
    depends on them, so that plain rows are summarized as if all rules had the same.
    """
    if old.positions == new.positions:
        return rows, whole
    if old.packed:
        return _widen_packed(rows, whole, new)
    words = np.zeros((len(rows), new.positions // 64), dtype="<u8")
    words[:, : old.positions // 64] = rows[:, int(old.positions > 64) :]
    patterns = np.zeros((PATTERNS, new.positions // 64), dtype="<u8")
    patterns[0] = ~np.uint64(0)
    if not new.packed:
        return PlainRows(words, new, patterns).rows.data, words[:0]
    packed = PackedRows(words, new, patterns, _first_packed(tables))
    return packed.rows.data, packed.whole.data


def _first_packed(tables: Array) -> list[int]:
    """The first row of the ports' and addresses' groups, which are packed and follow all others; none
    if no rule names these fields."""
    fields = ("sport_row", "dport_row", "src_hidden", "dst_hidden")
    return sorted({int(tables[field]) for field in fields} - {NEUTRAL_ROW})[:1]


def _widen_packed(rows: Array, whole: Array, new: Sizes) -> tuple[Array, Array]:
    """Packed rows with longer segments. If a segment has any bit, every pattern is said to have one
    there: a summary may say too much, never too little."""
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
