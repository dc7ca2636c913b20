"""One field of a kind of frame, and for each rule the values that it accepts. Pure.

The values are cut into classes: runs of values that the same rules accept (the idea of the bit
vectors of compiler/, over whole fields instead of bytes of them).

    rule 0: ports 80-90    classes   0-79   80-85   86-90   91-99   100-65535
    rule 1: ports 86-99    rules     -      0       0 1     1       -
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from xdpwall.values.arrays import Array

Span = tuple[int, int]
"""First and last of a run of values, or of classes."""
Spans = tuple[Span, ...]
"""Disjoint runs, in order."""

_ONES = np.array([(byte).bit_count() for byte in range(256)], np.uint8)


class Dimension:
    """A field with values 0 to `size` - 1. `accepted` has a rule's values; None is all of them.

    `usual` is the value to show for a class that holds it.
    """

    def __init__(
        self, name: str, size: int, accepted: Sequence[Spans | None], *, usual: int = 0
    ) -> None:
        self.name = name
        self.size = size
        self._usual = usual
        self._rules = len(accepted)
        whole: Spans = ((0, size - 1),)
        kinds: dict[Spans, int] = {}
        self.kind_of = np.array(
            [
                kinds.setdefault(whole if one is None else intersect(one, whole), len(kinds))
                for one in accepted
            ],
            dtype=np.intp,
        )
        """(rules,): the number of each rule's runs among the distinct ones."""
        edges = {0}
        for spans in kinds:
            for first, last in spans:
                edges.add(first)
                edges.add(last + 1)
        edges.discard(size)
        self._edges = sorted(edges)
        self.whole: Spans = ((0, len(self._edges) - 1),)
        self.spans: list[Spans] = [self.classes(spans) for spans in kinds]
        """The runs of classes, by number of the distinct runs of values."""

    def __len__(self) -> int:
        return len(self._edges)

    def accepted(self, rule: int) -> Spans:
        """The classes that a rule accepts."""
        return self.spans[int(self.kind_of[rule])]

    def classes(self, spans: Spans) -> Spans:
        """The runs of classes of runs of values."""
        return tuple((self.class_of(first), self.class_of(last)) for first, last in spans)

    @property
    def usual_class(self) -> int:
        """The class of the usual value."""
        return self.class_of(min(self._usual, self.size - 1))

    def bounds(self, number: int) -> Span:
        """First and last value of a class."""
        after = number + 1
        last = self._edges[after] - 1 if after < len(self._edges) else self.size - 1
        return self._edges[number], last

    def value(self, number: int) -> int:
        """A value of that class: the usual one, else one from its beginning."""
        first, last = self.bounds(number)
        if first <= self._usual <= last:
            return self._usual
        # The first address of a network is seldom one that sends.
        return first + 1 if self.size > 1 << 16 and last > first + 1 else first

    @cached_property
    def rows(self) -> Array:
        """(classes, words) u64: bit r of a row is set where rule r accepts the class."""
        words = self._rules + 63 >> 6
        rows = np.zeros((len(self._edges) + 1, words), "<u8")
        starts, rules = [], []
        for rule, kind in enumerate(self.kind_of.tolist()):
            for first, last in self.spans[kind]:
                starts += [first, last + 1]
                rules += [rule, rule]
        at = np.array(rules, dtype=np.int64)
        bits = np.uint64(1) << (at & 63).astype(np.uint64)
        np.bitwise_xor.at(rows, (np.array(starts, dtype=np.int64), at >> 6), bits)
        found: Array = np.bitwise_xor.accumulate(rows, axis=0)[:-1]
        return found

    @cached_property
    def _bits(self) -> list[int | None]:
        return [None] * len(self)

    def row(self, number: int) -> int:
        """The row of a class as one number."""
        found = self._bits[number]
        if found is None:
            found = self._bits[number] = int.from_bytes(self.rows[number].tobytes(), "little")
        return found

    @cached_property
    def _counts(self) -> Array:
        """(classes,): how many rules accept each class."""
        counts: Array = _ONES[self.rows.view(np.uint8)].sum(axis=1, dtype=np.int64)
        return counts

    @cached_property
    def _least(self) -> dict[Spans, int]:
        return {}

    def least_accepted(self, spans: Spans) -> int:
        """The class in these runs that the fewest rules accept; the usual value's among equals."""
        found = self._least.get(spans)
        if found is None:
            counts = self._counts
            usual = self.usual_class
            best = [first + int(counts[first : last + 1].argmin()) for first, last in spans]
            found = min(best, key=counts.__getitem__)
            if any(first <= usual <= last for first, last in spans) and (
                counts[usual] == counts[found]
            ):
                found = usual
            self._least[spans] = found
        return found

    def overlapping(self) -> Array:
        """(distinct runs, words) u64: the rules that accept some of these classes."""
        return self._reduced(np.bitwise_or, np.uint64(0))

    def covering(self) -> Array:
        """(distinct runs, words) u64: the rules that accept all of these classes."""
        return self._reduced(np.bitwise_and, ~np.uint64(0))

    def _reduced(self, function: Any, nothing: np.uint64) -> Array:
        flat = [(*run, kind) for kind, some in enumerate(self.spans) for run in some]
        first, last, kind = np.array(flat, dtype=np.int64).reshape(-1, 3).T
        found = _reduce_runs(self.rows, first, last, function)
        result = np.full((len(self.spans), self.rows.shape[1]), nothing, "<u8")
        for at, one in zip(kind.tolist(), found, strict=True):
            function(result[at], one, out=result[at])
        return result

    def class_of(self, value: int) -> int:
        """The class of a value."""
        return bisect_right(self._edges, value) - 1


def _reduce_runs(rows: Array, first: Array, last: Array, function: Callable[..., Array]) -> Array:
    """(runs, words): `function` over the rows first to last of each run. It is idempotent, so that two
    overlapping windows of a power of two do (a sparse table, one level in memory at a time)."""
    result = np.empty((len(first), rows.shape[1]), "<u8")
    level = np.frexp((last - first + 1).astype(np.float64))[1] - 1
    table, window = rows, 1
    for power in range(int(level.max(initial=0)) + 1):
        some = np.flatnonzero(level == power)
        result[some] = function(table[first[some]], table[last[some] - window + 1])
        if len(table) > window:
            table = function(table[:-window], table[window:])
        window *= 2
    return result


def intersect(some: Spans, other: Spans) -> Spans:
    """The runs that both have."""
    found = []
    for first, last in some:
        for second, end in other:
            low, high = max(first, second), min(last, end)
            if low <= high:
                found.append((low, high))
    return tuple(found)


def runs_of(values: Iterable[int]) -> Spans:
    """Ascending values as runs."""
    runs: list[Span] = []
    for value in values:
        if runs and value == runs[-1][1] + 1:
            runs[-1] = (runs[-1][0], value)
        else:
            runs.append((value, value))
    return tuple(runs)
