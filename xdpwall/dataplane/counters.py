"""The counters of rules and the totals of attachments, summed over CPUs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from xdpwall import abi
from xdpwall.kernel.bpf.maps import Map
from xdpwall.values.arrays import Array
from xdpwall.views.attachments import Totals

from .percpu_counters import read_totals


class KernelCounters:
    """The maps `counters` and `totals` of an instance."""

    def __init__(self, shared: Mapping[str, Map]) -> None:
        self._counters, self._totals = shared["counters"], shared["totals"]
        self._memory: memoryview | None = None

    def read(self, slots: Sequence[int]) -> list[tuple[int, int]]:
        """(packets, bytes) of each slot."""
        if not slots:
            return []
        return [(p, size) for p, size in self._mapped[:, slots].sum(axis=0).tolist()]

    def zero(self, slots: Sequence[int]) -> None:
        """Zero the counters of slots that no generation uses, after a grace period."""
        self._mapped[:, slots] = 0

    def read_totals(self, numbers: Sequence[int]) -> list[Totals]:
        """The totals of each attachment number."""
        return read_totals(self._totals, numbers) if numbers else []

    def zero_totals(self, number: int) -> None:
        """Zero the totals of an attachment number before it is used again."""
        self._totals.zero_percpu(number)

    @property
    def _mapped(self) -> Array:
        """(CPUs, SLOTS, 2) u64: packets and bytes, as they are at this moment."""
        self._memory = self._memory or self._counters.mmap()
        return np.frombuffer(self._memory, dtype="<u8").reshape(-1, abi.SLOTS, 2)
