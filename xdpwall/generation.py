"""One generation of the classifier in memory: what the compiler makes and delta.py changes. Pure.

A row is a set of rules, one bit a position, as the kernel wants it: aggregates, then words. Each
group of match fields has the rows of its classes of packets; bpf/rows.h ANDs one row of each.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from . import layout
from .columns import Columns, Entry
from .layout import Array, Feature, Sizes
from .pool import Pool

__all__ = ["NO_ROW", "Columns", "Compiled", "Entry", "Place", "SetWorld", "Touched"]

NO_ROW = 0
"""Satisfies nothing: what should never be looked up matches no rule."""

Trie = dict[tuple[int, bytes], int]
"""(prefix length, 16 bytes) -> row."""


@dataclass(frozen=True, slots=True)
class Place:
    """One attachment, as rules see it."""

    number: int
    iface: str
    egress: bool


@dataclass(frozen=True, slots=True)
class SetWorld:
    """The sets as the kernel knows them. `classes`: the set numbers of each class id but 0."""

    numbers: Mapping[str, int] = field(default_factory=dict)
    classes: Mapping[int, frozenset[int]] = field(default_factory=dict)
    timed: bool = False
    """Does some class expire?"""


@dataclass(slots=True)
class Touched:
    """What a change has written: the rest of the other copy in the kernel is the same."""

    words: set[int] = field(default_factory=set)
    """Columns of the rows."""
    rows: set[int] = field(default_factory=set)
    tables: set[str] = field(default_factory=set)
    blocks: set[int] = field(default_factory=set)
    leaves: set[int] = field(default_factory=set)
    positions: set[int] = field(default_factory=set)

    def __or__(self, other: Touched) -> Touched:
        return Touched(
            self.words | other.words,
            self.rows | other.rows,
            self.tables | other.tables,
            self.blocks | other.blocks,
            self.leaves | other.leaves,
            self.positions | other.positions,
        )


class Group:
    """The rows of one group of fields. `rows` are their numbers, shape (k,)."""

    rows: Array

    def satisfied(self, columns: Columns) -> Array:
        """Which rules each row's packets satisfy: bool, shape (k, n)."""
        raise NotImplementedError

    def admits(self, columns: Columns) -> bool:
        """Can these rules join without other classes than there are, or with ones that prepare()
        makes?"""
        raise NotImplementedError

    def prepare(self, g: Compiled, columns: Columns) -> None:
        """Make the classes that a rule needs, as parts of those that there are."""


def spread(count: int, positions: int) -> list[int]:
    """Positions for `count` rules: a quarter of those to spare before them and one behind, where
    most of the rules that come find their place, the rest between them."""
    spare = (positions - count) // 4
    room = positions - 2 * spare
    return [spare + i * room // count for i in range(count)]


class Compiled:
    """One generation, ready to be written into maps of at least `need`.

    `tables` is one layout.TABLES; `rows`, `blocks` and `leaves` are pools; `rules` is layout.RULE
    by position; `positions` the entries' positions, ascending.
    """

    def __init__(self, entries: Sequence[Entry], positions: int) -> None:
        self._sizes = sizes = Sizes(positions=positions)
        self.entries = list(entries)
        self.capacity = positions
        self.aggregates = sizes.aggregates
        self.positions = spread(len(self.entries), positions)
        self.tables: Array = np.zeros((), dtype=layout.TABLES)
        self.rows = Pool("<u8", (sizes.row_bytes // 8,), room=512 + 3 * len(self.entries))
        self.rows.take()  # NO_ROW
        self.blocks = Pool("<u4", (256,), room=64 + 4 * len(self.entries))
        self.leaves = Pool(layout.LEAVES)
        self.rules: Array = np.zeros(positions, dtype=layout.RULE)
        self.class_rows: Array = np.zeros(1, dtype=layout.CLASS_ROWS)
        self.src6: Trie = {}
        self.dst6: Trie = {}
        self.features = Feature(0)
        self.groups: list[Group] = []
        self.touched = Touched()
        self.basis: object = None
        self.source: object = None
        """Policy, places and sets, and the rules: what it was compiled from, as its maker compares
        them."""
        self.stale = 0
        """Rules that have gone since it was compiled."""
        self.shrunk = False
        """`features` may be more than it uses."""

    @property
    def need(self) -> Sizes:
        """The sizes that it fills."""
        return Sizes(
            positions=self.capacity,
            rows=self.rows.count,
            blocks=max(self.blocks.count, 1),
            leaves=max(self.leaves.count, 1),
            prefixes6=max(len(self.src6), len(self.dst6), 1),
            class_rows=len(self.class_rows),
        )

    # -- rows ------------------------------------------------------------------------------------

    def words(self, chosen: Array) -> Array:
        """Bool (k, n) over the entries -> (k, words) u64 over positions."""
        bits = np.zeros((len(chosen), self.capacity), dtype=bool)
        bits[:, self.positions] = chosen
        return np.packbits(bits, axis=1, bitorder="little").view("<u8")

    def add_rows(self, words: Array) -> int:
        """Rows with these words, (k, words) u64; the first one's number."""
        first = self.rows.take(len(words))
        self.rows.data[first:, self.aggregates :] = words
        self.aggregate(first)
        return first

    def aggregate(self, first: int) -> None:
        """Write the aggregates of the rows from number `first` on."""
        rows = self.rows.data[first:]
        rows[:, : self.aggregates] = layout.aggregates(rows[:, self.aggregates :], self._sizes)

    def add_group(self, group: Group, columns: Columns) -> None:
        """The rows of a group that satisfied() describes whole, in its order: consecutive ones."""
        first = self.add_rows(self.words(group.satisfied(columns)))
        group.rows = np.arange(first, self.rows.count)
        self.groups.append(group)

    def copy_row(self, row: int) -> int:
        """A new row that equals `row`."""
        new = self.rows.take()
        self.rows.data[new] = self.rows.data[row]
        self.touched.rows.add(new)
        return new

    # -- columns of bits, for delta.py -----------------------------------------------------------

    def set_bit(self, rows: Array, position: int) -> None:
        """One rule into rows, by their numbers."""
        word = self.aggregates + position // 64
        self.rows.data[rows, word] |= np.uint64(1 << position % 64)
        self._column_changed(position // 64)

    def clear_bit(self, position: int) -> None:
        """One rule out of every row."""
        word = self.aggregates + position // 64
        self.rows.data[:, word] &= np.uint64(~(1 << position % 64) & (1 << 64) - 1)
        self._column_changed(position // 64)

    def _column_changed(self, word: int) -> None:
        self.touched.words.add(self.aggregates + word)
        if not self.aggregates:
            return
        bit = np.uint64(1 << word % 64)
        aggregate = self.rows.data[:, word // 64]
        full = self.rows.data[:, self.aggregates + word] != 0
        self.rows.data[:, word // 64] = np.where(full, aggregate | bit, aggregate & ~bit)
        self.touched.words.add(word // 64)

    def shift(self, low: int, high: int, step: int) -> None:
        """Move the rules at positions low..high, all taken, by one place (`step` 1 or -1)."""
        first, last = min(low, low + step), max(high, high + step)
        w0, w1 = first // 64, last // 64
        part = self.rows.data[:, self.aggregates + w0 : self.aggregates + w1 + 1]
        # In words, not unpacked: with few gaps that would be 16 kB a row.
        moved = np.empty_like(part)
        one, top = np.uint64(1), np.uint64(63)
        if step > 0:
            np.left_shift(part, one, out=moved)
            moved[:, 1:] |= part[:, :-1] >> top
        else:
            np.right_shift(part, one, out=moved)
            moved[:, :-1] |= part[:, 1:] << top
        mask = np.zeros((w1 - w0 + 1) * 64, dtype=np.uint8)
        mask[first - w0 * 64 : last - w0 * 64 + 1] = 1
        mask[(low if step > 0 else high) - w0 * 64] = 0
        taken = np.packbits(mask, bitorder="little").view("<u8")
        mask[first - w0 * 64 : last - w0 * 64 + 1] = 1
        stay = ~np.packbits(mask, bitorder="little").view("<u8")
        moved &= taken
        part &= stay
        part |= moved
        for word in range(w0, w1 + 1):
            self._column_changed(word)
        self.rules[low + step : high + step + 1] = self.rules[low : high + 1].copy()
        self.touched.positions.update(range(first, last + 1))

    # -- for tests and people --------------------------------------------------------------------

    def satisfying(self, row: int) -> set[int]:
        """The places in `entries` of the rules in a row."""
        words = self.rows.data[row, self.aggregates :]
        bits = np.unpackbits(words.view(np.uint8), bitorder="little")
        return set(np.flatnonzero(bits[self.positions]).tolist()) if self.positions else set()
