"""The rules' counters straight from their pinned map, for a command that needs nothing else."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from .errors import NotFound
from .kernel.maps import Map

if TYPE_CHECKING:
    from .counters import Counts


def read_pinned(bpffs: Path, slots: Sequence[int]) -> list[Counts]:
    """The counters of a few slots from their pinned map alone; zeros when there is none.

    One system call a slot, but without the data plane and numpy, which take longer to import than
    all the rest of `rule list`.
    """
    try:
        table = Map.open_pinned(bpffs / "maps" / "counters")
    except NotFound:
        return [(0, 0)] * len(slots)
    with table:
        return [_sum(table.lookup(slot) or b"") for slot in slots]


def _sum(values: bytes) -> Counts:
    """One struct xw_count per CPU -> their sum."""
    packets = size = 0
    for mine in struct.iter_unpack("=QQ", values):
        packets += mine[0]
        size += mine[1]
    return packets, size
