"""The kernel's clocks: the only place that asks for the time of day.

Packets compare endings with CLOCK_BOOTTIME, which nobody can set; the time of day is that and an
offset, which changes whenever somebody sets the clock.
"""

from __future__ import annotations

import ctypes
import os
import select
import time
from contextlib import suppress
from typing import Protocol

from xdpwall.closing import Closing

from .libc import libc

_STA_UNSYNC = 0x40  # sys/timex.h
_STATUS = 40
"""Offset of `status` in struct timex of 64-bit systems."""
_TIMEX_BYTES = 208
_TRIES = 8
_CLOSE_ENOUGH = 20_000
"""Nanoseconds between two readings of a clock within which the other one was read."""
_TFD_TIMER_ABSTIME, _TFD_TIMER_CANCEL_ON_SET = 1, 2
_NEVER = 1 << 40
"""Seconds since 1970."""


class Clock(Protocol):
    """The time of day, as an offset from the clock that packets are judged by."""

    def boot_ns(self) -> int:
        """CLOCK_BOOTTIME as programs in the kernel read it."""
        ...

    def offset_ns(self) -> int:
        """CLOCK_REALTIME at boot, in ns since 1970."""
        ...

    def synchronized(self) -> bool:
        """Whether the kernel was told that its time of day is right."""
        ...


class SystemClock:
    """The clock of this machine."""

    def __init__(self) -> None:
        self.shift_ns = _boot_shift()
        """What this process's time namespace adds to CLOCK_BOOTTIME; programs do not see it."""

    def boot_ns(self) -> int:
        """CLOCK_BOOTTIME of the machine, also in a time namespace."""
        return time.clock_gettime_ns(time.CLOCK_BOOTTIME) - self.shift_ns

    def offset_ns(self) -> int:
        """CLOCK_REALTIME at boot. Two clocks cannot be read at once: of some tries the closest."""
        best = (1 << 62, 0)
        for _ in range(_TRIES):
            before = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
            now = time.time_ns()
            after = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
            best = min(best, (after - before, now - (before + after) // 2))
            if best[0] <= _CLOSE_ENOUGH:
                break
        return best[1] + self.shift_ns

    def synchronized(self) -> bool:
        """Whether an NTP client or its like has set the clock and keeps it (adjtimex)."""
        asked = ctypes.create_string_buffer(_TIMEX_BYTES)
        if libc().adjtimex(asked) < 0:
            return False  # a filter of system calls: nobody said so
        return not int.from_bytes(asked.raw[_STATUS : _STATUS + 4], "little") & _STA_UNSYNC


def _boot_shift() -> int:
    try:
        with open("/proc/self/timens_offsets", encoding="ascii") as file:
            for line in file:
                name, seconds, rest = line.split()
                if name in ("boottime", "7"):
                    return int(seconds) * 10**9 + int(rest)
    except (OSError, ValueError):
        pass  # a kernel without time namespaces
    return 0


class ClockWatch(Closing):
    """Waits until the time of day is set, or somebody calls wake()."""

    def __init__(self) -> None:
        self._timer = libc().timerfd_create(time.CLOCK_REALTIME, os.O_NONBLOCK | os.O_CLOEXEC)
        self._bell = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._poll = select.poll()
        self._poll.register(self._bell, select.POLLIN)
        if self._timer >= 0:
            flags = _TFD_TIMER_ABSTIME | _TFD_TIMER_CANCEL_ON_SET
            libc().timerfd_settime(self._timer, flags, (ctypes.c_long * 4)(0, 0, _NEVER, 0), None)
            self._poll.register(self._timer, select.POLLIN)

    def wait(self, seconds: float) -> None:
        """Return after that time at the latest."""
        for fd, _ in self._poll.poll(max(0.0, seconds) * 1000):
            with suppress(OSError):  # ECANCELED: the clock was set; the timer goes on
                os.read(fd, 8)

    def wake(self) -> None:
        """End the wait, or the next one."""
        os.eventfd_write(self._bell, 1)

    def close(self) -> None:
        """Close both descriptors."""
        for fd in (self._timer, self._bell):
            if fd >= 0:
                os.close(fd)
        self._timer = self._bell = -1
