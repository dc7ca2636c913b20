"""One generation of the classifier in memory: what the compiler makes and delta.py changes. Pure.

A row is a set of rules, one bit a position in words of 64; row_packing.py makes of it what the kernel
gets. Each group of match fields has the rows of its classes of packets; bpf/rows.h ANDs one row of
each.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from xdpwall import abi
from xdpwall.abi import Feature
from xdpwall.values.arrays import Array

from .arrays import IndexSet, Pool
from .columns import Columns, CompilerRule
from .row_packing import KernelRows, kernel_rows
from .row_patterns import pattern_fields, pattern_masks, patterns_of
from .sizes import Sizes

NO_ROW = 0
"""Satisfies nothing: what should never be looked up matches no rule."""
NEUTRAL_ROW = 1
"""Of fields that no rule names."""

Trie = dict[tuple[int, bytes], int]
"""(prefix length, 16 bytes) -> row."""


@dataclass(frozen=True, slots=True)
class NumberedAttachment:
    """One attachment, as rules see it."""

    number: int
    iface: str
    egress: bool


@dataclass(frozen=True, slots=True)
class KernelSets:
    """The sets as the kernel knows them. `classes`: the set numbers of each class id but 0."""

    numbers: Mapping[str, int] = field(default_factory=dict)
    classes: Mapping[int, frozenset[int]] = field(default_factory=dict)
    timed: bool = False
    """Does some class expire?"""


@dataclass(slots=True)
class Touched:
    """What a change has written: the rest of the other copy in the kernel is the same."""

    rows: IndexSet = field(default_factory=IndexSet)
    whole: IndexSet = field(default_factory=IndexSet)
    tables: set[str] = field(default_factory=set)
    blocks: set[int] = field(default_factory=set)
    leaves: set[int] = field(default_factory=set)
    leaves4: set[int] = field(default_factory=set)
    positions: set[int] = field(default_factory=set)

    def __or__(self, other: Touched) -> Touched:
        return Touched(
            self.rows.union(other.rows),
            self.whole.union(other.whole),
            self.tables | other.tables,
            self.blocks | other.blocks,
            self.leaves | other.leaves,
            self.leaves4 | other.leaves4,
            self.positions | other.positions,
        )


class Group:
    """The rows of one group of fields. `rows` are their numbers, shape (k,)."""

    rows: Array
    fields: Collection[str] = ()
    """Of Match. A rule that names none of them is in all rows."""
    packed = True
    """Rows are packed; else whole, and made before those of groups whose rows are alike. bpf/rows.h
    reads either kind in its own way."""

    def concerns(self, columns: Columns) -> bool:
        """Is some of these rules not simply in all rows?"""
        return not columns.named.isdisjoint(self.fields)

    def satisfied(self, columns: Columns) -> Array:
        """Which rules each row's packets satisfy: bool, shape (k, n)."""
        raise NotImplementedError

    def admits(self, columns: Columns) -> bool:
        """Can these rules join without other classes than there are, or with ones that prepare()
        makes?"""
        raise NotImplementedError

    def prepare(self, generation: Generation, columns: Columns) -> None:
        """Make the classes that a rule needs, as parts of those that there are; also asked where
        the rules do not concern the group."""


def initial_positions(count: int, positions: int) -> list[int]:
    """Positions for `count` rules: a quarter of those to spare before them and one behind, where
    most of the rules that come find their place, the rest between them."""
    spare = (positions - count) // 4
    room = positions - 2 * spare
    return [spare + i * room // count for i in range(count)]


class Generation:
    """One generation, ready to be written into maps of at least `need`.

    `tables` is one abi.TABLES; `rows`, `blocks` and `leaves` are pools; `rules` is abi.RULE
    by position; `positions` the entries' positions, ascending.
    """

    def __init__(self, entries: Sequence[CompilerRule], positions: int) -> None:
        self._sizes = Sizes(positions=positions)
        self.entries = list(entries)
        self.capacity = positions
        self.positions = initial_positions(len(self.entries), positions)
        self.tables: Array = np.zeros((), dtype=abi.TABLES)
        room = 512 + 3 * len(self.entries)
        self.rows = Pool("<u8", (positions // 64,), room=room)
        self.rows.take()  # NO_ROW
        self.blocks = Pool("<u4", (256,), room=64 + 4 * len(self.entries))
        self.leaves = Pool(abi.LEAVES)
        self.leaves4 = Pool(abi.LEAVES4, room=64 + len(self.entries))
        self.rules: Array = np.zeros(positions, dtype=abi.RULE)
        self._patterns: Array = np.zeros(positions, dtype="u1")
        """By position, as `rules`."""
        self._telling: tuple[str, ...] = ()
        self.class_rows: Array = np.zeros(1, dtype=abi.CLASS_ROWS)
        self.src6: Trie = {}
        self.dst6: Trie = {}
        self.features = Feature(0)
        self.groups: list[Group] = []
        self.touched = Touched()
        self._columns: dict[int, int] = {}
        self._fresh: dict[int, int] = {}
        """What pack_touched() is to follow: bits by column of the rows' words, and rows."""
        self.kernel_rows: KernelRows
        """What the kernel gets of `rows`, once pack() is called."""
        self.basis: object = None
        self.source: object = None
        """Policy, places and sets, and the rules: what it was compiled from, as its maker compares
        them."""
        self.stale = 0
        """Rules that have gone since it was compiled."""
        self.shrunk = False
        """`features` may be more than it uses."""
        self.pack()

    @property
    def needed_sizes(self) -> Sizes:
        """The sizes that it fills."""
        return Sizes(
            positions=self.capacity,
            rows=self.rows.count,
            blocks=max(self.blocks.count, 1),
            leaves=max(self.leaves.count, 1),
            leaves4=max(self.leaves4.count, 1),
            whole=max(self.kernel_rows.whole.count, 1),
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
        self.rows.data[first:] = words
        return first

    def add_group(self, group: Group, columns: Columns) -> None:
        """The rows of a group that satisfied() describes whole, in its order: consecutive ones."""
        first = self.add_rows(self.words(group.satisfied(columns)))
        group.rows = np.arange(first, self.rows.count)
        self.groups.append(group)

    def copy_row(self, row: int) -> int:
        """A new row that equals `row`."""
        new = self.rows.take()
        self.rewrite_row(new, row)
        return new

    def rewrite_row(self, row: int, like: int) -> None:
        """Make a row equal another one."""
        self.rows.data[row] = self.rows.data[like]
        self._fresh[row] = like

    # -- the kernel's form of the rows -----------------------------------------------------------

    def set_patterns(self, columns: Columns) -> None:
        """Find what tells the rules, all of `entries`, apart."""
        self._telling = pattern_fields(columns)
        self._patterns[self.positions] = patterns_of(columns, self._telling)

    def pack(self) -> None:
        """Make `kernel_rows`, when all rows are written."""
        starts = [int(group.rows[0]) for group in self.groups if group.packed and len(group.rows)]
        patterns = pattern_masks(self._patterns)
        self.kernel_rows = kernel_rows(self.rows.data, self._sizes, patterns, starts)

    def pack_touched(self) -> bool:
        """Bring them up to date; False when the generation had better be compiled anew."""
        kernel, of = self.kernel_rows, self._patterns
        kernel.written, kernel.written_whole = self.touched.rows, self.touched.whole
        patterns = {word: pattern_masks(of[64 * word :][:64])[:, 0] for word in self._columns}
        done = kernel.update(self.rows.data, self._columns, self._fresh, patterns)
        self._columns, self._fresh = {}, {}
        return done

    def widen(self, positions: int) -> None:
        """Room for more positions, as the maps have it."""
        self._sizes = Sizes(positions=positions)
        words = self.rows.data
        self.rows = Pool("<u8", (positions // 64,), room=len(words))
        self.rows.take(len(words))
        self.rows.data[:, : words.shape[1]] = words
        self.rules = np.append(self.rules, np.zeros(positions - self.capacity, abi.RULE))
        self._patterns = np.append(self._patterns, np.zeros(positions - self.capacity, "u1"))
        self.capacity = positions
        self.pack()

    # -- columns of bits, for delta.py -----------------------------------------------------------

    def place(self, columns: Columns, n: int, position: int, rows: Array) -> None:
        """Rule `n` of `columns` at a free position; `rows` are the numbers of those it is in."""
        entry = columns.entries[n]
        self.rules[position] = (entry.slot, entry.kernel_action, entry.expires)
        self._patterns[position] = patterns_of(columns, self._telling)[n]
        column = self.rows.data[:, position // 64]
        column[rows] |= np.uint64(1 << position % 64)
        self._touch(position)

    def clear(self, position: int) -> None:
        """One rule out of every row."""
        self.rows.data[:, position // 64] &= np.uint64(~(1 << position % 64) & (1 << 64) - 1)
        self.rules[position] = 0
        self._touch(position)

    def _touch(self, position: int) -> None:
        word = position // 64
        self._columns[word] = self._columns.get(word, 0) | 1 << position % 64
        self.touched.positions.add(position)

    def shift(self, low: int, high: int, step: int) -> None:
        """Move the rules at positions low..high, all taken, by one place (`step` 1 or -1)."""
        first, last = min(low, low + step), max(high, high + step)
        w0, w1 = first // 64, last // 64
        part = self.rows.data[:, w0 : w1 + 1]
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
        self._columns.update(dict.fromkeys(range(w0, w1 + 1), (1 << 64) - 1))
        for by_position in (self.rules, self._patterns):
            by_position[low + step : high + step + 1] = by_position[low : high + 1].copy()
        self.touched.positions.update(range(first, last + 1))
