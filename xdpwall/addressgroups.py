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
from .generation import Draft, SetWorld
from .layout import Feature
from .match import Match, Prefix
from .vectors import Field, Prefixes

_FEATURES = {
    ("src", 4): Feature.SRC4,
    ("src", 6): Feature.SRC6,
    ("dst", 4): Feature.DST4,
    ("dst", 6): Feature.DST6,
}


def addresses(d: Draft, world: SetWorld) -> None:
    """Both address fields, both families, and the classes of the sets."""
    d.class_rows = np.zeros(max(world.classes, default=0) + 1, dtype=layout.CLASS_ROWS)
    for name in ("src", "dst"):
        f = d.field(
            lambda m, name=name: getattr(m, name) is not None or _set_of(m, name) is not None  # type: ignore[misc]
        )
        _sets(d, name, f, world)
        if f.users:
            d.tables[f"{name}_hidden"] = d.rows.add(f.hidden)
        for family in (4, 6):
            _prefixes(d, name, family, f.free)


def _set_of(m: Match, name: str) -> tuple[bool, str] | None:
    found: tuple[bool, str] | None = getattr(m, f"{name}_set")
    return found


def _sets(d: Draft, name: str, f: Field, world: SetWorld) -> None:
    """The rows of classes: the rules that name one of its sets, negated or not."""
    naming: dict[int, int] = {}
    negated = 0
    for i, e in enumerate(d.entries):
        if (value := _set_of(e.match, name)) is not None:
            number = world.numbers[value[1]]
            naming[number] = naming.get(number, 0) | 1 << i
            negated |= value[0] << i
    d.class_rows[name] = d.rows.add(f.free)
    if not naming:
        return
    d.features |= Feature.SRC_SET if name == "src" else Feature.DST_SET
    if negated:
        d.features |= Feature.NEGATED_SET
        d.tables[f"{name}_negated"] = d.rows.add(negated)
    if world.timed:
        d.features |= Feature.TIMED_SET
    for number, members in world.classes.items():
        vector = f.free
        for member in members:
            vector |= naming.get(member, 0)
        d.class_rows[name][number] = d.rows.add(vector)


def _prefixes(d: Draft, name: Literal["src", "dst"], family: int, free: int) -> None:
    # Rules about the other family need no care here: what() has excluded them.
    prefixes, outside = Prefixes(), free
    for i, e in enumerate(d.entries):
        value = getattr(e.match, name)
        if value is not None and value[1].family == family:
            prefixes.add(value[1], 1 << i, value[0])
            outside |= (1 << i) if value[0] else 0
    if not prefixes.on and not prefixes.off:
        # Where only sets are named, a program that looks here finds those that name nothing.
        d.tables[f"{name}{family}"] = d.tables[f"{name}6_row"] = d.rows.add(outside)
        return
    d.features |= _FEATURES[name, family]
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
        d.features |= Feature.TRIES
        d.tables["tries"] |= layout.SRC6_TRIE if name == "src" else layout.DST6_TRIE
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
