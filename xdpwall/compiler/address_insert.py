"""Insert one prefix into the address tables of a compiled generation. Pure."""

from __future__ import annotations

from typing import Literal

import numpy as np

from xdpwall.abi import BLOCK, CHAIN, LEAF
from xdpwall.values.arrays import Array

from .address_table4 import add_leaf4
from .address_table6 import add_leaf6
from .arrays import Pool
from .generation import Generation

_FLAGS = np.uint32(BLOCK | LEAF)
_NUMBER = ~(BLOCK | LEAF) & 0xFFFFFFFF


def insert_prefix(
    generation: Generation,
    table: str,
    family: Literal[4, 6],
    prefix: tuple[int, int],
    old: int,
    new: int,
) -> None:
    """Point every table entry inside `prefix` from its parent prefix's row `old` to row `new`.

    `table` is a field of abi.TABLES (src4, dst6, ...), `prefix` is (address, length).
    """
    _Insertion(generation, table, family, prefix, old, new).at_level(None, 0)


class _Insertion:
    """The arguments of insert_prefix(), and its steps."""

    def __init__(
        self,
        generation: Generation,
        table: str,
        family: Literal[4, 6],
        prefix: tuple[int, int],
        old: int,
        new: int,
    ) -> None:
        self.generation, self.table, self.family = generation, table, family
        self.address, self.length = prefix
        self.old, self.new = old, new
        self.width = 32 if family == 4 else 128

    def entries(self, block: int | None) -> Array:
        """The entries of a block, or of the first level for None. A take() may leave them stale."""
        if block is None:
            self.generation.touched.tables.add(self.table)
            found: Array = self.generation.tables[self.table]
            return found
        self.generation.touched.blocks.add(block)
        found = self.generation.blocks.data[block]
        return found

    def leaves(self) -> Pool:
        """The leaves of the prefix's family."""
        return self.generation.leaves4 if self.family == 4 else self.generation.leaves

    def at_level(self, block: int | None, done: int) -> None:
        """Insert at one level of the tables, below which `done` bits of the address have led."""
        bits = 8 if done else 16
        index = self.address >> (self.width - done - bits) & ((1 << bits) - 1)
        rest = self.length - done
        if rest <= bits:
            self.replace_row(self.entries(block)[index : index + (1 << (bits - rest))])
            return
        entry = int(self.entries(block)[index])
        if entry & BLOCK:
            below = entry & _NUMBER
        else:
            chain, _ = self.chain(entry)
            if len(chain) < CHAIN:
                self.insert_leaf(block, index, chain)
                return
            below = self.replace_by_block(entry, done + bits)
            self.entries(block)[index] = BLOCK | below
        self.at_level(below, done + bits)

    def chain(self, entry: int) -> tuple[list[int], int]:
        """The leaves that an entry leads to, in order, and the row after the last one."""
        leaves: list[int] = []
        while entry & LEAF:
            leaves.append(entry & _NUMBER)
            entry = int(self.leaves().data["outside"][leaves[-1]])
        return leaves, entry

    def prefix_of(self, leaf: int) -> tuple[int, int]:
        """The (address, length) of a leaf."""
        found = self.leaves().data[leaf]
        if self.family == 4:
            return int(found["address"]), int(found["mask"]).bit_count()
        length = int.from_bytes(found["mask"].tobytes(), "big").bit_count()
        return int.from_bytes(found["address"].tobytes(), "big"), length

    def set_outside(self, leaf: int, outside: int) -> None:
        """Set the entry that a leaf has for addresses outside its prefix."""
        self.leaves().data["outside"][leaf] = outside
        touched = self.generation.touched
        (touched.leaves4 if self.family == 4 else touched.leaves).add(leaf)

    def insert_leaf(self, block: int | None, index: int, chain: list[int]) -> None:
        """Add a leaf to the chain of an entry, after those of longer prefixes."""
        at = sum(self.prefix_of(leaf)[1] > self.length for leaf in chain)
        before = int(self.entries(block)[index])
        if at:
            before = int(self.leaves().data["outside"][chain[at - 1]])
        make = add_leaf4 if self.family == 4 else add_leaf6
        made = make(self.generation, self.address, self.length, self.new, before)
        if at:
            self.set_outside(chain[at - 1], made)
        else:
            self.entries(block)[index] = made

    def replace_by_block(self, entry: int, done: int) -> int:
        """Make a block in place of an entry that is a row or a chain of leaves, and move the leaves into
        it; returns its number."""
        chain, row = self.chain(entry)
        number = self.generation.blocks.take()
        block = self.entries(number)
        block[:] = row
        for found in reversed(chain):
            address, length = self.prefix_of(found)
            index = address >> (self.width - done - 8) & 0xFF
            if length - done <= 8:
                inside = self.leaves().data["inside"][found]
                block[index : index + (1 << (8 - (length - done)))] = inside
            else:
                self.set_outside(found, int(block[index]))
                block[index] = LEAF | found
        return number

    def replace_row(self, entries: Array) -> None:
        """Replace row `old` by `new` in these entries and everything below them."""
        entries[entries == self.old] = self.new
        below = entries[entries & _FLAGS != 0]
        for entry in below[below & np.uint32(BLOCK) == 0].tolist():
            leaves, row = self.chain(entry)
            if row == self.old:
                self.set_outside(leaves[-1], self.new)
        for number in (below[below & np.uint32(BLOCK) != 0] & np.uint32(_NUMBER)).tolist():
            self.replace_row(self.entries(number))
