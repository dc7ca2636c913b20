"""IPv4 prefixes -> a table of 16 bits, then 8 at a time, whose entries are rows.

That is DIR-24-8's idea (Gupta, Lin and McKeown, "Routing Lookups in Hardware at Memory Access
Speeds", INFOCOM 1998) with a smaller first level, so that an empty one costs 256 kB and not 64 MB.
"""

from __future__ import annotations

import numpy as np

from .generation import Compiled
from .layout import BLOCK, Array

_NUMBER = np.uint32(~BLOCK & 0xFFFFFFFF)


def table4(g: Compiled, first: Array, address: Array, length: Array, rows: Array) -> None:
    """Fill what is below `first`, which holds the row of no prefix; int64 arrays of equal length.

    By ascending length, so that longer prefixes overwrite shorter ones: all of one length at once.
    """
    for n in range(17):
        for at in np.flatnonzero(length == n).tolist():
            low = int(address[at]) >> 16
            first[low : low + (1 << (16 - n))] = rows[at]
    deep = length > 16
    top = np.unique(address[deep] >> 16)
    first[top] = _opened(g, first[top])
    for n in range(17, 25):
        chosen = length == n
        _spread(g, _below(first[address[chosen] >> 16], address[chosen] >> 8), 24 - n, rows[chosen])
    deep = length > 24
    above = _below(first[address[deep] >> 16], address[deep] >> 8)
    slots = np.unique(above)
    opened = _opened(g, g.blocks.data.reshape(-1)[slots])
    flat = g.blocks.data.reshape(-1)
    flat[slots] = opened
    for n in range(25, 33):
        of = length[deep] == n
        _spread(g, _below(flat[above[of]], address[deep][of]), 32 - n, rows[deep][of])


def _below(entries: Array, bits: Array) -> Array:
    """Where, among all blocks' entries, the next 8 bits lead."""
    return (entries & _NUMBER).astype(np.int64) * 256 + (bits & 0xFF)


def _opened(g: Compiled, entries: Array) -> Array:
    """Entries that are blocks: new ones, full of the row that was there, for those that are not."""
    plain = np.flatnonzero(entries & np.uint32(BLOCK) == 0)
    first = g.blocks.take(len(plain))
    g.blocks.data[first:] = entries[plain][:, None]
    answer = entries.copy()
    answer[plain] = np.arange(first, first + len(plain), dtype="<u4") | np.uint32(BLOCK)
    return answer


def _spread(g: Compiled, at: Array, bits: int, rows: Array) -> None:
    """2**bits entries from each place on."""
    flat = g.blocks.data.reshape(-1)
    flat[(at[:, None] + np.arange(1 << bits)).ravel()] = np.repeat(rows, 1 << bits)
