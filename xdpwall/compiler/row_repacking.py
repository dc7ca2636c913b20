"""Update packed rows (row_packing.py) in place after an edit. Pure.

One more rule sets a bit in thousands of rows, and often in their summaries. So each step is a pass
over one column of all rows: picking rows out would take longer than looking at all of them.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping

import numpy as np

from xdpwall.abi import PATCHES, PATTERNS, ROW
from xdpwall.values.arrays import Array

from .arrays import IndexSet, Pool

_MAX_NEW_WHOLE = 64
"""Rows that may become whole in one step. With more of them, packing all rows again pays."""
_ONE = np.uint64(1)


def _u64(field: str) -> int:
    return int(ROW.fields[field][1]) // 8  # type: ignore[index]


_SEGMENTS, _AGGREGATES, _TAG, _PATCH = map(_u64, ("segments", "aggregates", "which", "patch"))
"""Where fields of ROW begin, in u64s. That of `which` has `whole` too, from bit _WHOLE on."""
_WHOLE = np.uint64(48)
assert ROW.fields and ROW.fields["whole"][1] * 8 == 64 * _TAG + int(_WHOLE)


class PackedRowsUpdate:
    """The part of row_packing.PackedRows that follows edits; its attributes are described there."""

    rows: Pool
    whole: Pool
    written: IndexSet
    written_whole: IndexSet
    _segment_words: int
    _owner: Pool
    _patch_count: Pool
    _patterns: Array
    _pattern_words: Pool

    @abstractmethod
    def _add(self, count: int) -> None: ...

    @abstractmethod
    def _make_whole(self, words: Array, row: int) -> None: ...

    def update(
        self,
        words: Array,
        changed: Mapping[int, int],
        copied: Mapping[int, int],
        patterns: Mapping[int, Array],
    ) -> bool:
        """Implements KernelRows.update()."""
        if len(words) > self.rows.count:
            self._add(len(words) - self.rows.count)
        for row, source in copied.items():
            for pool in (self.rows, self._patch_count, self._pattern_words):
                pool.data[row] = pool.data[source]
        self.written.update(copied)
        return all(
            self._update_word(words, word, changed[word], patterns[word])
            for word in sorted(changed)
        )

    def _as_u64(self) -> Array:
        """A view of all rows, (n, u64s of a row)."""
        found: Array = self.rows.data.view("<u8").reshape(self.rows.count, -1)
        return found

    def _update_word(self, words: Array, word: int, bits: int, patterns: Array) -> bool:
        numbers, column = self._as_u64(), words[:, word].copy()
        # A rule that replaces another one at a position has the same bit, but maybe another pattern.
        before = self._patterns[:, word].tolist()
        affected = [p for p in range(PATTERNS) if bits & (before[p] | int(patterns[p]))]
        self._patterns[:, word] = patterns
        whole = self.whole.data[:, word]
        now = column[self._owner.data]
        moved = np.flatnonzero(whole != now)
        whole[moved] = now[moved]
        self.written_whole.update(moved)
        tags = numbers[:, _TAG].copy()
        apart = now[tags >> _WHOLE] != column
        # One dimension: np.flatnonzero takes eight times as long with two.
        hits = np.flatnonzero(tags.view("u1") == word)
        hits = hits[hits % 8 < PATCHES]
        at, slot = hits // 8, _PATCH + hits % 8
        self.written.update(at[numbers[at, slot] != column[at]])
        numbers[at, slot] = column[at]
        apart[at] = False
        done = self._add_patches(words, word, np.flatnonzero(apart))
        self._summarize_word(column, word, patterns, affected)
        return done

    def _add_patches(self, words: Array, word: int, at: Array) -> bool:
        """Add a patch for `word` to rows `at`. False: too many of them have no patch left."""
        if not len(at):
            return True
        rows, column = self.rows.data, words[:, word]
        count = self._patch_count.data[at]
        crowded = at[count == PATCHES].tolist()
        if len(crowded) > _MAX_NEW_WHOLE:
            return False
        for row in crowded:
            self._make_whole(words, row)
        roomy, free = at[count < PATCHES], count[count < PATCHES]
        rows["which"][roomy, free] = word
        rows["patch"][roomy, free] = column[roomy]
        self._patch_count.data[roomy] += 1
        self.written.update(at)
        return True

    def _summarize_word(
        self, column: Array, word: int, patterns: Array, affected: list[int]
    ) -> None:
        """Correct the summaries for the new values of a word, `column`; bits of the `affected` patterns
        may have changed."""
        numbers, some = self._as_u64(), self._pattern_words.data
        segment, at = word // self._segment_words, word >> 6
        mine = np.uint64(((1 << self._segment_words) - 1) << (segment * self._segment_words & 63))
        bit = _ONE << np.uint64(word & 63)
        for p in affected:
            few = some[:, p, at]
            if self._set_bit(few, bit, column & patterns[p] != 0).any():
                turned = self._set_bit(numbers[:, _SEGMENTS + p], _ONE << np.uint64(segment),
                                    few & mine != 0)  # fmt: skip
                self.written.update(np.flatnonzero(turned))
        turned = self._set_bit(numbers[:, _AGGREGATES + at], bit, column != 0)
        self.written.update(np.flatnonzero(turned))

    @staticmethod
    def _set_bit(words: Array, bit: np.uint64, on: Array) -> Array:
        """Set `bit` of each word to `on`, bool (n,); returns where it was different, bool (n,)."""
        turned: Array = (words & bit != 0) != on
        if turned.any():
            words ^= np.where(turned, bit, np.uint64(0))
        return turned
