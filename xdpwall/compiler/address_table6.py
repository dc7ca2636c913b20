"""IPv6 prefixes -> a table of 16 bits, then 8 at a time, that ends in leaves as soon as few prefixes
are left below it: leaves are compared whole, one after the other."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from xdpwall import abi
from xdpwall.abi import CHAIN
from xdpwall.values.arrays import Array

from .generation import Generation

MAX_BLOCKS = 16384
"""16 MiB a generation. Only thousands of prefixes in groups, each far from the others and long
alike, come here: a few prefixes cost a leaf of 40 bytes each and no block of their own."""

PrefixRow = tuple[int, int, int]
"""A prefix's address and length, and the row of its addresses that no longer one covers."""


class TooManyBlocks(Exception):
    """The table would pass MAX_BLOCKS."""


def fill_table6(
    generation: Generation, first: Array, placed: Sequence[PrefixRow], outside: int
) -> None:
    """Fill the first level and what hangs below it; `outside` is the row of no prefix."""
    limit = generation.blocks.count + MAX_BLOCKS
    first[:] = _filled(generation, sorted(placed, key=lambda item: item[1]), outside, 0, limit)


def add_leaf6(generation: Generation, address: int, length: int, inside: int, outside: int) -> int:
    """A new leaf; the entry that leads to it."""
    number = generation.leaves.take()
    generation.touched.leaves.add(number)
    mask = (1 << 128) - (1 << (128 - length))
    generation.leaves.data[number] = (
        np.frombuffer(address.to_bytes(16, "big"), "u1"),
        np.frombuffer(mask.to_bytes(16, "big"), "u1"),
        inside,
        outside,
    )
    return abi.LEAF | number


def _filled(
    generation: Generation, placed: Sequence[PrefixRow], inherited: int, done: int, limit: int
) -> Array:
    """One table over the bits of the address after the first `done`, of prefixes longer than those
    that agree on them; shorter prefixes first, so that longer ones overwrite them."""
    bits = 8 if done else 16
    table = np.full(1 << bits, inherited, dtype="<u4")
    below: dict[int, list[PrefixRow]] = {}
    for item in placed:
        index = item[0] >> (128 - done - bits) & ((1 << bits) - 1)
        rest = item[1] - done
        if rest <= bits:
            table[index : index + (1 << (bits - rest))] = item[2]
        else:
            below.setdefault(index, []).append(item)
    for index, longer in below.items():
        table[index] = _entry(generation, longer, int(table[index]), done + bits, limit)
    return table


def _entry(
    generation: Generation, placed: Sequence[PrefixRow], inherited: int, done: int, limit: int
) -> int:
    if len(placed) <= CHAIN:
        entry = inherited
        for address, length, row in placed:  # the longest last, and so first to be compared
            entry = add_leaf6(generation, address, length, row, entry)
        return entry
    if generation.blocks.count >= limit:
        raise TooManyBlocks
    number = generation.blocks.take()
    block = _filled(generation, placed, inherited, done, limit)
    generation.blocks.data[number] = block
    return abi.BLOCK | number
