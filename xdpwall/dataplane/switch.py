"""The switch of the firewall: a bit of the control word, changed without any other map or a lock."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from xdpwall.abi import CONTROL_DEADLINES, Control
from xdpwall.closing import Closing
from xdpwall.kernel.bpf.map_word import MapWord
from xdpwall.kernel.jiffies import jiffies_per_second

if TYPE_CHECKING:
    from xdpwall.kernel.bpf.maps import Map


class Switch(Closing):
    """The first word of the map `control`. Closing it leaves the map open."""

    def __init__(self, table: Map) -> None:
        self._table = table
        self._word = MapWord(table)

    @property
    def map_id(self) -> int:
        """The id of the map `control`."""
        return self._table.info.id

    def read(self) -> Control:
        """The control word as packets see it now."""
        return Control.unpack(self._read())

    def in_force(self) -> Control:
        """What packets are judged by: the word, without a change that was reverted at its deadline."""
        now = self.read()
        return now.reverted() if now.pending and self._left(now) <= 0 else now

    def seconds_left(self) -> float | None:
        """Seconds until the pending change is reverted, 0.0 or less when it is; None without one."""
        now = self.read()
        return self._left(now) if now.pending else None

    def set_switch(self, on: bool) -> bool:
        """Switch the firewall on or off; off, everything passes. Returns whether that changed it."""
        return self._update(lambda now: replace(now, on=on)).on != on

    def close(self) -> None:
        """Let go of what changes take."""
        self._word.close()

    def _update(self, change: Callable[[Control], Control]) -> Control:
        """Exchange the word; returns what it was just before."""
        old = self._word.update(self._read(), lambda word: change(Control.unpack(word)).pack())
        return Control.unpack(old)

    def _left(self, now: Control) -> float:
        deadline = self._read(CONTROL_DEADLINES + now.copy)
        return (deadline - self._word.jiffies()) / jiffies_per_second()

    def _read(self, number: int = 0) -> int:
        return int.from_bytes(self._table.lookup(number) or b"", sys.byteorder)
