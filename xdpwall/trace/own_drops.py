"""Drops by our own programs, for one tracing process: a tap of the instance with its own ring."""

from __future__ import annotations

import os
import time
from pathlib import Path

from xdpwall import abi
from xdpwall.changes.transactions import writing
from xdpwall.closing import Closing
from xdpwall.dataplane.trace_taps import TapFilter
from xdpwall.errors import Conflict, XdpwallError
from xdpwall.events.decode import Decoder
from xdpwall.events.names import RecordNames
from xdpwall.events.ring_lock import try_lock
from xdpwall.instance.instance import Instance
from xdpwall.kernel.bpf.map_info import MapType
from xdpwall.kernel.bpf.maps import Map, create_map
from xdpwall.kernel.bpf.ringbuf import RingBuffer
from xdpwall.kernel.clock import SystemClock
from xdpwall.settings import Settings
from xdpwall.values.protocols import PROTOCOLS
from xdpwall.views.events import PacketEvent

from .filters import DropFilter

_RING = 1 << 20
_CHECK_SECONDS = 1.0
"""Seconds between checks that the maps are still the pinned ones."""
_MOST = 4096


class OwnDrops(Closing):
    """A tap until close(). Only dropped packets cost more meanwhile."""

    def __init__(self, settings: Settings, wanted: DropFilter) -> None:
        """Conflict "other-namespace", or "traces" when too many trace already."""
        self._settings = settings
        self._wanted = _tap_filter(wanted)
        self._pin = settings.bpffs / "maps" / "taps"
        self._instance: Instance | None = None
        self._ring: tuple[Map, RingBuffer] | None = None
        self._lock = -1
        self._slot = -1
        self._clock = SystemClock()
        self._inode = 0
        self._checked = 0.0
        self._lost = 0
        self.complete = 0
        """CLOCK_BOOTTIME, ns: read() has returned all records from before."""
        self.begun = 0
        """CLOCK_BOOTTIME, ns: every drop since then is reported; 0 without maps."""
        self._reopen()

    @property
    def lost(self) -> int:
        """Own drops so far that did not fit into the ring."""
        if self._instance is not None and self._ring is not None:
            dataplane = self._instance.dataplane()
            if dataplane is not None and self._pin_inode() == self._inode:
                self._lost = dataplane.taps.lost(self._slot)
        return self._lost

    def read(self, boot: int) -> list[tuple[int, PacketEvent]]:
        """Read (CLOCK_BOOTTIME ns, drop), oldest first, without waiting.

        `boot` is the time of boot, in ns since 1970.
        """
        if time.monotonic() - self._checked >= _CHECK_SECONDS:
            self._reopen()
        now = self._clock.boot_ns()
        records = self._ring[1].read(0, _MOST) if self._ring else []
        self.complete = _time(records[-1]) if len(records) >= _MOST else now
        if not records:
            return []
        self._names.refresh()
        return [(_time(raw), self._decoder.decode(raw, boot)) for raw in records]

    def close(self) -> None:
        """Remove the tap from the maps, so that programs report to it no longer."""
        if self._instance is not None:
            try:
                if self._ring is not None and self._pin_inode() == self._inode:
                    self._remove_tap()
            finally:
                self._close_ring()
                self._instance.close()
                self._instance = None

    # -- inside ----------------------------------------------------------------------------------

    def _pin_inode(self) -> int:
        try:
            return self._pin.stat().st_ino
        except OSError:
            return 0

    def _reopen(self) -> None:
        """Install the tap in the maps that are pinned now: a restore makes new ones without it."""
        self._checked = time.monotonic()
        inode = self._pin_inode()
        if inode == self._inode:
            return
        self._close_ring()
        if not inode:
            return
        if self._instance is None:
            self._instance = Instance(self._settings)
            self._names = RecordNames(self._instance.store)
            self._decoder = Decoder(self._names.attachment, self._names.rule)
        try:
            self._install_tap()
        except XdpwallError:
            self._close_ring()
            raise
        self._inode = inode

    def _install_tap(self) -> None:
        assert self._instance is not None
        with writing(self._instance, while_waiting=True) as now:
            dataplane = self._instance.dataplane()
            if dataplane is None:
                return
            self._slot, self._lock = _claim(self._settings.state_dir)
            for slot in dataplane.taps.in_use():
                if slot == self._slot:
                    continue
                left = try_lock(_lock_file(self._settings.state_dir, slot))
                if left is not None:
                    dataplane.taps.clear(slot)  # its process died
                    os.close(left)
            ring = create_map(MapType.RINGBUF, "xw_trace", 0, 0, _RING)
            self._ring = ring, RingBuffer(ring)
            dataplane.taps.set(self._slot, ring, self._wanted)
            dataplane.control.set_tapped(
                logging=any(rule.log for rule, _ in now.ruleset.kernel_rules())
            )
            self.begun = self._clock.boot_ns()

    def _remove_tap(self) -> None:
        assert self._instance is not None
        with writing(self._instance, in_need=True) as now:
            dataplane = self._instance.dataplane()
            if dataplane is not None:
                dataplane.taps.clear(self._slot)
                dataplane.control.set_tapped(
                    logging=any(rule.log for rule, _ in now.ruleset.kernel_rules())
                )

    def _close_ring(self) -> None:
        if self._ring is not None:
            self._ring[1].close()
            self._ring[0].close()
            self._ring = None
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1
        self._inode = 0


def _time(raw: bytes) -> int:
    return int.from_bytes(raw[:8], "little")


def _claim(state_dir: Path) -> tuple[int, int]:
    """A free slot, and the descriptor of its lock file, which is locked."""
    for slot in range(abi.TAPS):
        if (fd := try_lock(_lock_file(state_dir, slot))) is not None:
            return slot, fd
    raise Conflict(
        f"{abi.TAPS} processes trace already",
        code="traces",
        hint="end one of them; drops by our rules go to so many at most",
    )


def _lock_file(state_dir: Path, slot: int) -> Path:
    return state_dir / f"trace-{slot}.lock"


def _tap_filter(wanted: DropFilter) -> TapFilter:
    """The part of the filter that the tap applies; negated prefixes, interfaces and reasons are
    left to DropFilter."""

    def prefix(side: tuple[bool, object] | None) -> tuple[int, int, int] | None:
        from xdpwall.values.addresses import Prefix

        if side is None or side[0] or not isinstance(side[1], Prefix):
            return None
        return side[1].family, side[1].address, side[1].length

    proto = PROTOCOLS[wanted.proto] if isinstance(wanted.proto, str) else wanted.proto
    return TapFilter(prefix(wanted.src), prefix(wanted.dst), proto, wanted.dport)
