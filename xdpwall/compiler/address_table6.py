"""IPv6 prefixes -> a table of 16 bits, then 8 at a time, that ends in leaves as soon as few prefixes
are left below it: leaves are compared whole, one after the other."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from xdpwall import abi
from xdpwall.abi import CHAIN
from xdpwall.values.arrays import Array

from .generation import Compiled

MAX_BLOCKS = 16384
"""16 MiB a generation. Only thousands of prefixes in groups, each far from the others and long
alike, come here: a few prefixes cost a leaf of 40 bytes each and no block of their own."""

Placed = tuple[int, int, int]
"""A prefix's address and length, and the row of its addresses that no longer one covers."""


class TooManyBlocks(Exception):
    """The table would pass MAX_BLOCKS."""


def table6(g: Compiled, first: Array, placed: Sequence[Placed], outside: int) -> None:
    """Fill the first level and what hangs below it; `outside` is the row of no prefix."""
    limit = g.blocks.count + MAX_BLOCKS
    first[:] = _filled(g, sorted(placed, key=lambda item: item[1]), outside, 0, limit)


def leaf(g: Compiled, address: int, length: int, inside: int, outside: int) -> int:
    """A new leaf; the entry that leads to it."""
    number = g.leaves.take()
    g.touched.leaves.add(number)
    mask = (1 << 128) - (1 << (128 - length))
    g.leaves.data[number] = (
        np.frombuffer(address.to_bytes(16, "big"), "u1"),
        np.frombuffer(mask.to_bytes(16, "big"), "u1"),
        inside,
        outside,
    )
    return abi.LEAF | number


def _filled(g: Compiled, placed: Sequence[Placed], inherited: int, done: int, limit: int) -> Array:
    """One table over the bits of the address after the first `done`, of prefixes longer than those
    that agree on them; shorter prefixes first, so that longer ones overwrite them."""
    bits = 8 if done else 16
    table = np.full(1 << bits, inherited, dtype="<u4")
    below: dict[int, list[Placed]] = {}
    for item in placed:
        index = item[0] >> (128 - done - bits) & ((1 << bits) - 1)
        rest = item[1] - done
        if rest <= bits:
            table[index : index + (1 << (bits - rest))] = item[2]
        else:
            below.setdefault(index, []).append(item)
    for index, longer in below.items():
        table[index] = _entry(g, longer, int(table[index]), done + bits, limit)
    return table


def _entry(g: Compiled, placed: Sequence[Placed], inherited: int, done: int, limit: int) -> int:
    if len(placed) <= CHAIN:
        entry = inherited
        for address, length, row in placed:  # the longest last, and so first to be compared
            entry = leaf(g, address, length, row, entry)
        return entry
    if g.blocks.count >= limit:
        raise TooManyBlocks
    number = g.blocks.take()
    block = _filled(g, placed, inherited, done, limit)
    g.blocks.data[number] = block
    return abi.BLOCK | number
