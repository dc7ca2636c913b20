"""One more prefix in the address tables of a generation that is in use elsewhere. Pure."""

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
    """Addresses in `prefix` that are in row `old`, its parent's, are in row `new` from now on."""
    _Insertion(generation, table, family, prefix, old, new).at_level(None, 0)


class _Insertion:
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
        """The entries of a block, of the first level for None; fetched anew after every take()."""
        if block is None:
            self.generation.touched.tables.add(self.table)
            found: Array = self.generation.tables[self.table]
            return found
        self.generation.touched.blocks.add(block)
        found = self.generation.blocks.data[block]
        return found

    def leaves(self) -> Pool:
        """Of the prefix's family."""
        return self.generation.leaves4 if self.family == 4 else self.generation.leaves

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
        else:
            chain, _ = self.chain(entry)
            if len(chain) < CHAIN:
                self.link(block, index, chain)
                return
            below = self.open(entry, done + bits)
            self.entries(block)[index] = BLOCK | below
        self.at_level(below, done + bits)

    def chain(self, entry: int) -> tuple[list[int], int]:
        """The leaves that an entry leads to, one after the other, and the row behind them."""
        leaves: list[int] = []
        while entry & LEAF:
            leaves.append(entry & _NUMBER)
            entry = int(self.leaves().data["outside"][leaves[-1]])
        return leaves, entry

    def prefix_of(self, leaf: int) -> tuple[int, int]:
        """(address, length)"""
        found = self.leaves().data[leaf]
        if self.family == 4:
            return int(found["address"]), int(found["mask"]).bit_count()
        length = int.from_bytes(found["mask"].tobytes(), "big").bit_count()
        return int.from_bytes(found["address"].tobytes(), "big"), length

    def lead(self, leaf: int, outside: int) -> None:
        """Where a leaf leads addresses that are not its own."""
        self.leaves().data["outside"][leaf] = outside
        touched = self.generation.touched
        (touched.leaves4 if self.family == 4 else touched.leaves).add(leaf)

    def link(self, block: int | None, index: int, chain: list[int]) -> None:
        """A leaf more, behind those of longer prefixes."""
        at = sum(self.prefix_of(leaf)[1] > self.length for leaf in chain)
        before = int(self.entries(block)[index])
        if at:
            before = int(self.leaves().data["outside"][chain[at - 1]])
        make = add_leaf4 if self.family == 4 else add_leaf6
        made = make(self.generation, self.address, self.length, self.new, before)
        if at:
            self.lead(chain[at - 1], made)
        else:
            self.entries(block)[index] = made

    def open(self, entry: int, done: int) -> int:
        """A block in place of leaves, or of a row; the leaves' prefixes move into it."""
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
                self.lead(found, int(block[index]))
                block[index] = LEAF | found
        return number

    def replace(self, entries: Array) -> None:
        """In these entries and in everything below them."""
        entries[entries == self.old] = self.new
        below = entries[entries & _FLAGS != 0]
        for entry in below[below & np.uint32(BLOCK) == 0].tolist():
            leaves, row = self.chain(entry)
            if row == self.old:
                self.lead(leaves[-1], self.new)
        for number in (below[below & np.uint32(BLOCK) != 0] & np.uint32(_NUMBER)).tolist():
            self.replace(self.entries(number))
