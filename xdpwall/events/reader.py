"""The one reader of an instance's ring buffer: records come out once, so two would share them.

The service reads while it runs; without it, a command does. A lock on state_dir/events.lock tells.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

from xdpwall.closing import Closing
from xdpwall.errors import Conflict, NotFound, XdpwallError
from xdpwall.kernel.bpf.maps import Map
from xdpwall.kernel.bpf.ringbuf import RingBuffer
from xdpwall.settings import Settings
from xdpwall.store.store import Store
from xdpwall.views.events import PacketEvent

from .decode import Decoder
from .names import Names
from .ring_lock import read_owner, try_lock, write_owner

LOCK_FILE = "events.lock"
"""In the state folder."""
_LOOK = 1.0
"""Seconds between two looks whether the maps are still those of the instance."""
_MOMENT = 0.1
"""Seconds; somebody may be asking who has the lock, and holds it meanwhile."""


class EventReader(Closing):
    """Reads from a thread of its own: it shares neither connection nor lock with the firewall."""

    def __init__(self, settings: Settings, who: str) -> None:
        """Conflict "events-taken" names who reads already. `who` is told to others."""
        self._pin = settings.bpffs / "maps" / "events"
        self._lock = _take(settings.state_dir / LOCK_FILE, who)
        try:
            self._store = Store(settings.state_dir)
        except BaseException:
            os.close(self._lock)
            raise
        self._ring: tuple[Map, RingBuffer] | None = None
        self._inode = 0
        self._looked = float("-inf")
        self._names = Names(self._store)
        self._decoder = Decoder(self._names.where, self._names.rule)

    def read(self, timeout: float, most: int = 4096) -> list[bytes]:
        """Records, oldest first, waiting up to `timeout` seconds for the first of them."""
        if time.monotonic() - self._looked >= _LOOK:
            self._look()
        if self._ring is None:
            time.sleep(min(timeout, _LOOK))
            return []
        return self._ring[1].read(timeout, most)

    def decode(self, records: list[bytes]) -> list[PacketEvent]:
        """What the records say. Names are those that rules and interfaces had then."""
        if records:
            self._names.refresh()
        boot = time.time_ns() - time.clock_gettime_ns(time.CLOCK_BOOTTIME)
        return [self._decoder.decode(record, boot) for record in records]

    def close(self) -> None:
        """The next reader may come."""
        self._drop()
        self._store.close()
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    # -- inside ----------------------------------------------------------------------------------
    def _look(self) -> None:
        """Maps made anew (a restore) have another ring; the old one would stay silent."""
        self._looked = time.monotonic()
        try:
            inode = self._pin.stat().st_ino
        except OSError:
            inode = 0
        if inode == self._inode and (self._ring is not None or not inode):
            return
        self._drop()
        if not inode:
            return
        try:
            ring = Map.open_pinned(self._pin)
        except NotFound:
            return
        try:
            self._ring = ring, RingBuffer(ring)
        except XdpwallError:
            ring.close()
            raise
        self._inode = inode

    def _drop(self) -> None:
        if self._ring is not None:
            self._ring[1].close()
            self._ring[0].close()
            self._ring = None
        self._inode = 0


def _take(path: Path, who: str) -> int:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    fd = try_lock(path, _MOMENT)
    if fd is None:
        raise Conflict(
            f"{read_owner(path) or 'somebody'} reads the events already",
            code="events-taken",
            hint="its records come out once; stop it, or start the service (xdpwall serve), "
            "which hands events to everybody",
        )
    write_owner(fd, f"{who} (process {os.getpid()})")
    return fd


def holder(state_dir: Path) -> str | None:
    """Who reads an instance's events now; None when nobody does."""
    return read_owner(state_dir / LOCK_FILE)
