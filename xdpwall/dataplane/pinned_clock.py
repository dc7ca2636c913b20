"""By which time of day the endings in pinned maps were computed, in a map of its own beside them.

Endings in the kernel are on CLOCK_BOOTTIME. Whoever sets the clock makes them wrong, and this is how
the next process finds out. The map lives as long as the endings do, and no longer than this boot.
"""

from __future__ import annotations

import os
import struct
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from xdpwall.closing import Closing
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


class PinnedClock(Closing):
    """The pinned map `clock`: one element. It stays open, since every question reads it."""

    def __init__(self, folder: Path) -> None:
        """`folder` is that of the instance on the bpffs."""
        self._path = f"{folder}/maps/clock"
        self._open: tuple[int, Map] | None = None
        """The inode of the pin, and the map."""

    def read(self) -> KeptClock | None:
        """None where there is none: no maps, or those of a release that had none."""
        pinned = self._pinned()
        value = None if pinned is None else pinned.lookup(0)
        if value is None or len(value) < _WORDS.size:
            return None
        offset, floor, believed = _WORDS.unpack_from(value)
        return KeptClock(offset, floor, bool(believed))

    def write(self, kept: KeptClock) -> None:
        """Keep this; the map is made where there is none."""
        value = _WORDS.pack(*kept)
        pinned = self._pinned()
        if pinned is not None:
            pinned.update(0, value)
            return
        with create_map(MapType.ARRAY, "xw_clock", 4, _WORDS.size, 1) as made:
            made.update(0, value)
            made.pin(self._path)

    def close(self) -> None:
        """Close the map; the next call opens what is pinned then."""
        if self._open is not None:
            self._open[1].close()
            self._open = None

    def _pinned(self) -> Map | None:
        """The map that is pinned now; a pin that was made anew has another inode."""
        try:
            inode = os.stat(self._path).st_ino
        except FileNotFoundError:
            inode = None
        except OSError:
            inode = 0  # the opening says why
        if self._open is not None and self._open[0] != inode:
            self.close()
        if self._open is None and inode is not None:
            with suppress(NotFound):
                self._open = inode, Map.open_pinned(self._path)
        return None if self._open is None else self._open[1]
