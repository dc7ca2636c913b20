"""Arrays that grow: rows, blocks and leaves of a generation. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from collections.abc import Set as AbstractSet
from typing import Any

import numpy as np

from xdpwall.values.arrays import Array


class Pool:
    """Elements of one dtype and shape, numbered as they are taken; what is new is zero.

    Room that is not taken costs no memory: the kernel gives pages when they are written.
    """

    def __init__(self, dtype: Any, shape: tuple[int, ...] = (), room: int = 64) -> None:
        self._all: Array = np.zeros((room, *shape), dtype=dtype)
        self.count = 0

    @property
    def data(self) -> Array:
        """What was taken so far, shape (count, ...). Stale after the next take()."""
        return self._all[: self.count]

    def take(self, n: int = 1) -> int:
        """The number of the first of `n` new elements in a row."""
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
        """Forget the elements from number `count` on."""
        self._all[count : self.count] = 0
        self.count = count


class IndexSet(AbstractSet[int]):
    """A set of small numbers. To mark thousands costs no more than to look at them, which a set of
    Python's does not keep."""

    __slots__ = ("_at",)

    def __init__(self) -> None:
        self._at: Array = np.zeros(0, dtype=bool)

    def update(self, numbers: Array | Iterable[int]) -> None:
        """Mark these too."""
        new = numbers if isinstance(numbers, np.ndarray) else np.array(list(numbers), dtype=int)
        if len(new):
            self._reach(int(new.max()) + 1)
            self._at[new] = True

    def add(self, number: int) -> None:
        """Mark one more."""
        self._reach(number + 1)
        self._at[number] = True

    def numbers(self) -> Array:
        """Those that are marked, ascending."""
        return np.flatnonzero(self._at)

    def union(self, other: IndexSet) -> IndexSet:
        """What is marked in one of them at least."""
        long, short = (self, other) if len(self._at) > len(other._at) else (other, self)
        made = IndexSet()
        made._at = long._at.copy()
        made._at[: len(short._at)] |= short._at
        return made

    def _reach(self, count: int) -> None:
        if count > len(self._at):
            wider = np.zeros(max(count, 2 * len(self._at), 64), dtype=bool)
            wider[: len(self._at)] = self._at
            self._at = wider

    def __contains__(self, number: object) -> bool:
        return isinstance(number, int) and number < len(self._at) and bool(self._at[number])

    def __iter__(self) -> Iterator[int]:
        return iter(self.numbers().tolist())

    def __len__(self) -> int:
        return int(np.count_nonzero(self._at))
