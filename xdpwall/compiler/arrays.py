"""Growing arrays for the rows, blocks and leaves of a generation; a set of indexes. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from collections.abc import Set as AbstractSet
from typing import Any

import numpy as np

from xdpwall.values.arrays import Array


class Pool:
    """A growing array of elements of one dtype and shape; take() allocates the next ones, zeroed.

    `room` is the initial allocation in elements. The unused part costs no memory: the kernel
    provides a page when it is first written.
    """

    def __init__(self, dtype: Any, shape: tuple[int, ...] = (), room: int = 64) -> None:
        self._all: Array = np.zeros((room, *shape), dtype=dtype)
        self.count = 0

    @property
    def data(self) -> Array:
        """The elements in use, shape (count, ...): a view that the next take() may leave stale."""
        return self._all[: self.count]

    def take(self, n: int = 1) -> int:
        """Allocate `n` consecutive elements; returns the index of the first."""
        first = self.count
        self.count += n
        if self.count > len(self._all):
            grown = np.zeros(
                (max(self.count, 2 * len(self._all)), *self._all.shape[1:]), self._all.dtype
            )
            grown[:first] = self._all[:first]
            self._all = grown
        return first

    def drop_to(self, count: int) -> None:
        """Free the elements from index `count` on."""
        self._all[count : self.count] = 0
        self.count = count


class IndexSet(AbstractSet[int]):
    """A set of small non-negative integers, kept as an array of flags.

    Thousands are added in one NumPy operation, which takes far less time than adding them to a
    built-in set.
    """

    __slots__ = ("_flags",)

    def __init__(self) -> None:
        self._flags: Array = np.zeros(0, dtype=bool)

    def update(self, numbers: Array | Iterable[int]) -> None:
        """Add all of these."""
        new = numbers if isinstance(numbers, np.ndarray) else np.array(list(numbers), dtype=int)
        if len(new):
            self._grow_to(int(new.max()) + 1)
            self._flags[new] = True

    def add(self, number: int) -> None:
        """Add one."""
        self._grow_to(number + 1)
        self._flags[number] = True

    def numbers(self) -> Array:
        """The members in ascending order, (n,) i8."""
        return np.flatnonzero(self._flags)

    def union(self, other: IndexSet) -> IndexSet:
        """A new set of the members of either."""
        long, short = (self, other) if len(self._flags) > len(other._flags) else (other, self)
        merged = IndexSet()
        merged._flags = long._flags.copy()
        merged._flags[: len(short._flags)] |= short._flags
        return merged

    def _grow_to(self, count: int) -> None:
        if count > len(self._flags):
            wider = np.zeros(max(count, 2 * len(self._flags), 64), dtype=bool)
            wider[: len(self._flags)] = self._flags
            self._flags = wider

    def __contains__(self, number: object) -> bool:
        return isinstance(number, int) and number < len(self._flags) and bool(self._flags[number])

    def __iter__(self) -> Iterator[int]:
        return iter(self.numbers().tolist())

    def __len__(self) -> int:
        return int(np.count_nonzero(self._flags))
