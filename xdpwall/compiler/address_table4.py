"""IPv4 prefixes -> a table of 16 bits, then 8 at a time, whose entries are rows, or leaves where
few prefixes are left: 16 bytes of the cache for each instead of a line of a block of its own.

That is DIR-24-8's idea (Gupta, Lin and McKeown, "Routing Lookups in Hardware at Memory Access
Speeds", INFOCOM 1998) with a smaller first level, so that an empty one costs 256 kB and not 64 MB.
"""

from __future__ import annotations

import numpy as np

from xdpwall.abi import BLOCK, CHAIN, LEAF
from xdpwall.values.arrays import Array, once

from .generation import Generation

_NUMBER = np.uint32(~BLOCK & 0xFFFFFFFF)
_MASKS = np.array([(1 << 32) - (1 << (32 - n)) for n in range(33)], dtype=np.uint32)
"""The mask of each length."""


def fill_table4(
    generation: Generation, first: Array, address: Array, length: Array, rows: Array
) -> None:
    """Fill what is below `first`, which holds the row of no prefix; int64 arrays of equal length.

    By ascending length, so that longer prefixes overwrite shorter ones: all of one length at once.
    """
    for n in range(17):
        for number in np.flatnonzero(length == n).tolist():
            low = int(address[number]) >> 16
            first[low : low + (1 << (16 - n))] = rows[number]
    deep = np.flatnonzero(length > 16)
    deep = deep[
        _leave(generation, first, address[deep] >> 16, address[deep], length[deep], rows[deep])
    ]
    address, length, rows = address[deep], length[deep], rows[deep]
    top = once(address >> 16)
    first[top] = _opened(generation, first[top])
    above = _below(first[address >> 16], address >> 8)
    for n in range(17, 25):
        chosen = length == n
        _spread(generation, above[chosen], 24 - n, rows[chosen])
    deep = np.flatnonzero(length > 24)
    flat = generation.blocks.data.reshape(-1)
    deep = deep[_leave(generation, flat, above[deep], address[deep], length[deep], rows[deep])]
    address, length, rows, above = address[deep], length[deep], rows[deep], above[deep]
    slots = once(above)
    opened = _opened(generation, flat[slots])
    flat = generation.blocks.data.reshape(-1)
    flat[slots] = opened
    at = _below(flat[above], address)
    for n in range(25, 33):
        chosen = length == n
        _spread(generation, at[chosen], 32 - n, rows[chosen])


def add_leaf4(generation: Generation, address: int, length: int, inside: int, outside: int) -> int:
    """A new leaf; the entry that leads to it."""
    number = generation.leaves4.take()
    generation.touched.leaves4.add(number)
    generation.leaves4.data[number] = (address, _MASKS[length], inside, outside)
    return LEAF | number


def _leave(
    generation: Generation, entries: Array, at: Array, address: Array, length: Array, rows: Array
) -> Array:
    """Leaves for the prefixes that are CHAIN or fewer below their place in `entries`; which are
    more.

    Leaves of one place stand side by side, in one cache line, the longest first.
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


def _below(entries: Array, bits: Array) -> Array:
    """Where, among all blocks' entries, the next 8 bits lead."""
    return (entries & _NUMBER).astype(np.int64) * 256 + (bits & 0xFF)


def _opened(generation: Generation, entries: Array) -> Array:
    """Entries that are blocks: new ones, full of the row that was there, for those that are not."""
    plain = np.flatnonzero(entries & np.uint32(BLOCK) == 0)
    first = generation.blocks.take(len(plain))
    generation.blocks.data[first:] = entries[plain][:, None]
    answer = entries.copy()
    answer[plain] = np.arange(first, first + len(plain), dtype="<u4") | np.uint32(BLOCK)
    return answer


def _spread(generation: Generation, at: Array, bits: int, rows: Array) -> None:
    """2**bits entries from each place on."""
    flat = generation.blocks.data.reshape(-1)
    flat[(at[:, None] + np.arange(1 << bits)).ravel()] = np.repeat(rows, 1 << bits)
