"""Classes of the values of a field: runs of values that the same rules accept. Pure."""

from __future__ import annotations

import numpy as np

from xdpwall.values.arrays import Array, sorted_unique

from .columns import ABSENT


def value_classes(low: Array, high: Array, size: int) -> tuple[Array, Array]:
    """Split the values 0 to size - 1 where one of the ranges low to high begins or ends.

    `low` and `high` are (n,) by rule, ABSENT where it has no range. Returns the class of each value,
    u16 (size,), and the first value of each class, (classes,). Runs that satisfy the same rules keep
    classes of their own: few rules have two ranges in common.
    """
    used = low != ABSENT
    edges = sorted_unique(np.concatenate([[0], low[used], high[used] + 1]))
    edges = edges[edges < size]
    table = np.zeros(size, dtype="<u2")
    table[edges[1:]] = 1
    return np.cumsum(table, dtype="<u2"), edges
