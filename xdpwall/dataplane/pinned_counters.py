"""The rules' counters straight from their pinned map, for a command that needs nothing else."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from xdpwall.errors import Failed, NotFound
from xdpwall.kernel.bpf.map_info import MapType
from xdpwall.kernel.bpf.maps import Map
from xdpwall.limits import SLOTS

if TYPE_CHECKING:
    from xdpwall.values.terms import Counts


OTHER_VERSION = "other-version"
"""The code of the error for maps that are not laid out as ours."""
_COUNT = struct.Struct("=QQ")


def read_pinned(bpffs: Path, slots: Sequence[int]) -> list[Counts]:
    """The counters of some slots from their pinned map alone; zeros when there is none.

    Without the data plane and numpy, which take longer to import than all the rest of `rule list`.
    Failed when the map is of another version.
    """
    try:
        table = Map.open_pinned(bpffs / "maps" / "counters")
    except NotFound:
        return [(0, 0)] * len(slots)
    with table:
        if table.info.type != MapType.ARRAY:
            raise other_version(bpffs)
        memory = table.mmap(writable=False)
        return [_sum(memory, slot) for slot in slots]


def other_version(folder: Path) -> Failed:
    """The error of maps that are not laid out as ours."""
    return Failed(
        f"the maps in {folder} are of another version of xdpwall",
        code=OTHER_VERSION,
        hint="`xdpwall restore` (the service's start does it too) puts the rules into new ones; what "
        "is attached filters meanwhile",
    )


def _sum(memory: memoryview, slot: int) -> Counts:
    """Its struct xw_count of every CPU, added up."""
    packets = size = 0
    for at in range(slot * _COUNT.size, len(memory), SLOTS * _COUNT.size):
        mine = _COUNT.unpack_from(memory, at)
        packets += mine[0]
        size += mine[1]
    return packets, size
