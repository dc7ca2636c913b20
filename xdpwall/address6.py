"""The IPv6 address table of one generation: blocks of 8 bits that end in rows or in leaves."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from . import layout
from .generation import Draft
from .match import Prefix

MAX_BLOCKS = 16384
"""16 MiB a generation. Only thousands of prefixes in pairs, each pair far from the others and long
alike, come here: a single prefix costs a leaf of 40 bytes and no block of its own."""

Placed = tuple[Prefix, int]
"""A prefix and the row of its addresses that no longer one covers."""


class TooManyBlocks(Exception):
    """The table would pass MAX_BLOCKS."""


def table6(d: Draft, first: np.ndarray, placed: Sequence[Placed], outside: int) -> None:
    """Fill the first level and what hangs below it; `outside` is the row of no prefix."""
    limit = len(d.blocks) + MAX_BLOCKS
    _fill(d, first, sorted(placed, key=lambda item: item[0].length), outside, 0, limit)


def _fill(
    d: Draft, table: np.ndarray, placed: Sequence[Placed], inherited: int, done: int, limit: int
) -> None:
    """One table over the bits of the address after the first `done`, of prefixes longer than those
    that agree on them; shorter prefixes first, so that longer ones overwrite them."""
    bits = 8 if done else 16
    table[:] = inherited
    below: dict[int, list[Placed]] = {}
    for prefix, row in placed:
        index = prefix.address >> (128 - done - bits) & ((1 << bits) - 1)
        rest = prefix.length - done
        if rest <= bits:
            table[index : index + (1 << (bits - rest))] = row
        else:
            below.setdefault(index, []).append((prefix, row))
    for index, longer in below.items():
        table[index] = _entry(d, longer, int(table[index]), done + bits, limit)


def _entry(d: Draft, placed: Sequence[Placed], inherited: int, done: int, limit: int) -> int:
    if len(placed) == 1:
        prefix, row = placed[0]
        mask = (1 << 128) - (1 << (128 - prefix.length))
        leaf = prefix.address.to_bytes(16, "big"), mask.to_bytes(16, "big"), row, inherited
        d.leaves.append(leaf)
        return layout.LEAF | (len(d.leaves) - 1)
    if len(d.blocks) >= limit:
        raise TooManyBlocks
    number = len(d.blocks)
    block = np.empty(256, dtype="<u4")
    d.blocks.append(block)
    _fill(d, block, placed, inherited, done, limit)
    return layout.BLOCK | number
