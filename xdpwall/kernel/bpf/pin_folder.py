"""A folder of pins that is asked often: listed again only after something in it came, went or moved."""

from __future__ import annotations

import os
import time
from pathlib import Path

from .bpffs import pin_names

_SETTLED = 0.1
"""Seconds after which another change has another time of change: that is as coarse as the kernel's
tick, 1 to 10 ms."""


class PinFolder:
    """The names in a bpffs folder. The kernel changes a folder's time of change with each of them."""

    def __init__(self, folder: Path) -> None:
        self.path = folder
        self._changed: tuple[int, int] | None = None
        self._seen = 0.0
        """When this time of change was seen first, on the monotonic clock."""
        self._names: tuple[str, ...] | None = None
        """None where the next call must list."""

    def names(self) -> tuple[str, ...]:
        """The names, sorted; none when there is no folder. The same tuple while nothing changed."""
        changed, now = _time_of_change(self.path), time.monotonic()
        if changed != self._changed:
            self._changed, self._seen, self._names = changed, now, None
        known = self._names
        if known is None:
            known = tuple(pin_names(self.path))
            if changed is not None and now - self._seen >= _SETTLED:
                self._names = known
        return known


def _time_of_change(folder: Path) -> tuple[int, int] | None:
    try:
        found = os.stat(folder)
    except OSError:  # pin_names() says what is wrong
        return None
    return found.st_ino, found.st_mtime_ns  # another folder may have been put in its place
