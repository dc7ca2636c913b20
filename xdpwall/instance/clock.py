"""What time it is for an instance, and by which time of day endings in the kernel are computed.

A machine without a clock chip starts with a clock that is days behind, until it has asked the
network. So now is the later of the clock and the newest change on disk, until the kernel says that
its clock is synchronized; from then on, in this boot, the clock is believed whatever the disk says.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from xdpwall.dataplane.pinned_clock import KeptClock, PinnedClock
from xdpwall.errors import XdpwallError
from xdpwall.kernel.clock import Clock
from xdpwall.values.times import duration_text, epoch_seconds, epoch_text

_SAME = 10_000_000
"""Nanoseconds by which two readings of one clock's offset may differ."""


class InstanceClock:
    """The clock of one instance. look() at the beginning of what must agree about the time."""

    def __init__(self, clock: Clock, newest: Callable[[], str | None], pinned: PinnedClock) -> None:
        """`newest` gives the canonical time of the newest change on disk."""
        self._clock, self._newest, self._pinned = clock, newest, pinned
        self._offset: int | None = None
        self._real = self._floor = 0
        self._believed = False
        self._kept: KeptClock | None = None

    def look(self) -> None:
        """Read the clock, and what is kept of it."""
        self._real = self._clock.offset_ns()
        self._kept = kept = self._read_kept()
        if kept is not None:
            self._believed |= kept.believed
            self._floor = max(self._floor, kept.floor)
        self._believed = self._believed or self._clock.synchronized()
        if self._believed:
            self._floor = 0
        elif (newest := self._read_newest()) is not None:
            self._floor = max(self._floor, newest * 10**9 - self._clock.boot_ns())
        if self._floor <= self._real + _SAME:
            self._floor = 0
        self._offset = self._floor or self._real

    @property
    def offset(self) -> int:
        """What is believed to have been the time of day at boot, in ns since 1970."""
        if self._offset is None:
            self.look()
        assert self._offset is not None
        return self._offset

    def now_ns(self) -> int:
        """Nanoseconds since 1970."""
        return self._clock.boot_ns() + self.offset

    def seconds(self) -> float:
        """Seconds since 1970."""
        return self.now_ns() / 1e9

    def now_text(self) -> str:
        """Now as a canonical time."""
        return epoch_text(int(self.seconds()))

    def text_at(self, boot_ns: int) -> str:
        """A moment of CLOCK_BOOTTIME as a canonical time."""
        return epoch_text((boot_ns + self.offset) // 10**9)

    # -- what the kernel's endings were computed by ------------------------------------------------
    @property
    def kept(self) -> KeptClock | None:
        """What look() found kept in the kernel."""
        return self._kept

    @property
    def moved(self) -> bool:
        """Whether endings in the kernel may have been computed by another time of day."""
        return self._kept is None or abs(self._kept.offset - self.offset) > _SAME

    @property
    def outdated(self) -> bool:
        """Whether what is kept in the kernel is not what look() saw."""
        kept = self._kept
        if kept is None or self.moved:
            return True
        return kept.believed != self._believed or abs(kept.floor - self._floor) > _SAME

    def keep(self, pinned: PinnedClock) -> None:
        """Keep this clock in the kernel: all endings there are computed by `offset`. Where that cannot
        be (a bpffs that is read-only), the next process computes them once more."""
        kept = KeptClock(self.offset, self._floor, self._believed)
        with suppress(XdpwallError):
            pinned.write(kept)
        self._kept = kept

    def spoil(self, pinned: PinnedClock) -> None:
        """Some endings are about to be computed by another time of day, and not all yet."""
        with suppress(XdpwallError):
            pinned.write((self._kept or KeptClock(0))._replace(offset=0))

    def close(self) -> None:
        """Let go of what is kept; the next look() opens it again."""
        self._pinned.close()

    @property
    def waiting(self) -> bool:
        """Whether the clock is behind what is on disk, and to be looked at until somebody sets it."""
        return self._floor > 0

    def warnings(self) -> list[str]:
        """Why now is not what the clock says, or endings are not by now."""
        if self._kept is not None and self.moved:
            told = "the time of day was set, and what ends is still judged by the one before"
            return [f"{told}: the next change computes the endings anew"]
        if not self._floor:
            return []
        clock = epoch_text((self._clock.boot_ns() + self._real) // 10**9)
        behind = duration_text((self._floor - self._real) // 10**9)
        told = (
            f"the clock ({clock}) is {behind} behind the newest change on disk and not synchronized"
        )
        return [f"{told}: what ends is judged as if it were {self.now_text()}"]

    def _read_kept(self) -> KeptClock | None:
        with suppress(XdpwallError):
            return self._pinned.read()
        return self._kept

    def _read_newest(self) -> int | None:
        """Seconds since 1970. A disk that cannot be read must not keep `off` from working."""
        with suppress(XdpwallError, ValueError):
            if newest := self._newest():
                return epoch_seconds(newest)
        return None
