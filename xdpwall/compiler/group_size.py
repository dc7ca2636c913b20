"""The group of IP length and TTL. Pure."""

from __future__ import annotations

import numpy as np

from xdpwall.abi import BYTE_HIDDEN, LENGTH_HIDDEN, Feature
from xdpwall.errors import Full
from xdpwall.values.arrays import Array

from .columns import ABSENT, Columns
from .generation import Generation, Group
from .value_classes import value_classes


class SizeGroup(Group):
    """IP length and TTL or hop limit: a composed group."""

    fields = ("length", "ttl")
    packed = False

    def __init__(self, generation: Generation, columns: Columns) -> None:
        c = columns
        lengths, self._lengths = value_classes(c.length_low, c.length_high, LENGTH_HIDDEN)
        ttls, self._ttls = value_classes(c.ttl_low, c.ttl_high, BYTE_HIDDEN)
        self._lengths = np.append(self._lengths, LENGTH_HIDDEN)
        self._ttls = np.append(self._ttls, BYTE_HIDDEN)
        stride = len(self._ttls)
        if len(self._lengths) * stride > 0xFFFF:
            raise Full(
                f"{len(self._lengths)} different lengths times {stride} different TTLs are too"
                " many",
                code="too-many-combinations",
                hint="at most 65,535 combinations fit; use fewer different values",
            )
        generation.features |= Feature.SIZE
        generation.tables["length"][:LENGTH_HIDDEN] = lengths * np.uint16(stride)
        generation.tables["length"][LENGTH_HIDDEN] = (len(self._lengths) - 1) * stride
        generation.tables["ttl"][:BYTE_HIDDEN] = ttls
        generation.tables["ttl"][BYTE_HIDDEN] = stride - 1
        generation.tables["size_row"] = generation.rows.count
        generation.add_group(self, columns)

    def satisfied(self, columns: Columns) -> Array:
        c = columns
        length = _in_range(self._lengths, LENGTH_HIDDEN, c.length_low, c.length_high, c.drop)
        ttl = _in_range(self._ttls, BYTE_HIDDEN, c.ttl_low, c.ttl_high, c.drop)
        return (length[:, None] & ttl[None]).reshape(-1, len(c))

    def can_add(self, columns: Columns) -> bool:
        c = columns
        return _on_edges(self._lengths, LENGTH_HIDDEN, c.length_low, c.length_high) and _on_edges(
            self._ttls, BYTE_HIDDEN, c.ttl_low, c.ttl_high
        )


def _in_range(values: Array, hidden: int, low: Array, high: Array, drop: Array) -> Array:
    """bool (k, n): whether each value satisfies each rule's range; `hidden` satisfies drop alone."""
    value = values[:, None]
    satisfied: Array = (value != hidden) & (low <= value) & (value <= high)
    satisfied |= (low == ABSENT) | ((value == hidden) & drop)
    return satisfied


def _on_edges(values: Array, hidden: int, low: Array, high: Array) -> bool:
    """Whether ranges begin and end where classes do; `values` are the first one of each class."""
    used = low != ABSENT
    return {*low[used].tolist(), *(high[used] + 1).tolist()} <= {*values.tolist(), hidden}
