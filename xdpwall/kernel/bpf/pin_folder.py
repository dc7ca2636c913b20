"""A folder of pins that is asked often: listed again only after something in it came, went or moved."""

from __future__ import annotations

import os
import time
from pathlib import Path

from .bpffs import pin_inodes

_SETTLED = 0.1
"""Seconds after which another change has another time of change: that is as coarse as the kernel's
tick, 1 to 10 ms."""


class PinFolder:
    """The names in a bpffs folder, and their inodes. The kernel changes a folder's time of change with each of them."""

    def __init__(self, folder: Path) -> None:
        self.path = folder
        self._changed: tuple[int, int] | None = None
        self._seen = 0.0
        """When this time of change was seen first, on the monotonic clock."""
        self._inodes: dict[str, int] | None = None
        """None where the next call must list."""

    def inodes(self) -> dict[str, int]:
        """Each name, sorted, with its inode; none when there is no folder. The same dictionary while nothing
        changed."""
        changed, now = _time_of_change(self.path), time.monotonic()
        if changed != self._changed:
            self._changed, self._seen, self._inodes = changed, now, None
        known = self._inodes
        if known is None:
            known = pin_inodes(self.path)
            if changed is not None and now - self._seen >= _SETTLED:
                self._inodes = known
        return known


def _time_of_change(folder: Path) -> tuple[int, int] | None:
    try:
        found = os.stat(folder)
    except OSError:  # pin_inodes() says what is wrong
        return None
    return found.st_ino, found.st_mtime_ns  # another folder may have been put in its place
