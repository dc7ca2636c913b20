"""The maps of events: settings, per-CPU counts, and the ring buffer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from xdpwall import abi
from xdpwall.kernel.jiffies import jiffies_per_second
from xdpwall.views.events import EventCounts, EventSettings

if TYPE_CHECKING:
    from xdpwall.kernel.bpf.maps import Map

EVENT_MAPS = ("events", "event_settings", "event_counts", "event_scratch", "event_limits")


class EventMaps:
    """Reads and writes the maps of events, which the data plane owns."""

    def __init__(self, shared: Mapping[str, Map]) -> None:
        self.ring = shared["events"]
        self._counts = shared["event_counts"]
        self._limits = shared["event_limits"]
        self._settings = np.frombuffer(
            shared["event_settings"].mmap(), dtype=abi.EVENT_SETTINGS, count=1
        )

    def read(self) -> EventSettings:
        """Read the settings."""
        now = self._settings[0]
        return EventSettings(
            enabled=bool(now["enabled"]),
            log_drops=bool(now["log_drops"]),
            sample=round((1 << 32) / (int(now["chance"]) + 1)),
            rate=int(now["rate"]),
            bytes=int(now["bytes"]),
        )

    def write(self, wanted: EventSettings) -> None:
        """Write the settings. Programs that run meanwhile may see some fields old and some new."""
        self._settings["enabled"] = wanted.enabled
        self._settings["log_drops"] = wanted.log_drops
        self._settings["chance"] = (1 << 32) // wanted.sample - 1
        self._settings["rate"] = wanted.rate
        self._settings["second"] = jiffies_per_second()
        self._settings["bytes"] = wanted.bytes

    def needed(self, *, logging: bool) -> bool:
        """Whether programs must read the settings. `logging`: some active rule has `log`."""
        now = self._settings[0]
        asked = bool(now["enabled"]) and (logging or bool(now["log_drops"]))
        return asked or bool(now["tapped"])

    def set_tapped(self, tapped: bool) -> None:
        """Record whether a tap is in use (trace_taps.py), which is independent of the settings."""
        self._settings["tapped"] = tapped

    def counts(self) -> EventCounts:
        """Read the counts, summed over CPUs."""
        raw = np.ascontiguousarray(self._counts.read_percpu([0])).view(abi.EVENT_COUNTS)
        limits = np.ascontiguousarray(self._limits.read_percpu(range(abi.EVENT_LIMITS + 1)))
        return EventCounts(
            **{name: int(raw[name].sum()) for name in abi.EVENT_COUNTS.names or ()},
            limited=int(limits.view(abi.EVENT_LIMIT)["limited"].sum()),
        )
