"""The kernel's side of events: their settings and counts, and the ring buffer's map."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from xdpwall import abi
from xdpwall.views.events import EventCounts, EventSettings

if TYPE_CHECKING:
    from xdpwall.kernel.bpf.maps import Map

_MONOTONIC_COARSE = 6  # linux/time.h; its resolution is the kernel's tick

EVENT_MAPS = ("events", "event_settings", "event_counts", "event_scratch", "event_limits")


class EventMaps:
    """Over the instance's shared maps, which stay the data plane's."""

    def __init__(self, shared: Mapping[str, Map]) -> None:
        self.ring = shared["events"]
        self._counts = shared["event_counts"]
        self._limits = shared["event_limits"]
        self._settings = np.frombuffer(
            shared["event_settings"].mmap(), dtype=abi.EVENT_SETTINGS, count=1
        )

    def read(self) -> EventSettings:
        """The settings in force."""
        now = self._settings[0]
        return EventSettings(
            enabled=bool(now["enabled"]),
            log_drops=bool(now["log_drops"]),
            sample=round((1 << 32) / (int(now["chance"]) + 1)),
            rate=int(now["rate"]),
            bytes=int(now["bytes"]),
        )

    def write(self, wanted: EventSettings) -> None:
        """In force with the next packet; packets meanwhile may see some fields old, some new."""
        self._settings["enabled"] = wanted.enabled
        self._settings["log_drops"] = wanted.log_drops
        self._settings["chance"] = (1 << 32) // wanted.sample - 1
        self._settings["rate"] = wanted.rate
        self._settings["second"] = _jiffies()
        self._settings["bytes"] = wanted.bytes

    def needed(self, *, logging: bool) -> bool:
        """Must programs look at the settings? `logging`: some rule in force has `log`."""
        now = self._settings[0]
        asked = bool(now["enabled"]) and (logging or bool(now["log_drops"]))
        return asked or bool(now["tapped"])

    def set_tapped(self, tapped: bool) -> None:
        """Somebody traces what we drop (trace_taps.py), whatever the settings are."""
        self._settings["tapped"] = tapped

    def counts(self) -> EventCounts:
        """Summed over CPUs."""
        raw = np.ascontiguousarray(self._counts.read_percpu([0])).view(abi.EVENT_COUNTS)
        limits = np.ascontiguousarray(self._limits.read_percpu(range(abi.EVENT_LIMITS + 1)))
        return EventCounts(
            **{name: int(raw[name].sum()) for name in abi.EVENT_COUNTS.names or ()},
            limited=int(limits.view(abi.EVENT_LIMIT)["limited"].sum()),
        )


def _jiffies() -> int:
    """Of a second: the kernel's HZ, which it tells programs nowhere else."""
    return round(1 / time.clock_getres(_MONOTONIC_COARSE))
