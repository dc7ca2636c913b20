"""The groups of source and of destination ports: classes of the 65,536 ports, with a row each. Pure.

The classifier asks no row of them for a packet without ports. Rules that name ports name a protocol
as well, so that ProtocolGroup's row excludes them there.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from operator import itemgetter
from random import Random
from typing import Literal, NamedTuple

import numpy as np

from xdpwall.abi import Feature
from xdpwall.values.arrays import Array
from xdpwall.values.ranges import Ranges

from .columns import Columns
from .generation import Generation, Group

_VALUES = 65536
_SPARE = 64
"""Rows left free for classes that inserted rules need: the entries of a ports' table are offsets from
its first row, so that its rows have to be consecutive."""
_CHUNK = 32
"""Words of all rows made at a time. It bounds the memory: (edges, _CHUNK) u64."""


class PortGroup(Group):
    """The ports of one direction, `sport` or `dport`."""

    def __init__(
        self, generation: Generation, columns: Columns, name: Literal["sport", "dport"]
    ) -> None:
        self._name = name
        self.fields = (name,)
        generation.features |= Feature.SPORT if name == "sport" else Feature.DPORT
        self._first = generation.rows.count
        table, edges, position, start = self._sweep(generation, columns)
        words = _toggled_words(edges, position, start, table[1], generation.capacity // 64)
        generation.add_rows(words)
        self._classes = len(words)
        generation.rows.take(_SPARE)
        generation.tables[name] = table[0]
        self._table: Array = generation.tables[name]
        self._sizes: Array | None = None
        """The ports of each class, (classes,), or None until can_add() needs it."""
        self._next: tuple[Columns, _Split] | None = None
        """The rules of the last can_add() and the split that it found, for prepare()."""
        generation.tables[f"{name}_row"] = self._first
        hidden = self._hidden(columns)
        self._hidden_row = generation.add_rows(generation.row_words(hidden[None]))
        generation.tables[f"{name}_hidden"] = self._hidden_row
        self._number_rows()
        generation.groups.append(self)

    def _number_rows(self) -> None:
        classes = np.arange(self._first, self._first + self._classes)
        self.rows = np.append(classes, self._hidden_row)

    def _values(self, columns: Columns) -> Sequence[tuple[bool, Ranges] | None]:
        return columns.values(self._name)

    def _hidden(self, columns: Columns) -> Array:
        """The rules that a port which cannot be read satisfies: those without one and those that drop."""
        hidden: Array = columns.absent(self._name) | columns.drop
        return hidden

    def _sweep(
        self, generation: Generation, columns: Columns
    ) -> tuple[tuple[Array, Array], Array, Array, Array]:
        """Find the classes by a sweep over the ends of all ranges, between which are the segments.

        Returns (class of each port, u16 (65536,); first segment of each class), and then the
        arguments of _toggled_words(). Each rule has a random number. Two segments satisfy the same
        rules if the XOR of the numbers of the rules toggled up to there is the same: A. Zobrist, "A
        New Hashing Method with Application for Game Playing", 1970. It has 128 bits, so that two
        classes are never taken for one.
        """
        different = columns.distinct(self._name)
        free = columns.absent(self._name)
        negated = different.map(itemgetter(0), False, bool)
        ends = [[end for low, high in v[1] for end in (low, high + 1)] for v in different.values]
        ends.append([])  # ABSENT, -1: rules that do not name the field
        rule = np.repeat(np.arange(len(columns)), np.array([*map(len, ends)])[different.numbers])
        toggled = map(ends.__getitem__, different.numbers.tolist())
        edge = np.fromiter(chain.from_iterable(toggled), np.int64, len(rule))
        edges, index = np.unique(np.append(0, edge), return_inverse=True)
        index = index.ravel()[1:]
        # Not numpy.random: nothing else imports it.
        numbers = np.frombuffer(Random(0).randbytes(16 * len(columns)), "<u8").reshape(-1, 2)
        hashes = np.zeros((len(edges), 2), dtype=np.uint64)
        order = np.argsort(index, kind="stable")
        present, begins = np.unique(index[order], return_index=True)
        hashes[present] = np.bitwise_xor.reduceat(numbers[rule][order], begins)
        hashes = np.bitwise_xor.accumulate(hashes, axis=0)
        inside = edges < _VALUES
        # As byte strings, which NumPy sorts four times as fast as rows of two integers.
        kinds = np.ascontiguousarray(hashes[inside]).view("S16").ravel()
        _, first, which = np.unique(kinds, return_index=True, return_inverse=True)
        sizes = np.diff(np.append(edges[inside], _VALUES))
        table = np.repeat(which.ravel().astype("<u2"), sizes)
        position = np.array(generation.positions, dtype=np.int64)[rule]
        start = generation.row_words((free | negated)[None])[0]
        return (table, first), index, position, start

    # -- insert rules ----------------------------------------------------------------------------

    def can_add(self, columns: Columns) -> bool:
        self._next = None
        split = self._split(columns)
        self._next = (columns, split) if split else None
        return split is not None

    def prepare(self, generation: Generation, columns: Columns) -> None:
        if not self.concerns(columns):
            return
        asked, split = self._next or (None, None)
        if asked is not columns:
            split = self._split(columns)
        assert split is not None
        self._next = None
        if not split.parents:
            return
        for part in split.parents:
            generation.rewrite_row(self._first + self._classes, self._first + part)
            self._classes += 1
        self._table[:] = split.table
        self._sizes = split.sizes
        generation.touched.tables.add(self._name)
        self._number_rows()

    def _split(self, columns: Columns) -> _Split | None:
        """Split the classes that the rules' ranges cover in part. None when no rows are left: a class
        is any set of ports, so that one range can split all of them."""
        if self._sizes is None:
            self._sizes = np.bincount(self._table, minlength=self._classes)
        split = _Split([], self._table, self._sizes)
        room = self._hidden_row - self._first
        for ranges in {value[1] for value in self._values(columns) if value is not None}:
            inside = _inside(split.table, ranges, len(split.sizes))
            parts = np.flatnonzero((inside > 0) & (inside < split.sizes)).tolist()
            if len(split.sizes) + len(parts) > room:
                return None
            if parts:
                split = split.cut(ranges, parts, inside)
        return split

    def satisfied(self, columns: Columns) -> Array:
        satisfied = np.zeros((len(self.rows), len(columns)), dtype=bool)
        for i, value in enumerate(self._values(columns)):
            if value is None:
                satisfied[:, i] = True
            else:
                inside = _inside(self._table, value[1], self._classes)
                satisfied[:-1, i] = (inside > 0) != value[0]
        satisfied[-1] = self._hidden(columns)
        return satisfied

    @staticmethod
    def wanted(columns: Columns, name: str) -> bool:
        """Whether a rule names the field."""
        return name in columns.named_fields


class _Split(NamedTuple):
    """Classes of ports after some were split."""

    parents: list[int]
    """Of each new class, the one that it was a part of."""
    table: Array
    """The class of each port, u16 (65536,)."""
    sizes: Array
    """The number of ports of each class."""

    def cut(self, ranges: Ranges, parts: Sequence[int], inside: Array) -> _Split:
        """Move the ports of classes `parts` that are in the ranges to new classes; `inside` counts them
        by class."""
        table, sizes = self.table.copy(), np.append(self.sizes, inside[parts])
        sizes[parts] -= inside[parts]
        for low, high in ranges:
            here = table[low : high + 1]
            for new, part in enumerate(parts, len(self.sizes)):
                here[here == part] = new
        return _Split([*self.parents, *parts], table, sizes)


def _inside(table: Array, ranges: Ranges, classes: int) -> Array:
    """The number of ports of each class in the ranges, which do not overlap."""
    found = [table[low : high + 1] for low, high in ranges]
    return np.bincount(found[0] if len(found) == 1 else np.concatenate(found), minlength=classes)


def _toggled_words(index: Array, position: Array, start: Array, wanted: Array, words: int) -> Array:
    """The words of the segments `wanted`, (len(wanted), words) u64. Segment 0 is `start`, and from
    segment `index[j]` on bit `position[j]` is toggled."""
    result = np.empty((len(wanted), words), dtype="<u8")
    segments = int(max(index, default=0)) + 1
    bits = np.uint64(1) << (position % 64).astype(np.uint64)
    for at in range(0, words, _CHUNK):
        width = min(_CHUNK, words - at)
        here = (position // 64 >= at) & (position // 64 < at + width)
        toggles = np.zeros((segments, width), dtype="<u8")
        # A rule toggles its bit at most once in a segment, and NumPy adds faster than it XORs.
        np.add.at(toggles.reshape(-1), index[here] * width + position[here] // 64 - at, bits[here])
        toggles[0] ^= start[at : at + width]
        result[:, at : at + width] = np.bitwise_xor.accumulate(toggles, axis=0)[wanted]
    return result
