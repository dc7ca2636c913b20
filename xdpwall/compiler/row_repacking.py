"""What a change touches of rows that are packed (row_packing.py). Pure.

A rule more is a bit more in thousands of rows, and mostly in their summaries. So each step here is
one pass over all rows, in columns: to pick rows out costs more than to look at them all.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping

import numpy as np

from xdpwall.abi import PATCHES, PATTERNS, ROW
from xdpwall.values.arrays import Array

from .arrays import IndexSet, Pool

_MOST_CROWDED = 64
"""Rows that may become whole at once, for one rule."""
_ONE = np.uint64(1)


def _u64(field: str) -> int:
    return int(ROW.fields[field][1]) // 8  # type: ignore[index]


_SEGMENTS, _AGGREGATES, _TAG, _PATCH = map(_u64, ("segments", "aggregates", "which", "patch"))
"""Where fields begin, in u64s. In the one of `which` is `whole` too: _WHOLE bits up."""
_WHOLE = np.uint64(48)
assert ROW.fields and ROW.fields["whole"][1] * 8 == 64 * _TAG + int(_WHOLE)


class Repacked:
    """The part of row_packing.Packed that follows changes."""

    rows: Pool
    whole: Pool
    written: IndexSet
    written_whole: IndexSet
    _segment: int
    _owner: Pool
    _count: Pool
    _patterns: Array
    _some: Pool

    @abstractmethod
    def _take(self, count: int) -> None: ...

    @abstractmethod
    def _become_whole(self, words: Array, row: int) -> None: ...

    def update(
        self,
        words: Array,
        columns: Mapping[int, int],
        fresh: Mapping[int, int],
        patterns: Mapping[int, Array],
    ) -> bool:
        """See KernelRows."""
        if len(words) > self.rows.count:
            self._take(len(words) - self.rows.count)
        for row, like in fresh.items():
            for pool in (self.rows, self._count, self._some):
                pool.data[row] = pool.data[like]
        self.written.update(fresh)
        return all(
            self._update_word(words, word, columns[word], patterns[word])
            for word in sorted(columns)
        )

    def _numbers(self) -> Array:
        """All rows, (n, u64s of one)."""
        found: Array = self.rows.data.view("<u8").reshape(self.rows.count, -1)
        return found

    def _update_word(self, words: Array, word: int, bits: int, patterns: Array) -> bool:
        numbers, column = self._numbers(), words[:, word].copy()
        # One rule for another at one position is the same bit, of another pattern.
        before = self._patterns[:, word].tolist()
        of = [p for p in range(PATTERNS) if bits & (before[p] | int(patterns[p]))]
        self._patterns[:, word] = patterns
        whole = self.whole.data[:, word]
        now = column[self._owner.data]
        moved = np.flatnonzero(whole != now)
        whole[moved] = now[moved]
        self.written_whole.update(moved)
        tags = numbers[:, _TAG].copy()
        apart = now[tags >> _WHOLE] != column
        # Of one dimension, which np.flatnonzero goes through eight times as fast.
        hits = np.flatnonzero(tags.view("u1") == word)
        hits = hits[hits % 8 < PATCHES]
        at, slot = hits // 8, _PATCH + hits % 8
        self.written.update(at[numbers[at, slot] != column[at]])
        numbers[at, slot] = column[at]
        apart[at] = False
        done = self._patch(words, word, np.flatnonzero(apart))
        self._summarize_word(column, word, patterns, of)
        return done

    def _patch(self, words: Array, word: int, at: Array) -> bool:
        """Rows `at` differ from their whole rows in one more word."""
        if not len(at):
            return True
        rows, column = self.rows.data, words[:, word]
        count = self._count.data[at]
        crowded = at[count == PATCHES].tolist()
        if len(crowded) > _MOST_CROWDED:
            return False
        for row in crowded:
            self._become_whole(words, row)
        roomy, free = at[count < PATCHES], count[count < PATCHES]
        rows["which"][roomy, free] = word
        rows["patch"][roomy, free] = column[roomy]
        self._count.data[roomy] += 1
        self.written.update(at)
        return True

    def _summarize_word(self, column: Array, word: int, patterns: Array, of: list[int]) -> None:
        """The rows have these words now, in place of others with other rules of patterns `of`."""
        numbers, some = self._numbers(), self._some.data
        segment, at = word // self._segment, word >> 6
        mine = np.uint64(((1 << self._segment) - 1) << (segment * self._segment & 63))
        bit = _ONE << np.uint64(word & 63)
        for p in of:
            few = some[:, p, at]
            if self._turn(few, bit, column & patterns[p] != 0).any():
                turned = self._turn(numbers[:, _SEGMENTS + p], _ONE << np.uint64(segment),
                                    few & mine != 0)  # fmt: skip
                self.written.update(np.flatnonzero(turned))
        turned = self._turn(numbers[:, _AGGREGATES + at], bit, column != 0)
        self.written.update(np.flatnonzero(turned))

    @staticmethod
    def _turn(words: Array, bit: np.uint64, on: Array) -> Array:
        """Make `bit` of all words what `on` says, bool (n,); those where it was not."""
        turned: Array = (words & bit != 0) != on
        if turned.any():
            words ^= np.where(turned, bit, np.uint64(0))
        return turned
