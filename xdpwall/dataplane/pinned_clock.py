"""By which time of day the endings in pinned maps were computed, in a map of its own beside them.

Endings in the kernel are on CLOCK_BOOTTIME. Whoever sets the clock makes them wrong, and this is how
the next process finds out. The map lives as long as the endings do, and no longer than this boot.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import NamedTuple

from xdpwall.errors import NotFound
from xdpwall.kernel.bpf.map_info import MapType
from xdpwall.kernel.bpf.maps import Map, create_map

_WORDS = struct.Struct("=qqq")


class KeptClock(NamedTuple):
    """What the next process must know, each an offset as in kernel.clock.Clock."""

    offset: int
    """The time of day at boot by which the endings were computed; 0: some were not."""
    floor: int = 0
    """The offset that the newest change on disk proves, while the clock is behind it; else 0."""
    believed: bool = False
    """The kernel's clock was synchronized once in this boot."""


class PinnedClock:
    """The pinned map `clock`: one element."""

    def __init__(self, folder: Path) -> None:
        """`folder` is that of the instance on the bpffs."""
        self._path = folder / "maps" / "clock"

    def read(self) -> KeptClock | None:
        """None where there is none: no maps, or those of a release that had none."""
        try:
            with Map.open_pinned(self._path) as pinned:
                value = pinned.lookup(0)
        except NotFound:
            return None
        if value is None or len(value) < _WORDS.size:
            return None
        offset, floor, believed = _WORDS.unpack_from(value)
        return KeptClock(offset, floor, bool(believed))

    def write(self, kept: KeptClock) -> None:
        """Keep this; the map is made where there is none."""
        value = _WORDS.pack(*kept)
        try:
            with Map.open_pinned(self._path) as pinned:
                pinned.update(0, value)
        except NotFound:
            with create_map(MapType.ARRAY, "xw_clock", 4, _WORDS.size, 1) as made:
                made.update(0, value)
                made.pin(self._path)
