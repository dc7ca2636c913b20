"""The rules' counters straight from their pinned map, for a command that needs nothing else."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from .errors import NotFound
from .kernel.maps import Map
from .limits import SLOTS

if TYPE_CHECKING:
    from .counters import Counts


_COUNT = struct.Struct("=QQ")


def read_pinned(bpffs: Path, slots: Sequence[int]) -> list[Counts]:
    """The counters of some slots from their pinned map alone; zeros when there is none.

    Without the data plane and numpy, which take longer to import than all the rest of `rule list`.
    """
    try:
        table = Map.open_pinned(bpffs / "maps" / "counters")
    except NotFound:
        return [(0, 0)] * len(slots)
    with table:
        memory = table.mmap(writable=False)
        return [_sum(memory, slot) for slot in slots]


def _sum(memory: memoryview, slot: int) -> Counts:
    """Its struct xw_count of every CPU, added up."""
    packets = size = 0
    for at in range(slot * _COUNT.size, len(memory), SLOTS * _COUNT.size):
        mine = _COUNT.unpack_from(memory, at)
        packets += mine[0]
        size += mine[1]
    return packets, size
