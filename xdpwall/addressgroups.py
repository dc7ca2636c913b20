"""Source and destination addresses: tables of 16 bits, then 8 at a time.

That is DIR-24-8's idea (Gupta, Lin and McKeown, "Routing Lookups in Hardware at Memory Access
Speeds", INFOCOM 1998) with a smaller first level, so that an empty one costs 256 kB and not 64 MB.
For IPv6 a table ends as soon as one prefix is left below it, in a leaf that is compared whole; a
ruleset whose prefixes still need too many blocks has them in longest-prefix tries instead.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from . import layout
from .address6 import TooManyBlocks, table6
from .generation import Draft
from .layout import Used
from .match import Prefix
from .vectors import Prefixes


def addresses(d: Draft) -> None:
    """Both address fields, both families."""
    _address(d, "src", Used.SRC)
    _address(d, "dst", Used.DST)


def _address(d: Draft, name: Literal["src", "dst"], used: Used) -> None:
    users = [
        (i, value) for i, e in enumerate(d.entries) if (value := getattr(e.match, name)) is not None
    ]
    if not users:
        return
    d.used |= used
    f = d.field(lambda m: getattr(m, name) is not None)
    # Rules about the other family need no care here: what() has excluded them.
    for family in (4, 6):
        prefixes, outside = Prefixes(), f.free
        for i, (negated, prefix) in users:
            if prefix.family == family:
                prefixes.add(prefix, 1 << i, negated)
                outside |= (1 << i) if negated else 0
        d.tables[f"{name}{family}_hidden"] = d.rows.add(f.hidden)
        if family == 4:
            _table4(d, d.tables[f"{name}4"], prefixes, outside)
        else:
            _address6(d, name, prefixes, outside)


def _address6(d: Draft, name: str, prefixes: Prefixes, outside: int) -> None:
    row = d.rows.add(outside)
    d.tables[f"{name}6_row"] = row
    placed = [(p, d.rows.add(vector)) for p, vector in prefixes.vectors(outside, 128)]
    blocks, leaves = len(d.blocks), len(d.leaves)
    try:
        table6(d, d.tables[f"{name}6"], placed, row)
    except TooManyBlocks:
        del d.blocks[blocks:], d.leaves[leaves:]
        d.tables[f"{name}6"] = 0
        d.used |= Used.SRC6_TRIE if name == "src" else Used.DST6_TRIE
        trie = d.src6 if name == "src" else d.dst6
        for prefix, row in placed:
            trie[prefix.length, prefix.address.to_bytes(16, "big")] = row


def _table4(d: Draft, first: np.ndarray, prefixes: Prefixes, outside: int) -> None:
    """Fills a 16-8-8 table: shorter prefixes first, so that longer ones overwrite them."""
    first[:] = d.rows.add(outside)
    placed = [(p, d.rows.add(vector)) for p, vector in prefixes.vectors(outside, 32)]
    for prefix, row in sorted(placed, key=lambda item: item[0].length):
        _place(d, first, prefix, row)


def _place(d: Draft, first: np.ndarray, prefix: Prefix, row: int) -> None:
    a, length = prefix.address, prefix.length
    if length <= 16:
        first[a >> 16 : (a >> 16) + (1 << (16 - length))] = row
        return
    second = _block(d, first, a >> 16)
    at = (a >> 8) & 0xFF
    if length <= 24:
        second[at : at + (1 << (24 - length))] = row
        return
    third = _block(d, second, at)
    third[a & 0xFF : (a & 0xFF) + (1 << (32 - length))] = row


def _block(d: Draft, above: np.ndarray, index: int) -> np.ndarray:
    """The block under an entry, made from the entry's row when there is none yet."""
    entry = int(above[index])
    if entry & layout.BLOCK:
        return d.blocks[entry & ~layout.BLOCK]
    block = np.full(256, entry, dtype="<u4")
    above[index] = layout.BLOCK | len(d.blocks)
    d.blocks.append(block)
    return block
