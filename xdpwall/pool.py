"""Arrays that grow: rows, blocks and leaves of a generation. Pure."""

from __future__ import annotations

from typing import Any

import numpy as np

from .layout import Array


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
