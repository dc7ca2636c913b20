"""One more prefix in the address tables of a generation that is in use elsewhere. Pure."""

from __future__ import annotations

from typing import Literal

import numpy as np

from .address6 import leaf
from .generation import Compiled
from .layout import BLOCK, LEAF, Array

_FLAGS = np.uint32(BLOCK | LEAF)
_NUMBER = ~(BLOCK | LEAF) & 0xFFFFFFFF


def insert(
    g: Compiled, table: str, family: Literal[4, 6], prefix: tuple[int, int], old: int, new: int
) -> None:
    """Addresses in `prefix` that are in row `old`, its parent's, are in row `new` from now on."""
    _Insertion(g, table, family, prefix, old, new).at_level(None, 0)


class _Insertion:
    def __init__(
        self,
        g: Compiled,
        table: str,
        family: Literal[4, 6],
        prefix: tuple[int, int],
        old: int,
        new: int,
    ) -> None:
        self.g, self.table, self.family = g, table, family
        self.address, self.length = prefix
        self.old, self.new = old, new
        self.width = 32 if family == 4 else 128

    def entries(self, block: int | None) -> Array:
        """The entries of a block, of the first level for None; fetched anew after every take()."""
        if block is None:
            self.g.touched.tables.add(self.table)
            found: Array = self.g.tables[self.table]
            return found
        self.g.touched.blocks.add(block)
        found = self.g.blocks.data[block]
        return found

    def at_level(self, block: int | None, done: int) -> None:
        bits = 8 if done else 16
        index = self.address >> (self.width - done - bits) & ((1 << bits) - 1)
        rest = self.length - done
        if rest <= bits:
            self.replace(self.entries(block)[index : index + (1 << (bits - rest))])
            return
        entry = int(self.entries(block)[index])
        if entry & BLOCK:
            below = entry & _NUMBER
        elif self.family == 6 and not entry & LEAF:
            made = leaf(self.g, self.address, self.length, self.new, entry)
            self.entries(block)[index] = made
            return
        else:
            below = self.open(entry, done + bits)
            self.entries(block)[index] = BLOCK | below
        self.at_level(below, done + bits)

    def open(self, entry: int, done: int) -> int:
        """A block in place of a row, or of a leaf, whose prefix moves into it."""
        g = self.g
        number = g.blocks.take()
        block = self.entries(number)
        if not entry & LEAF:
            block[:] = entry
            return number
        found = g.leaves.data[entry & _NUMBER]
        block[:] = found["outside"]
        address = int.from_bytes(found["address"].tobytes(), "big")
        length = int.from_bytes(found["mask"].tobytes(), "big").bit_count()
        index = address >> (self.width - done - 8) & 0xFF
        if length - done <= 8:
            block[index : index + (1 << (8 - (length - done)))] = found["inside"]
        else:
            block[index] = entry
        return number

    def replace(self, entries: Array) -> None:
        """In these entries and in everything below them."""
        g = self.g
        entries[entries == self.old] = self.new
        below = entries[entries & _FLAGS != 0]
        leaves = (below[below & np.uint32(BLOCK) == 0] & np.uint32(_NUMBER)).tolist()
        for number in leaves:
            if g.leaves.data[number]["outside"] == self.old:
                g.leaves.data["outside"][number] = self.new
                g.touched.leaves.add(number)
        for number in (below[below & np.uint32(BLOCK) != 0] & np.uint32(_NUMBER)).tolist():
            self.replace(self.entries(number))
