"""Events: single packets as records, the settings that decide which are made, and their counts."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from xdpwall.values.terms import Direction, Place

from .base import View
from .packet import PacketFields


class EventSettings(View):
    """Which packets become events. Changed live; kept over reboots."""

    enabled: bool = True
    """Off: not even rules with `log` report."""
    log_drops: bool = False
    """Report each dropped packet, not only those of rules with `log`."""
    sample: int = Field(default=1, ge=1, le=10_000)
    """Report one packet in `sample`, chosen at random."""
    rate: int = Field(default=100, ge=1, le=1_000_000)
    """Reports per second at most, of one rule on one CPU."""
    bytes: int = Field(default=128, ge=0, le=256)
    """Bytes of the frame's beginning in the record."""


class EventCounts(View):
    """What became of the packets that should have been reported, since the maps were made."""

    sent: int = 0
    lost: int = 0
    """The ring buffer was full: nobody read it fast enough."""
    sampled: int = 0
    """Left out by `sample`."""
    limited: int = 0
    """Left out by `rate`."""


class EventsView(View):
    """What `events show` and GET /events/settings say."""

    settings: EventSettings
    counts: EventCounts
    reader: str | None = None
    """Who reads the ring buffer now: "the service" or "xdpwall events", with its process id."""


class EventsOutcome(EventsView):
    """After a change of the settings."""

    changed: bool


class _Report(View):
    """The part of an event in front of the packet's headers: who reported it, and the verdict."""

    n: int
    """Counts up in one run of the reader."""
    time: str
    """UTC with microseconds."""
    iface: str
    behind: str | None = None
    """What lies behind it by the engine's names: "container web (nginx:1)"."""
    place: Place | None = None
    direction: Direction | None = None
    verdict: Literal["drop", "pass"]
    rule: str | None = None
    """The rule that decided; absent when the policy did; `?` when its id is forgotten."""
    log: str | None = None
    """The rule whose `log` made the event; absent when `log_drops` did."""
    revision: int
    packets: int = 1
    """Of a super-packet (GSO, GRO) at tc: the number of packets in it."""
    bytes: int
    """Of the frame."""
    length: int | None = None
    """Of the IP packet."""
    src_mac: str | None = None
    dst_mac: str | None = None


class PacketEvent(PacketFields, _Report):
    """One packet. What does not apply to it, or could not be read, is absent."""

    answered: bool | None = None
    """A SYN that passed by a rule with `cookie`, and was answered at XDP with the listener's cookie. True or absent."""
    malformed: bool = False
    stripped: bool = False
    """The VLAN tag stood beside the frame, not among its bytes."""
    data: str | None = None
    """The frame's first bytes, in hex."""


class Packets(View):
    """`packets` of GET /events: at most ten times a second."""

    events: list[PacketEvent]
    missed: int = 0
    """Events that were read but not sent on, since too many came at once."""
