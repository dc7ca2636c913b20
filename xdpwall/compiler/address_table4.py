"""The lookup tables of IPv4 prefixes: 16 bits of the address, then 8 at a time. Pure.

An entry is a row, a block for the next 8 bits, or a leaf: where CHAIN prefixes or fewer are left,
each is compared by itself and takes 16 bytes, instead of a cache line of a block of its own.

The idea is that of DIR-24-8 (Gupta, Lin and McKeown, "Routing Lookups in Hardware at Memory Access
Speeds", INFOCOM 1998), with a smaller first level: an empty one takes 256 kB and not 64 MB.
"""

from __future__ import annotations

import numpy as np

from xdpwall.abi import BLOCK, CHAIN, LEAF
from xdpwall.values.arrays import Array, sorted_unique

from .generation import Generation

_NUMBER = np.uint32(~BLOCK & 0xFFFFFFFF)
_MASKS = np.array([(1 << 32) - (1 << (32 - n)) for n in range(33)], dtype=np.uint32)
"""The mask of each length."""


def fill_table4(
    generation: Generation, first: Array, address: Array, length: Array, rows: Array
) -> None:
    """Fill the first level and the blocks and leaves below it.

    `first` is full of the row of addresses that no prefix covers. The prefixes are int64 arrays, (n,)
    each, with their rows. All prefixes of a length are written at once, the shortest first, so that
    longer ones overwrite them.
    """
    for n in range(17):
        for number in np.flatnonzero(length == n).tolist():
            low = int(address[number]) >> 16
            first[low : low + (1 << (16 - n))] = rows[number]
    deep = np.flatnonzero(length > 16)
    deep = deep[
        _add_leaves(generation, first, address[deep] >> 16, address[deep], length[deep], rows[deep])
    ]
    address, length, rows = address[deep], length[deep], rows[deep]
    top = sorted_unique(address >> 16)
    first[top] = _to_blocks(generation, first[top])
    above = _entry_index(first[address >> 16], address >> 8)
    for n in range(17, 25):
        chosen = length == n
        _fill_runs(generation, above[chosen], 24 - n, rows[chosen])
    deep = np.flatnonzero(length > 24)
    flat = generation.blocks.data.reshape(-1)
    deep = deep[_add_leaves(generation, flat, above[deep], address[deep], length[deep], rows[deep])]
    address, length, rows, above = address[deep], length[deep], rows[deep], above[deep]
    slots = sorted_unique(above)
    opened = _to_blocks(generation, flat[slots])
    flat = generation.blocks.data.reshape(-1)
    flat[slots] = opened
    at = _entry_index(flat[above], address)
    for n in range(25, 33):
        chosen = length == n
        _fill_runs(generation, at[chosen], 32 - n, rows[chosen])


def add_leaf4(generation: Generation, address: int, length: int, inside: int, outside: int) -> int:
    """Add a leaf; returns the entry that leads to it. `inside` is the row of the prefix, `outside` the
    entry for all other addresses."""
    number = generation.leaves4.take()
    generation.touched.leaves4.add(number)
    generation.leaves4.data[number] = (address, _MASKS[length], inside, outside)
    return LEAF | number


def _add_leaves(
    generation: Generation, entries: Array, at: Array, address: Array, length: Array, rows: Array
) -> Array:
    """Add leaves for the prefixes whose entry, `entries[at]`, has CHAIN of them or fewer below it;
    returns the indexes of the others.

    The leaves of an entry are neighbours, in one cache line, with the longest prefix first.
    """
    _, which, count = np.unique(at, return_inverse=True, return_counts=True)
    which = which.ravel()
    few = np.flatnonzero(count[which] <= CHAIN)
    room = 1 << np.ceil(np.log2(count)).astype(np.int64)  # 3 take 4
    # The largest first, so that none crosses a line.
    order = np.argsort(-np.where(count <= CHAIN, room, 0), kind="stable")
    taken = np.where(count <= CHAIN, room, 0)[order]
    begins = np.empty_like(count)
    begins[order] = np.cumsum(taken) - taken
    generation.leaves4.take(-generation.leaves4.count % CHAIN)
    first = generation.leaves4.take(int(taken.sum()))
    few = few[np.lexsort((-length[few], which[few]))]
    of = which[few]
    rank = np.arange(len(few)) - np.searchsorted(of, of)
    number = first + begins[of] + rank
    last = rank == count[of] - 1
    made = generation.leaves4.data
    made["address"][number], made["mask"][number] = address[few], _MASKS[length[few]]
    made["inside"][number] = rows[few]
    made["outside"][number] = np.where(last, entries[at[few]], (number + 1) | LEAF)
    entries[at[few[rank == 0]]] = number[rank == 0] | LEAF
    return np.flatnonzero(count[which] > CHAIN)


def _entry_index(entries: Array, bits: Array) -> Array:
    """The indexes into all blocks' entries, as one flat array, to which the next 8 bits lead."""
    return (entries & _NUMBER).astype(np.int64) * 256 + (bits & 0xFF)


def _to_blocks(generation: Generation, entries: Array) -> Array:
    """Entries that are all blocks: an entry that is a row becomes a new block full of it."""
    plain = np.flatnonzero(entries & np.uint32(BLOCK) == 0)
    first = generation.blocks.take(len(plain))
    generation.blocks.data[first:] = entries[plain][:, None]
    blocks = entries.copy()
    blocks[plain] = np.arange(first, first + len(plain), dtype="<u4") | np.uint32(BLOCK)
    return blocks


def _fill_runs(generation: Generation, at: Array, bits: int, rows: Array) -> None:
    """Set 2**bits entries from each index `at` on to the row of the same index."""
    flat = generation.blocks.data.reshape(-1)
    flat[(at[:, None] + np.arange(1 << bits)).ravel()] = np.repeat(rows, 1 << bits)
