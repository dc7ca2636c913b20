"""Rows as the kernel has them (bpf/abi.h, struct xw_row), of a generation's rows as words. Pure.

A row begins with a summary, where rules that satisfy it are: by segment for each pattern of rules,
and by word. Where there are thousands of rules, rows are packed too. Rows of one group of fields
are alike: a prefix satisfies what every address does, and its own few rules. So the kernel has the
few words in which a row differs from a whole row: 128 bytes instead of 2 kB, which caches and TLBs
hold for thousands of prefixes (docs/concepts/ten-thousand-rules.md). What differs in more words is
a whole row itself.
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
from .row_repacking import Repacked
from .sizes import Sizes

_MOST_BASES = 256
"""Whole rows that another one of their group is held against, the last ones."""
_SWEEPS = 3
"""Rows that all others of their group are held against first."""
_TRIED = 8
"""Of those, so many nearest ones by some of their words are looked at whole."""
_BLOCK, _LATEST = 64, 4
"""Before those, so many rows at once are held against as many that were found last."""
_STRIDE = 4
"""Rows are compared by every so many words first, and by a byte made of each, which is enough to
tell most apart."""
_MIXED, _BUT_A_BYTE = np.uint64(0x9E3779B97F4A7C15), np.uint64(56)
"""Multiplied by the odd number next to 2**64 over the golden ratio, a word's highest byte depends
on all of its bits (Knuth, "The Art of Computer Programming", 6.4)."""
_ONE = np.uint64(1)


class KernelRows(Protocol):
    """`rows` and `whole` are what the kernel gets; `written` and `written_whole` the numbers of
    those that update() changed, until somebody clears them."""

    rows: Pool
    whole: Pool
    written: IndexSet
    written_whole: IndexSet

    def update(
        self,
        words: Array,
        columns: Mapping[int, int],
        fresh: Mapping[int, int],
        patterns: Mapping[int, Array],
    ) -> bool:
        """Follow `words`, of which these bits of columns may have changed, and whose rules', where
        `patterns` has the columns' masks. Rows `fresh` are new, or anew: each like the row that it
        leads to, but for those columns.

        False, and good for nothing any more, when they had better be made anew; likewise after
        Full.
        """


def kernel_rows(words: Array, sizes: Sizes, patterns: Array, starts: Iterable[int]) -> KernelRows:
    """The kernel's form of rows, (n, positions / 64) u64.

    `patterns`: the positions of each pattern's rules, (PATTERNS, positions / 64) u64. `starts`:
    where rows begin that are alike; those before the first are whole. Raises Full.
    """
    if sizes.packed:
        return PackedRows(words, sizes, patterns, starts)
    return PlainRows(words, sizes, patterns)


class PlainRows:
    """Rows of few positions: the summary of all patterns in one u64, and the words."""

    def __init__(self, words: Array, sizes: Sizes, patterns: Array) -> None:
        self._summary = int(sizes.positions > 64)
        self.rows = Pool("<u8", (sizes.row_bytes // 8,), room=len(words))
        self.whole = Pool("<u8", (1,), room=1)
        self.written = IndexSet()
        self.written_whole = IndexSet()
        every = range(words.shape[1])
        self.update(words, dict.fromkeys(every, 0), {}, {n: patterns[:, n] for n in every})

    def update(
        self,
        words: Array,
        columns: Mapping[int, int],
        fresh: Mapping[int, int],
        patterns: Mapping[int, Array],
    ) -> bool:
        """See KernelRows."""
        self.rows.take(len(words) - self.rows.count)
        for row, like in fresh.items():
            self.rows.data[row] = self.rows.data[like]
        before = self.rows.data.copy()
        for word in columns:
            column = words[:, word]
            self.rows.data[:, self._summary + word] = column
            if self._summary:
                summary = self.rows.data[:, 0]
                for number, mask in enumerate(patterns[word]):
                    _put_bit(summary, 16 * number + word, column & mask != 0)
        self.written.update(np.flatnonzero((self.rows.data != before).any(axis=1)))
        # Also those that are all zero: what the kernel has there is of generations long gone.
        self.written.update(fresh)
        return True


class PackedRows(Repacked):
    """Rows of thousands of positions."""

    def __init__(self, words: Array, sizes: Sizes, patterns: Array, starts: Iterable[int]) -> None:
        self._words = sizes.positions // 64
        self._segment = sizes.segment_words
        self.rows = Pool(ROW, room=len(words) + 64)
        self.whole = Pool("<u8", (self._words,))
        self.written = IndexSet()
        self.written_whole = IndexSet()
        self._owner = Pool("<i8")
        """The row that each whole one is."""
        self._count = Pool("u1", room=len(words) + 64)
        """Patches in use of each row; the others repeat the first."""
        self._patterns = patterns.copy()
        """Those by which the summaries are made."""
        self._some = Pool("<u8", (PATTERNS, AGGREGATES), room=len(words) + 64)
        """Bit w & 63 of [row, p, w >> 6]: the row satisfies rules of pattern p in word w."""
        self._take(len(words))
        edges = sorted({*starts, len(words)})
        self._new_whole(words[: edges[0]], np.arange(edges[0]))
        for first, end in pairwise(edges):
            self._pack(words, first, end)
        self._are_whole(words, np.arange(self.whole.count))
        self._summarize(patterns)

    def _take(self, count: int) -> None:
        for pool in (self.rows, self._count, self._some):
            pool.take(count)

    # -- all of them -----------------------------------------------------------------------------

    def _pack(self, words: Array, first: int, end: int) -> None:
        """Rows that are alike: most are like the first, and children stand behind their parents."""
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
        bases: Array = np.zeros((sample.shape[1], _MOST_BASES), dtype="u1")
        numbers = np.zeros(_MOST_BASES, dtype=np.int64)
        own = 0
        latest: list[int] = []
        for left in np.array_split(rest, len(rest) // _BLOCK + 1):
            # Prefixes inside the same one stand side by side.
            for whole in latest:
                left = self._far(left, words, whole, base)
            while len(left):
                found = None
                if own:
                    known = min(own, _MOST_BASES)
                    apart = (bases[:, :known] != sample[left[0], :, None]).sum(axis=0, dtype="<u2")
                    nearest = np.argsort(apart, kind="stable")[:_TRIED]
                    few = nearest[apart[nearest] <= PATCHES]
                    found = self._near(numbers[few].tolist(), words[left[0]])
                if found is None:
                    found = self._new_whole(words[left[:1]], first + left[:1])
                    bases[:, own % _MOST_BASES], numbers[own % _MOST_BASES] = sample[left[0]], found
                    own += 1
                left = self._far(left, words, found, base)
                latest = [found, *(n for n in latest if n != found)][:_LATEST]
        for some in np.array_split(np.arange(len(words)), len(words) // 4096 + 1):
            differs = words[some] != self.whole.data[base[some]]
            self._describe(first + some, differs, words[some], base[some])

    def _far(self, rows: Array, words: Array, whole: int, base: Array) -> Array:
        """Those of the rows that differ from a whole one by too many words; it is the base of the
        others."""
        near = (words[rows] != self.whole.data[whole]).sum(axis=1) <= PATCHES
        base[rows[near]] = whole
        far: Array = rows[~near]
        return far

    def _near(self, wholes: list[int], words: Array) -> int | None:
        """The one of these whole rows that differs least from `words`, if it is by few enough."""
        if not wholes:
            return None
        apart = (self.whole.data[wholes] != words).sum(axis=1)
        nearest = int(apart.argmin())
        return wholes[nearest] if apart[nearest] <= PATCHES else None

    def _new_whole(self, words: Array, rows: Array) -> int:
        """New whole rows, those of `rows`, which _are_whole() has to be told; the first's number.
        Raises Full."""
        if self.whole.count + len(words) > MAX_WHOLE:
            raise too_many(f"more than {MAX_WHOLE} different rows")
        first = self.whole.take(len(words))
        self.whole.data[first:] = words
        self._owner.take(len(words))
        self._owner.data[first:] = rows
        return first

    def _are_whole(self, words: Array, numbers: Array) -> None:
        """The rows that own these whole ones are nothing but them."""
        rows, own = self.rows.data, self._owner.data[numbers]
        # A row without a difference repeats word 0.
        rows["which"][own], rows["whole"][own] = 0, numbers
        rows["patch"][own] = words[own, :1]
        self._count.data[own] = 1

    def _become_whole(self, words: Array, row: int) -> None:
        number = self._new_whole(words[row : row + 1], np.array([row]))
        self._are_whole(words, np.array([number]))
        self.written_whole.add(number)

    def _describe(self, at: Array, differs: Array, words: Array, base: Array | int) -> None:
        """Rows `at` as differences, (k, words) bool, of their `words` from whole rows `base`."""
        differs[~differs.any(axis=1), 0] = True
        # Of two dimensions, np.nonzero takes eight times as long.
        row, word = np.divmod(np.flatnonzero(differs), differs.shape[1])
        count = np.bincount(row, minlength=len(at))
        slot = np.arange(len(row)) - (np.cumsum(count) - count)[row]
        which = np.repeat(word[slot == 0, None], PATCHES, axis=1)
        which[row, slot] = word
        rows = self.rows.data
        rows["which"][at], rows["whole"][at] = which, base
        rows["patch"][at] = np.take_along_axis(words, which, axis=1)
        self._count.data[at] = count

    def _summarize(self, patterns: Array) -> None:
        """The summaries of all rows: those of their whole rows, but for what is patched."""
        rows = self.rows.data
        bits = np.packbits((self.whole.data[:, None] & patterns) != 0, axis=2, bitorder="little")
        of_whole = np.zeros((len(bits), PATTERNS, AGGREGATES), dtype="<u8")
        of_whole.view("u1")[:, :, : bits.shape[2]] = bits
        some = of_whole[rows["whole"]]
        for slot in range(PATCHES):
            at = np.flatnonzero(self._count.data > slot)
            word = rows["which"][at, slot].astype(np.int64)
            bit = _ONE << (word & 63).astype(np.uint64)
            on = (rows["patch"][at, slot] & patterns[:, word]) != 0
            few = some[at, :, word >> 6].T
            some[at, :, word >> 6] = (few & ~bit | np.where(on, bit, np.uint64(0))).T
        self._some.data[:] = some
        rows["aggregates"] = np.bitwise_or.reduce(some, axis=1)
        rows["segments"] = 0
        per = 64 // self._segment
        for number in range(self._segment):
            shift = np.uint64(number * per)
            rows["segments"] |= _every(some[:, :, number], self._segment) << shift


def too_many(rows: str) -> Full:
    """The error of a ruleset of so many rows."""
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


_CLOSER = (
    (0, 0x5555555555555555), (1, 0x3333333333333333), (2, 0x0F0F0F0F0F0F0F0F),
    (4, 0x00FF00FF00FF00FF), (8, 0x0000FFFF0000FFFF), (16, 0x00000000FFFFFFFF),
)  # fmt: skip
"""(shift, what stays): every second bit, then two, four ... of them side by side."""


def _every(words: Array, step: int) -> Array:
    """Bit i of the answer: is one of the `step` bits from i * step on set? step: 1, 2 or 4. Halving
    as in Warren, "Hacker's Delight", 7-2."""
    while step > 1:
        words = words | words >> _ONE
        for shift, keep in _CLOSER:
            words = (words | words >> np.uint64(shift)) & np.uint64(keep)
        step //= 2
    return words
