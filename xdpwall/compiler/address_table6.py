"""The lookup tables of IPv6 prefixes: 16 bits of the address, then 8 at a time. Pure.

Where CHAIN prefixes or fewer are left below an entry, it leads to leaves, which are compared one
after the other, the longest prefix first.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from xdpwall import abi
from xdpwall.abi import CHAIN
from xdpwall.values.arrays import Array

from .generation import Generation

MAX_BLOCKS = 16384
"""The blocks of one table: 16 MiB. Few rulesets reach it: it takes thousands of clusters of more than
CHAIN long prefixes, because fewer take a leaf of 40 bytes each and no block of their own."""

PrefixRow = tuple[int, int, int]
"""(address, length, row): the row of the addresses that no longer prefix covers."""


class TooManyBlocks(Exception):
    """The table would take more than MAX_BLOCKS."""


def fill_table6(
    generation: Generation, first: Array, prefixes: Sequence[PrefixRow], outside: int
) -> None:
    """Fill the first level and the blocks and leaves below it. `outside` is the row of addresses that
    no prefix covers. Raises TooManyBlocks."""
    limit = generation.blocks.count + MAX_BLOCKS
    first[:] = _table(generation, sorted(prefixes, key=lambda item: item[1]), outside, 0, limit)


def add_leaf6(generation: Generation, address: int, length: int, inside: int, outside: int) -> int:
    """Add a leaf; returns the entry that leads to it. `inside` is the row of the prefix, `outside` the
    entry for all other addresses."""
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


def _table(
    generation: Generation, prefixes: Sequence[PrefixRow], inherited: int, done: int, limit: int
) -> Array:
    """The entries for the next 16 or 8 bits after the first `done` ones, in which all prefixes agree.
    The prefixes are longer than `done`, the shortest first, so that longer ones overwrite them."""
    bits = 8 if done else 16
    table = np.full(1 << bits, inherited, dtype="<u4")
    below: dict[int, list[PrefixRow]] = {}
    for item in prefixes:
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
    generation: Generation, prefixes: Sequence[PrefixRow], inherited: int, done: int, limit: int
) -> int:
    if len(prefixes) <= CHAIN:
        entry = inherited
        for address, length, row in prefixes:  # the longest is added last, and so compared first
            entry = add_leaf6(generation, address, length, row, entry)
        return entry
    if generation.blocks.count >= limit:
        raise TooManyBlocks
    number = generation.blocks.take()
    block = _table(generation, prefixes, inherited, done, limit)
    generation.blocks.data[number] = block
    return abi.BLOCK | number
