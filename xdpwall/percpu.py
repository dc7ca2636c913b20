"""What the programs counted, each CPU for itself, added up."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .kernel.maps import Map
from .views import Count, Totals

_COUNTS = ("passed", "dropped", "policy_dropped", "malformed", "errors")
"""struct xw_totals, in order; each is packets, bytes."""


def sums(counters: Map, indices: Sequence[int]) -> np.ndarray[Any, np.dtype[np.uint64]]:
    """u64 (len(indices), u64s of an element) of a per-CPU array."""
    raw = counters.read_percpu(indices)
    found: np.ndarray[Any, np.dtype[np.uint64]] = (
        np.ascontiguousarray(raw).view("<u8").sum(axis=1, dtype="<u8")
    )
    return found


def totals(counters: Map, numbers: Sequence[int]) -> list[Totals]:
    """The totals of each attachment number."""
    answer = []
    for row in sums(counters, numbers).tolist():
        pairs = zip(row[::2], row[1::2], strict=True)
        counts = [Count(packets=packets, bytes=size) for packets, size in pairs]
        passed, dropped = counts[:2]
        seen = Count(packets=passed.packets + dropped.packets, bytes=passed.bytes + dropped.bytes)
        answer.append(Totals(seen=seen, **dict(zip(_COUNTS, counts, strict=True))))
    return answer
