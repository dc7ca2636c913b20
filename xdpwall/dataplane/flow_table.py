"""The flow table in the kernel: listed, flushed and swept by its memory, while packets change it.

A flush stores zeros into index words. A packet that moves a deadline exchanges the word by comparison,
so that it cannot bring back what was flushed; a word that is being written (`claimed`) is left alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Literal, NamedTuple

import numpy as np

from xdpwall.kernel.bpf.maps import Map
from xdpwall.values.arrays import Array

from .flow_maps import (
    ASKER1,
    ASSURED,
    CLAIMED,
    COUNTS,
    FIN0,
    FIN1,
    FLOW4,
    FLOW6,
    ORIGIN,
    PICKED_UP,
    REPLIED,
    RESET,
    SYN_ACK,
    places_of,
    seconds_of,
    tick_shift,
)
from .percpu_counters import sum_percpu

Family = Literal["ipv4", "ipv6"]
FlowState = Literal["new", "established", "closing", "closed"]
Address = IPv4Address | IPv6Address
FAMILIES: tuple[Family, ...] = ("ipv4", "ipv6")
_TCP = 6
_WITH_PORTS = (6, 17, 132)


class KernelFlow(NamedTuple):
    """One live flow."""

    family: Family
    proto: int
    origin: tuple[Address, int]
    """Address and port of who sent the packet that made it; of an echo the identifier."""
    reply: tuple[Address, int]
    state: FlowState
    """`new`: no reply yet; `closing`: one side has sent a FIN; `closed`: both have, or a reset."""
    assured: bool
    picked_up: bool
    age: float | None
    """Seconds since it was made; None: of TCP in its handshake, whose place has another number."""
    expires: float
    """Seconds until its deadline."""
    packets: int
    slot: int | None
    """Of the rule that made it; None: a policy did."""
    asker_is_origin: bool
    """Of an echo: the asker's packet made it, as almost always."""
    zone: int
    """The number of the interface, for link-local addresses, else 0."""
    place: int


class MadeBy(NamedTuple):
    """Flows with a rule's slot that are from `youngest` to `oldest` seconds old; None is no bound."""

    slot: int
    youngest: float = 0
    oldest: float | None = None


class WantedFlows(NamedTuple):
    """Which flows; None is any."""

    proto: int | None = None
    origin: IPv4Network | IPv6Network | None = None
    reply: IPv4Network | IPv6Network | None = None
    port: int | None = None
    """Of TCP, UDP and SCTP."""
    zone: int | None = None
    """The number of an interface: link-local flows of it."""
    state: FlowState | None = None
    makers: tuple[MadeBy, ...] | None = None


class FlowTable:
    """The flow table in an instance's open maps. Not thread-safe."""

    def __init__(self, maps: Mapping[str, Map]) -> None:
        self._maps = maps
        self.places = places_of(maps)
        """How many flows of a family there is room for."""
        self._shift = tick_shift()

    def live(self, family: Family, jiffies: int) -> Array:
        """The places of the live flows, ascending; `jiffies` is jiffies64 now."""
        now, words = self._now(jiffies), self._words(family)
        left = (words - np.uint32(now)).astype("<u2").view("<i2")
        found = np.flatnonzero((words >> 16 > CLAIMED) & (left >= 0))
        deadlines = self._flows(family)["rest"]["deadline"][found]
        alive: Array = found[(deadlines - np.uint32(now)).view("<i4") >= 0]
        return alive

    def select(self, wanted: WantedFlows | None, jiffies: int) -> dict[Family, Array]:
        """The places of the live flows that are wanted, by family."""
        return {
            family: self._selected(family, wanted, self.live(family, jiffies), self._now(jiffies))
            for family in FAMILIES
        }

    def _selected(
        self, family: Family, wanted: WantedFlows | None, places: Array, now: int
    ) -> Array:
        if wanted is None or not len(places):
            return places
        flows = self._flows(family)[places]
        word = flows["rest"]["ports_meta"]
        good = np.ones(len(places), bool)
        if wanted.proto is not None:
            good &= word & np.uint64(0xFF) == wanted.proto
        if wanted.port is not None:
            low = word >> np.uint64(32) & np.uint64(0xFFFF)
            good &= np.isin(
                word & np.uint64(0xFF), _WITH_PORTS
            )  # others have an echo's identifier, or 0
            good &= (word >> np.uint64(48) == wanted.port) | (low == wanted.port)
        if wanted.zone is not None:
            good &= flows["rest"]["zone"] & ~np.uint32(ASKER1) == wanted.zone
        if wanted.makers is not None:
            good &= self._made_by(wanted.makers, flows["rest"], now)
        flags = (word >> np.uint64(8) & np.uint64(0xFF)).astype("u1")
        if wanted.state is not None:
            alike = [number for number in range(256) if _state(number) == wanted.state]
            good &= np.isin(flags, alike)
        if wanted.origin is not None or wanted.reply is not None:
            good &= _between(flows, flags & ORIGIN, wanted.origin, wanted.reply)
        found: Array = places[good]
        return found

    def _made_by(self, makers: Sequence[MadeBy], rest: Array, now: int) -> Array:
        """(n,) bool: the flows that one of the makers made."""
        slots = (rest["ports_meta"] >> np.uint64(16) & np.uint64(0xFFFF)).astype(np.int64) - 1
        ages, good = self._ages(rest, now), np.zeros(len(rest), bool)
        for slot, youngest, oldest in makers:
            good |= (slots == slot) & (ages >= youngest) & (ages <= (oldest or np.inf))
        return good

    def _ages(self, rest: Array, now: int) -> Array:
        """(n,) seconds since they were made; 0 of TCP in its handshake, which does not tell."""
        word = rest["ports_meta"]
        flags = word >> np.uint64(8) & np.uint64(SYN_ACK | ASSURED)
        handshake = (word & np.uint64(0xFF) == _TCP) & (flags == SYN_ACK)
        ticks = (np.uint32(now) - rest["number"]).view("<i4").clip(0)
        ages: Array = np.where(handshake, 0, ticks) * seconds_of(1, self._shift)
        return ages

    def oldest(self, selected: Mapping[Family, Array], jiffies: int) -> float:
        """The age in seconds of the oldest of these flows."""
        now = self._now(jiffies)
        ages = [
            self._ages(self._flows(family)["rest"][places], now)
            for family, places in selected.items()
        ]
        return float(max((one.max() for one in ages if len(one)), default=0))

    def read_selected(
        self, selected: Mapping[Family, Array], jiffies: int, limit: int, top: bool
    ) -> list[KernelFlow]:
        """At most `limit` of the flows at these places; `top`: those with most packets, in that order."""
        found: list[KernelFlow] = []
        for family, places in selected.items():
            if top:
                packets = self._flows(family)["rest"]["packets"][places]
                places = places[np.argsort(packets)[::-1][:limit]]
            found += self.read(family, places[:limit], jiffies)
        if top:
            found.sort(key=lambda flow: flow.packets, reverse=True)
        return found[:limit]

    def read(self, family: Family, places: Array, jiffies: int) -> Iterator[KernelFlow]:
        """The flows at these places, which may have gone to others since they were found."""
        now = self._now(jiffies)
        flows = self._flows(family)[places]
        for place, one in zip(places.tolist(), flows, strict=True):
            yield self._flow(family, place, one, now)

    def _flow(self, family: Family, place: int, one: Array, now: int) -> KernelFlow:
        rest = one["rest"]
        word = int(rest["ports_meta"])
        flags, proto, zone = word >> 8 & 0xFF, word & 0xFF, int(rest["zone"])
        ends = [*zip(_addresses(family, one), (word >> 48, word >> 32 & 0xFFFF), strict=True)]
        first = flags & ORIGIN
        handshake = proto == _TCP and flags & SYN_ACK and not flags & ASSURED
        slot = word >> 16 & 0xFFFF
        return KernelFlow(
            family=family,
            proto=proto,
            origin=ends[first],
            reply=ends[1 - first],
            state=_state(flags),
            assured=bool(flags & ASSURED),
            picked_up=bool(flags & PICKED_UP),
            age=None if handshake else self._seconds(now - int(rest["number"])),
            expires=self._seconds(int(rest["deadline"]) - now),
            packets=int(rest["packets"]),
            slot=slot - 1 if slot else None,
            asker_is_origin=bool(zone & ASKER1) == bool(first),
            zone=zone & ~ASKER1,
            place=place,
        )

    def _seconds(self, ticks: int) -> float:
        return max(0.0, seconds_of(ticks & 0xFFFFFFFF, self._shift)) if ticks > -(1 << 31) else 0.0

    def flush(self, family: Family, places: Array | None = None) -> int:
        """Forget the flows at these places, None for all. Returns how many words it cleared."""
        words = self._words(family)
        held = words if places is None else words[places]
        at = np.flatnonzero(held >> 16 > CLAIMED)
        if places is not None:
            at = places[at]
        words[at] = 0
        return len(at)

    def sweep(self, jiffies: int) -> int:
        """Clear the words of flows that are over: after nine hours their 16 bits would wrap, and they
        would keep their places from others. Returns how many."""
        now, cleared = self._now(jiffies), 0
        for family in FAMILIES:
            words = self._words(family)
            held = np.flatnonzero(words >> 16 > CLAIMED)
            deadlines = self._flows(family)["rest"]["deadline"][held]
            # A margin: a packet may be moving the deadline.
            over = held[(deadlines - np.uint32(now)).view("<i4") < -2]
            words[over] = 0
            cleared += len(over)
        return cleared

    def counts(self) -> dict[str, int]:
        """The counters by name (flow_maps.COUNTS), since the maps were made."""
        (row,) = sum_percpu(self._maps["flow_counts"], [0]).tolist()
        return dict(zip(COUNTS, row, strict=True))

    def _now(self, jiffies: int) -> int:
        return jiffies >> self._shift & 0xFFFFFFFF

    def _words(self, family: Family) -> Array:
        name = "flow_index4" if family == "ipv4" else "flow_index6"
        words: Array = np.frombuffer(self._maps[name].mmap(), "<u4")
        return words[: self.places]

    def _flows(self, family: Family) -> Array:
        name, kind = ("flows4", FLOW4) if family == "ipv4" else ("flows6", FLOW6)
        flows: Array = np.frombuffer(self._maps[name].mmap(), kind, self.places)
        return flows


def _between(
    flows: Array,
    first: Array,
    origin: IPv4Network | IPv6Network | None,
    reply: IPv4Network | IPv6Network | None,
) -> Array:
    """(n,) bool: the flows from `origin` to `reply`; `first` is the endpoint that is the origin."""
    four = flows.dtype == FLOW4
    size = 4 if four else 16
    ends = flows["addresses"]
    # As bytes in network order, endpoint 0's first: (n, 2, size).
    both = ends.astype(">u8").view("u1") if four else np.ascontiguousarray(ends)
    both = both.reshape(len(flows), 2, size)
    good = np.ones(len(flows), bool)
    rows = np.arange(len(flows))
    for network, end in ((origin, first), (reply, 1 - first)):
        if network is None:
            continue
        if network.max_prefixlen != 8 * size:
            return np.zeros(len(flows), bool)
        address = np.frombuffer(network.network_address.packed, "u1")
        mask = np.frombuffer(network.netmask.packed, "u1")
        good &= ((both[rows, end] & mask) == address).all(axis=1)
    return good


def _addresses(family: Family, one: Array) -> tuple[Address, Address]:
    if family == "ipv4":
        both = int(one["addresses"])
        return IPv4Address(both >> 32), IPv4Address(both & 0xFFFFFFFF)
    raw = one["addresses"].tobytes()
    return IPv6Address(raw[:16]), IPv6Address(raw[16:])


def _state(flags: int) -> FlowState:
    fins = flags & (FIN0 | FIN1)
    if flags & RESET or fins == FIN0 | FIN1:
        return "closed"
    if fins:
        return "closing"
    return "established" if flags & REPLIED else "new"
