"""A thread of the service for what ends: it takes expired entries out of sets, and has endings
computed anew when somebody sets the clock."""

from __future__ import annotations

from contextlib import suppress

from xdpwall.errors import XdpwallError
from xdpwall.instance.instance import Instance
from xdpwall.kernel.clock import ClockWatch

from .background import Background
from .transactions import writing

_LOOK = 60.0
"""Seconds between looks when no expiry is due earlier: other processes add entries too."""

_LOOK_AT_CLOCK = 1.0
"""Seconds between looks while the clock is behind: nothing tells that it is believed from now on."""

_AFTER = 0.1
"""Seconds from an expiry until its entry is taken out, with others that end about then."""


class Expirer(Background):
    """Wakes up for the next expiry and when the clock is set; wake() it when an entry with an earlier
    expiry may have come."""

    name = "xdpwall-expire"

    def __init__(self, instance: Instance) -> None:
        self._watch = ClockWatch()
        super().__init__(instance)

    def wake(self) -> None:
        """Let the thread look for work."""
        self._watch.wake()

    def close(self) -> None:
        """End the thread and wait for it."""
        self._ending = True
        self._watch.wake()
        self._thread.join()
        self._watch.close()

    def _run(self) -> None:
        while not self._ending:
            self._watch.wait(self._seconds_left())

    def _seconds_left(self) -> float:
        """Do what is due and return the seconds until the next look. The work itself is done by
        recovery, with which every writer begins."""
        look = _LOOK
        with suppress(XdpwallError):
            with self._instance.lock.threads:
                clock = self._instance.clock
                clock.look()
                look = _LOOK_AT_CLOCK if clock.waiting else _LOOK
                stale = clock.outdated and self._instance.dataplane() is not None
                ends, now = self._instance.store.sets.next_expiry(), clock.seconds()
            if not stale and (ends is None or ends + _AFTER > now):
                return look if ends is None else min(look, ends + _AFTER - now)
            with writing(self._instance, while_waiting=True):
                has_maps = self._instance.dataplane() is not None
            return _AFTER if has_maps else look
        return look
