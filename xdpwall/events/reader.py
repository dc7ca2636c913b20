"""The reader of an instance's ring buffer. There is one at a time: a record can be read only once.

The service reads while it runs; without it, a command may. state_dir/events.lock says who does.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from xdpwall.closing import Closing
from xdpwall.errors import Conflict, NotFound, XdpwallError
from xdpwall.kernel.bpf.maps import Map
from xdpwall.kernel.bpf.ringbuf import RingBuffer
from xdpwall.kernel.clock import SystemClock
from xdpwall.settings import Settings
from xdpwall.store.store import Store
from xdpwall.trusted import open_folder
from xdpwall.views.events import PacketEvent

from .decode import Decoder
from .names import RecordNames
from .ring_lock import read_owner, try_lock, write_owner

LOCK_FILE = "events.lock"
"""In the state folder."""
_CHECK_SECONDS = 1.0
"""Seconds between checks that the map is still the pinned one."""
_LOCK_PATIENCE = 0.1
"""Seconds: holder() of another process takes the lock for a moment."""


class EventReader(Closing):
    """Reads and decodes records; shares no connection and no lock with the firewall, so it may run
    in a thread of its own."""

    def __init__(
        self, settings: Settings, who: str, behind: Callable[[], Mapping[str, str]] = dict
    ) -> None:
        """Conflict "events-taken" names the present reader. `who` names this one to others; `behind`: what
        lies behind interfaces now, by name."""
        self._pin = settings.bpffs / "maps" / "events"
        self._lock = _take(settings.state_dir / LOCK_FILE, who)
        try:
            self._store = Store(settings.state_dir)
        except BaseException:
            os.close(self._lock)
            raise
        self._clock = SystemClock()
        self._behind = behind
        self._ring: tuple[Map, RingBuffer] | None = None
        self._inode = 0
        self._checked = float("-inf")
        self._names = RecordNames(self._store)
        self._decoder = Decoder(self._names.attachment, self._names.rule)

    def read(self, timeout: float, most: int = 4096) -> list[bytes]:
        """Records, oldest first, waiting up to `timeout` seconds for the first of them."""
        if time.monotonic() - self._checked >= _CHECK_SECONDS:
            self._reopen()
        if self._ring is None:
            time.sleep(min(timeout, _CHECK_SECONDS))
            return []
        return self._ring[1].read(timeout, most)

    def decode(self, records: list[bytes]) -> list[PacketEvent]:
        """Decode the records, with the names that rules and interfaces had then."""
        if records:
            self._names.refresh()
        boot, behind = self._clock.offset_ns(), self._behind() if records else {}
        found = [self._decoder.decode(record, boot) for record in records]
        return [
            one.model_copy(update={"behind": words}) if (words := behind.get(one.iface)) else one
            for one in found
        ]

    def close(self) -> None:
        """Close the ring and free the lock."""
        self._close_ring()
        self._store.close()
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    # -- inside ----------------------------------------------------------------------------------
    def _reopen(self) -> None:
        """Open the ring that is pinned now: a restore leaves the old one without records."""
        self._checked = time.monotonic()
        with suppress(XdpwallError):
            self._store.follow()
        try:
            inode = self._pin.stat().st_ino
        except OSError:
            inode = 0
        if inode == self._inode and (self._ring is not None or not inode):
            return
        self._close_ring()
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

    def _close_ring(self) -> None:
        if self._ring is not None:
            self._ring[1].close()
            self._ring[0].close()
            self._ring = None
        self._inode = 0


def _take(path: Path, who: str) -> int:
    os.close(open_folder(path.parent, make=0o700))
    fd = try_lock(path, _LOCK_PATIENCE)
    if fd is None:
        raise Conflict(
            f"{read_owner(path) or 'somebody'} reads the events already",
            code="events-taken",
            hint="its records come out once; stop it, or start the service (xdpwall serve), "
            "which hands events to everybody",
        )
    write_owner(fd, f"{who} (process {os.getpid()})")
    return fd


def event_reader_name(state_dir: Path) -> str | None:
    """The reader of an instance's events, as it named itself; None when there is none."""
    return read_owner(state_dir / LOCK_FILE)
