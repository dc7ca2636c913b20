"""The samples of attach/sight.py, read from the kernel; and the thread of the service that takes them."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cache
from typing import TYPE_CHECKING

from xdpwall.attach.sight import INTERVAL, Sample, Sight, can_be_compared, sees_nothing
from xdpwall.changes.background import Background
from xdpwall.errors import XdpwallError
from xdpwall.instance.instance import Instance
from xdpwall.kernel.net.link_state import link_state
from xdpwall.ruleset.attachment import Attachment

if TYPE_CHECKING:
    from xdpwall.dataplane.dataplane import Dataplane

_log = logging.getLogger("xdpwall.attachments")

SPACING = 1.0
"""Seconds between two samples at least: a card may tell late what it received."""


class SightReader:
    """Takes samples; safe to call from several threads."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance
        self._sight = Sight()
        self._last = -SPACING
        self._one = threading.Lock()

    def look(
        self, dataplane: Dataplane | None, rows: Sequence[Attachment], *, on: bool
    ) -> list[Attachment]:
        """Take a sample of every attachment that can be compared. Returns those that are found to see
        nothing with this one. While the firewall is off nothing is seen, and nothing is compared."""
        with self._one:
            now = time.monotonic()
            if now < self._last + SPACING:
                return []
            self._last = now
            compared = self._compared(rows) if on else []
            if dataplane is None or not compared:
                self._sight.note(now, {})
                return []
            numbers = [row.number for row in compared]
            before = dataplane.counters.read_totals(numbers)
            there = _packets(compared)
            after = dataplane.counters.read_totals(numbers)
            samples = {
                row: Sample(first.seen.packets, there[row], last.seen.packets)
                for row, first, last in zip(compared, before, after, strict=True)
                if row in there
            }
            return self._sight.note(now, samples)

    def _compared(self, rows: Sequence[Attachment]) -> list[Attachment]:
        """Those that are in place, and must see what their interface receives."""
        found = []
        attacher = self._instance.attacher
        ours = cache(attacher.pins.ids)
        for row in rows:
            with suppress(OSError):  # the interface has gone
                beside = link_state(row.index).has_xdp
                if can_be_compared(row, xdp_beside=beside) and attacher.in_place(
                    row.index, row.place, ours
                ):
                    found.append(row)
        return found

    def unseen(self, row: Attachment) -> int:
        """Packets that its interface has received unseen, once it is known to see nothing, else 0."""
        return self._sight.unseen(row)

    def warnings(self, rows: Sequence[Attachment]) -> list[str]:
        """A sentence for each that sees nothing."""
        return [sees_nothing(row) for row in rows if self.unseen(row)]


def _packets(rows: Sequence[Attachment]) -> dict[Attachment, int]:
    found = {}
    for row in rows:
        with suppress(OSError):
            found[row] = link_state(row.index).received
    return found


class SightWatcher(Background):
    """A thread of the service that takes a sample every few seconds, and logs what it finds."""

    name = "xdpwall-sight"

    def __init__(self, instance: Instance, look: Callable[[], list[Attachment]]) -> None:
        self._look = look
        super().__init__(instance)

    def _run(self) -> None:
        while not self._work.wait(INTERVAL) and not self._ending:
            try:
                for row in self._look():
                    _log.warning("%s sees nothing of what its interface receives", row.words)
            except XdpwallError:
                continue  # whoever asks for the state next meets it again, and tells it
