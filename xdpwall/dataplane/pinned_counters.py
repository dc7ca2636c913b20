"""Read the rules' counters from their pinned map alone, without NumPy, for a fast `rule list`."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from xdpwall.errors import Failed, NotFound
from xdpwall.kernel.bpf.bpffs import pin_names
from xdpwall.kernel.bpf.map_info import MapType
from xdpwall.kernel.bpf.maps import Map
from xdpwall.limits import SLOTS

if TYPE_CHECKING:
    from xdpwall.values.terms import Counts


OTHER_VERSION = "other-version"
"""Error code for maps of another layout."""
_COUNT = struct.Struct("=QQ")


def read_pinned(bpffs: Path, slots: Sequence[int]) -> list[Counts]:
    """Read (packets, bytes) of some slots, summed over CPUs; zeros when no map is pinned.

    Imports neither the data plane nor NumPy, which takes longer than all the rest of `rule list`.
    Failed "other-version", or "missing-pin" when it was removed.
    """
    path = bpffs / "maps" / "counters"
    try:
        table = Map.open_pinned(path)
    except NotFound:
        if not (pin_names(path.parent) or pin_names(bpffs / "progs")):
            return [(0, 0)] * len(slots)
        from .lost_pins import missing_pins_error

        raise missing_pins_error([path]) from None
    with table:
        if table.info.type != MapType.ARRAY:
            raise other_version_error(bpffs)
        memory = table.mmap(writable=False)
        return [_sum(memory, slot) for slot in slots]


def other_version_error(folder: Path) -> Failed:
    """Make the error for maps of another layout."""
    return Failed(
        f"the maps in {folder} are of another version of xdpwall",
        code=OTHER_VERSION,
        hint="`xdpwall restore` (the service's start does it too) puts the rules into new ones; what "
        "is attached filters meanwhile",
    )


def _sum(memory: memoryview, slot: int) -> Counts:
    """Sum a slot's struct xw_count over all CPUs."""
    packets = size = 0
    for at in range(slot * _COUNT.size, len(memory), SLOTS * _COUNT.size):
        mine = _COUNT.unpack_from(memory, at)
        packets += mine[0]
        size += mine[1]
    return packets, size
