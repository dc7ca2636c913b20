"""The flow table of a data plane, for tests: compared with the reference tracker, and aged."""

from __future__ import annotations

import numpy as np

from xdpwall.dataplane.dataplane import Dataplane
from xdpwall.dataplane.flow_maps import FIN0, FIN1, tick_shift, ticks_of
from xdpwall.dataplane.flow_table import FAMILIES, FlowTable, KernelFlow
from xdpwall.values.arrays import Array

_ICMP = {"ipv4": 1, "ipv6": 58}


class Flows:
    """The flow table, by the reference tracker's keys."""

    def __init__(self, dataplane: Dataplane) -> None:
        self._dataplane = dataplane
        self.table = FlowTable(dataplane.map_set.maps)
        self._held = self._tick()

    def flows(self) -> list[KernelFlow]:
        """All live flows."""
        jiffies = self._dataplane.control.jiffies()
        return [
            flow
            for family in FAMILIES
            for flow in self.table.read(family, self.table.live(family, jiffies), jiffies)
        ]

    def listed(self) -> dict[tuple[object, ...], tuple[bool, int, bool, bool, bool]]:
        """Key -> (replied, FINs, reset, assured, picked up)."""
        return {_key(flow): self._facts(flow) for flow in self.flows()}

    def remaining(self) -> dict[tuple[object, ...], float]:
        """Key -> seconds until the deadline."""
        return {_key(flow): flow.expires for flow in self.flows()}

    def _facts(self, flow: KernelFlow) -> tuple[bool, int, bool, bool, bool]:
        rest = self.table._flows(flow.family)["rest"][flow.place]
        flags = int(rest["ports_meta"]) >> 8 & 0xFF
        fins = (flags & (FIN0 | FIN1)).bit_count()
        return bool(flags & 2), fins, bool(flags & 16), flow.assured, flow.picked_up

    def flush(self) -> None:
        """Forget all flows."""
        self._held = self._tick()
        for family in FAMILIES:
            self.table.flush(family)

    def hold(self) -> None:
        """Let time stand still for all flows since the last call, or since the table was flushed."""
        now = self._tick()
        self._shift(self._held - now)
        self._held = now

    def age(self, seconds: int) -> None:
        """Let all flows be so much older, as if time had gone by."""
        self.hold()
        self.grow_older(seconds)

    def grow_older(self, seconds: int) -> None:
        """Let so much time go by, besides that which did."""
        self.table.sweep(self._dataplane.control.jiffies())
        self._shift(ticks_of(seconds, tick_shift()))

    def end_at_once(self) -> None:
        """Give all flows the deadline of the one that ends first, as if they had come in one moment."""
        for family in FAMILIES:
            words, flows = self.table._words(family), self.table._flows(family)
            held = np.flatnonzero(words)
            if len(held):
                least = flows["rest"]["deadline"][held].min()
                flows["rest"]["deadline"][held] = least
                words[held] = words[held] & np.uint32(0xFFFF0000) | least & np.uint32(0xFFFF)

    def _tick(self) -> int:
        return self._dataplane.control.jiffies() >> tick_shift()

    def _shift(self, ticks: int) -> None:
        """Move all deadlines by so many ticks towards the past; what is over then is forgotten."""
        for family in FAMILIES:
            words, flows = self.table._words(family), self.table._flows(family)
            held = np.flatnonzero(words)
            low = (words[held].astype("<i8") - ticks) & 0xFFFF
            words[held] = words[held] & np.uint32(0xFFFF0000) | low.astype("<u4")
            moved = flows["rest"]["deadline"][held].astype("<i8") - ticks
            flows["rest"]["deadline"][held] = (moved & 0xFFFFFFFF).astype("<u4")
            words[held[self._left(flows, held) < 0]] = 0

    def _left(self, flows: Array, held: Array) -> Array:
        now = self._dataplane.control.jiffies() >> tick_shift() & 0xFFFFFFFF
        left: Array = (flows["rest"]["deadline"][held] - np.uint32(now)).view("<i4")
        return left


def _key(flow: KernelFlow) -> tuple[object, ...]:
    ends = [(str(address), port) for address, port in (flow.origin, flow.reply)]
    if flow.proto == _ICMP[flow.family]:
        asker = flow.asker_is_origin
        ends = [
            (address, port if asker == (n == 0) else -1) for n, (address, port) in enumerate(ends)
        ]
    return (4 if flow.family == "ipv4" else 6, flow.proto, frozenset(ends))
