"""A generation's rows in the kernel's form: plain, or packed as struct xw_row (bpf/abi.h). Pure.

A row begins with summaries of where its bits are: by segment for each pattern of rules, and by
word. From 2,048 positions on, rows are packed as well. The rows of one group resemble each other: a
prefix satisfies the rules for any address, and a few of its own. So the kernel gets the few words in
which a row differs from a whole row: 128 bytes instead of 2 kB, so that caches and TLBs hold the rows
of thousands of prefixes (docs/concepts/ten-thousand-rules.md). A row that differs in too many words
becomes a whole row itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import pairwise
from typing import Protocol

import numpy as np

from xdpwall.abi import AGGREGATES, MAX_WHOLE, PATCHES, PATTERNS, ROW
from xdpwall.errors import Full
from xdpwall.values.arrays import Array

from .arrays import IndexSet, Pool
from .row_repacking import PackedRowsUpdate
from .sizes import Sizes

_MAX_BASES = 256
"""How many of its group's whole rows, the most recent ones, a row is compared with."""
_SWEEPS = 3
"""How many rows all others of their group are compared with first."""
_TRIED = 8
"""How many whole rows, those that differ least in their samples, are compared in all words."""
_BLOCK, _LATEST = 64, 4
"""Before that, _BLOCK rows at once are compared with the _LATEST whole rows that were bases last."""
_STRIDE = 4
"""The sample of a row: a hash byte of every _STRIDE-th word. It tells most rows apart."""
_MIXED, _BUT_A_BYTE = np.uint64(0x9E3779B97F4A7C15), np.uint64(56)
"""Multiplied by the odd number next to 2**64 over the golden ratio, a word's highest byte depends
on all of its bits (Knuth, "The Art of Computer Programming", 6.4)."""
_ONE = np.uint64(1)


class KernelRows(Protocol):
    """Rows in the kernel's form."""

    rows: Pool
    """For the map `rows`."""
    whole: Pool
    """For the map `whole_rows`."""
    written: IndexSet
    """The indexes of `rows` that update() has changed; whoever writes them to the kernel resets it."""
    written_whole: IndexSet
    """The same for `whole`."""

    def update(
        self,
        words: Array,
        changed: Mapping[int, int],
        copied: Mapping[int, int],
        patterns: Mapping[int, Array],
    ) -> bool:
        """Bring the rows up to date after `words` changed.

        `changed`: word index -> mask of the bits that may differ, in any row. `patterns`: word index
        -> the masks of the patterns in that word, (PATTERNS,) u64. `copied`: new or overwritten row
        -> the row that it was copied from, before the bits of `changed` were set.

        Returns False, or raises Full, when updating in place does not pay: the object must then be
        discarded and built again.
        """


def kernel_rows(words: Array, sizes: Sizes, patterns: Array, starts: Iterable[int]) -> KernelRows:
    """The kernel's form of rows with these words, (n, positions / 64) u64. Raises Full.

    `patterns`: bit vectors of the positions of each pattern, (PATTERNS, positions / 64) u64.
    `starts`: the first row of each group that is packed; rows before the first of these are whole.
    """
    if sizes.packed:
        return PackedRows(words, sizes, patterns, starts)
    return PlainRows(words, sizes, patterns)


class PlainRows:
    """Rows of up to 1,024 positions: one u64 with the summaries of all patterns, then the words."""

    def __init__(self, words: Array, sizes: Sizes, patterns: Array) -> None:
        self._summary = int(sizes.positions > 64)
        self.rows = Pool("<u8", (sizes.row_bytes // 8,), room=len(words))
        self.whole = Pool("<u8", (1,), room=1)
        self.written = IndexSet()
        self.written_whole = IndexSet()
        indexes = range(words.shape[1])
        self.update(words, dict.fromkeys(indexes, 0), {}, {n: patterns[:, n] for n in indexes})

    def update(
        self,
        words: Array,
        changed: Mapping[int, int],
        copied: Mapping[int, int],
        patterns: Mapping[int, Array],
    ) -> bool:
        """Implements KernelRows.update()."""
        self.rows.take(len(words) - self.rows.count)
        for row, source in copied.items():
            self.rows.data[row] = self.rows.data[source]
        before = self.rows.data.copy()
        for word in changed:
            column = words[:, word]
            self.rows.data[:, self._summary + word] = column
            if self._summary:
                summary = self.rows.data[:, 0]
                for number, mask in enumerate(patterns[word]):
                    _put_bit(summary, 16 * number + word, column & mask != 0)
        self.written.update(np.flatnonzero((self.rows.data != before).any(axis=1)))
        # Even if they are zero: the kernel may still have rows of an older generation there.
        self.written.update(copied)
        return True


class PackedRows(PackedRowsUpdate):
    """Rows of 2,048 positions or more, as struct xw_row."""

    def __init__(self, words: Array, sizes: Sizes, patterns: Array, starts: Iterable[int]) -> None:
        self._row_words = sizes.positions // 64
        self._segment_words = sizes.segment_words
        self.rows = Pool(ROW, room=len(words) + 64)
        self.whole = Pool("<u8", (self._row_words,))
        self.written = IndexSet()
        self.written_whole = IndexSet()
        self._owner = Pool("<i8")
        """By whole row: the row that it was made of."""
        self._patch_count = Pool("u1", room=len(words) + 64)
        """By row: the patches in use. The others repeat the first."""
        self._patterns = patterns.copy()
        """The masks that the summaries were made with, (PATTERNS, words of a row) u64."""
        self._pattern_words = Pool("<u8", (PATTERNS, AGGREGATES), room=len(words) + 64)
        """Bit w & 63 of [row, p, w >> 6]: word w of the row has a bit of pattern p."""
        self._add(len(words))
        edges = sorted({*starts, len(words)})
        self._new_whole(words[: edges[0]], np.arange(edges[0]))
        for first, end in pairwise(edges):
            self._pack(words, first, end)
        self._store_whole(words, np.arange(self.whole.count))
        self._summarize(patterns)

    def _add(self, count: int) -> None:
        for pool in (self.rows, self._patch_count, self._pattern_words):
            pool.take(count)

    # -- build from all words --------------------------------------------------------------------

    def _pack(self, words: Array, first: int, end: int) -> None:
        """Find the whole rows of one group, rows `first` to `end`, and pack the others. Most rows
        resemble the first one, and prefixes come after those around them."""
        words = words[first:end]
        if not len(words):
            return
        sample = (words[:, ::_STRIDE] * _MIXED >> _BUT_A_BYTE).astype("u1")
        base = np.zeros(len(words), dtype=np.int64)
        rest, at = np.arange(len(words)), 0
        for _ in range(_SWEEPS):
            base[rest[at]] = self._new_whole(words[rest[at : at + 1]], first + rest[at : at + 1])
            near = np.flatnonzero((sample[rest] != sample[rest[at]]).sum(axis=1) <= PATCHES)
            near = near[(words[rest[near]] != words[rest[at]]).sum(axis=1) <= PATCHES]
            base[rest[near]] = base[rest[at]]
            rest = np.delete(rest, near)
            if len(rest) < _TRIED:
                break
            at = len(rest) // 2
        bases: Array = np.zeros((sample.shape[1], _MAX_BASES), dtype="u1")
        numbers = np.zeros(_MAX_BASES, dtype=np.int64)
        own = 0
        latest: list[int] = []
        for left in np.array_split(rest, len(rest) // _BLOCK + 1):
            # Prefixes with the same parent are neighbours.
            for whole in latest:
                left = self._assign_base(left, words, whole, base)
            while len(left):
                found = None
                if own:
                    known = min(own, _MAX_BASES)
                    apart = (bases[:, :known] != sample[left[0], :, None]).sum(axis=0, dtype="<u2")
                    nearest = np.argsort(apart, kind="stable")[:_TRIED]
                    few = nearest[apart[nearest] <= PATCHES]
                    found = self._nearest_whole(numbers[few].tolist(), words[left[0]])
                if found is None:
                    found = self._new_whole(words[left[:1]], first + left[:1])
                    bases[:, own % _MAX_BASES], numbers[own % _MAX_BASES] = sample[left[0]], found
                    own += 1
                left = self._assign_base(left, words, found, base)
                latest = [found, *(n for n in latest if n != found)][:_LATEST]
        for some in np.array_split(np.arange(len(words)), len(words) // 4096 + 1):
            differs = words[some] != self.whole.data[base[some]]
            self._store_patches(first + some, differs, words[some], base[some])

    def _assign_base(self, rows: Array, words: Array, whole: int, base: Array) -> Array:
        """Make a whole row the base of the rows that differ from it by few enough words; returns the
        other ones."""
        near = (words[rows] != self.whole.data[whole]).sum(axis=1) <= PATCHES
        base[rows[near]] = whole
        far: Array = rows[~near]
        return far

    def _nearest_whole(self, wholes: list[int], words: Array) -> int | None:
        """The whole row that differs least from `words`, if by few enough words, else None."""
        if not wholes:
            return None
        apart = (self.whole.data[wholes] != words).sum(axis=1)
        nearest = int(apart.argmin())
        return wholes[nearest] if apart[nearest] <= PATCHES else None

    def _new_whole(self, words: Array, rows: Array) -> int:
        """Add whole rows with the words of `rows`; returns the first one's number. Raises Full.
        _store_whole() has to follow."""
        if self.whole.count + len(words) > MAX_WHOLE:
            raise too_many(f"more than {MAX_WHOLE} different rows")
        first = self.whole.take(len(words))
        self.whole.data[first:] = words
        self._owner.take(len(words))
        self._owner.data[first:] = rows
        return first

    def _store_whole(self, words: Array, numbers: Array) -> None:
        """Make the rows of these whole rows refer to them, without a difference."""
        rows, own = self.rows.data, self._owner.data[numbers]
        # The patches repeat word 0.
        rows["which"][own], rows["whole"][own] = 0, numbers
        rows["patch"][own] = words[own, :1]
        self._patch_count.data[own] = 1

    def _make_whole(self, words: Array, row: int) -> None:
        number = self._new_whole(words[row : row + 1], np.array([row]))
        self._store_whole(words, np.array([number]))
        self.written_whole.add(number)

    def _store_patches(self, at: Array, differs: Array, words: Array, base: Array | int) -> None:
        """Store rows `at`, (k,), as patches of whole rows `base`: the words in which they differ, as
        bool (k, words of a row), out of their `words`."""
        differs[~differs.any(axis=1), 0] = True
        # np.nonzero of the two-dimensional array takes eight times as long.
        row, word = np.divmod(np.flatnonzero(differs), differs.shape[1])
        count = np.bincount(row, minlength=len(at))
        slot = np.arange(len(row)) - (np.cumsum(count) - count)[row]
        which = np.repeat(word[slot == 0, None], PATCHES, axis=1)
        which[row, slot] = word
        rows = self.rows.data
        rows["which"][at], rows["whole"][at] = which, base
        rows["patch"][at] = np.take_along_axis(words, which, axis=1)
        self._patch_count.data[at] = count

    def _summarize(self, patterns: Array) -> None:
        """Make the summaries of all rows: their whole rows', corrected in the patched words."""
        rows = self.rows.data
        bits = np.packbits((self.whole.data[:, None] & patterns) != 0, axis=2, bitorder="little")
        of_whole = np.zeros((len(bits), PATTERNS, AGGREGATES), dtype="<u8")
        of_whole.view("u1")[:, :, : bits.shape[2]] = bits
        some = of_whole[rows["whole"]]
        for slot in range(PATCHES):
            at = np.flatnonzero(self._patch_count.data > slot)
            word = rows["which"][at, slot].astype(np.int64)
            bit = _ONE << (word & 63).astype(np.uint64)
            on = (rows["patch"][at, slot] & patterns[:, word]) != 0
            few = some[at, :, word >> 6].T
            some[at, :, word >> 6] = (few & ~bit | np.where(on, bit, np.uint64(0))).T
        self._pattern_words.data[:] = some
        rows["aggregates"] = np.bitwise_or.reduce(some, axis=1)
        rows["segments"] = 0
        per = 64 // self._segment_words
        for number in range(self._segment_words):
            shift = np.uint64(number * per)
            rows["segments"] |= _any_in_groups(some[:, :, number], self._segment_words) << shift


def too_many(rows: str) -> Full:
    """The error for a ruleset that needs too many rows; `rows` says how many."""
    return Full(
        f"the ruleset needs {rows}",
        code="too-many-combinations",
        hint="rules on many different VLANs and interfaces, or lengths and TTLs, multiply;"
        " use fewer different values of one of them",
    )


def _put_bit(words: Array, bit: int, on: Array) -> None:
    mask = np.uint64(1 << bit)
    words &= ~mask
    words |= np.where(on, mask, np.uint64(0))


_COMPRESS = (
    (0, 0x5555555555555555), (1, 0x3333333333333333), (2, 0x0F0F0F0F0F0F0F0F),
    (4, 0x00FF00FF00FF00FF), (8, 0x0000FFFF0000FFFF), (16, 0x00000000FFFFFFFF),
)  # fmt: skip
"""(shift, mask): move every second bit next to the one before, then pairs, then fours ..."""


def _any_in_groups(words: Array, step: int) -> Array:
    """Bit i of the result is the OR of bits i * step to i * step + step - 1; `step` is 1, 2 or 4.
    The compression is that of Warren, "Hacker's Delight", 7-2, in halves."""
    while step > 1:
        words = words | words >> _ONE
        for shift, keep in _COMPRESS:
            words = (words | words >> np.uint64(shift)) & np.uint64(keep)
        step //= 2
    return words
