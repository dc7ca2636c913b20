"""What is known about one frame: each field that a rule may name, or why it can't be read."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias

from xdpwall.rule.match import VLAN_NONE

TCP, UDP, SCTP, ICMP, ICMPV6 = 6, 17, 132, 1, 58


@dataclass(frozen=True, slots=True)
class Hidden:
    """In place of a value: the field is there, or may be, but can't be read."""

    why: str


Field: TypeAlias = int | str | Hidden | None
"""A value; Hidden; or None, when the packet has no such field (the ports of an ICMP message)."""

L4 = ("sport", "dport", "tcp_flags", "icmp_type", "icmp_code")
L3 = ("src", "dst", "length", "ttl", "fragment", "proto")
LINK = ("vlan", "ethertype", "family")


@dataclass(frozen=True, slots=True)
class Packet:
    """One frame's fields. `size` is in bytes, from the Ethernet header."""

    size: int
    vlan: Field = VLAN_NONE
    ethertype: Field = None
    family: Field = None
    """4, 6, or None for a frame that is neither; Hidden: whether it is IP is open."""
    src: Field = None
    dst: Field = None
    length: Field = None
    ttl: Field = None
    fragment: Field = None
    """"none", "first" or "later"."""
    proto: Field = None
    sport: Field = None
    dport: Field = None
    tcp_flags: Field = None
    icmp_type: Field = None
    icmp_code: Field = None
    neighbor_discovery: bool = False
    """Or multicast listener discovery: what the policy of that name is about."""
    key: tuple[int, ...] | None = None
    """What the fragments of one datagram have in common; None: it is judged by itself."""
    offset: int = 0
    """The fragment's, in units of 8 bytes."""

    def hiding(self, fields: Iterable[str], why: str) -> Packet:
        """The same with these fields unreadable."""
        changes: dict[str, Any] = {name: Hidden(why) for name in fields}
        return replace(self, **changes)

    def hiding_l4(self, why: str) -> Packet:
        """The same with those L4 fields unreadable that its protocol has, all if it is unknown."""
        if isinstance(self.proto, Hidden):
            return self.hiding(L4, why)
        return self.hiding(l4_fields(self.family, self.proto), why)

    @property
    def hidden(self) -> dict[str, str]:
        """The fields that can't be read, and why."""
        values = {name: getattr(self, name) for name in (*LINK, *L3, *L4)}
        return {name: value.why for name, value in values.items() if isinstance(value, Hidden)}


def l4_fields(family: Field, proto: Field) -> tuple[str, ...]:
    """The fields behind the IP headers that packets of a protocol have."""
    if proto == TCP:
        return ("sport", "dport", "tcp_flags")
    if proto in (UDP, SCTP):
        return ("sport", "dport")
    if (family, proto) in ((4, ICMP), (6, ICMPV6)):
        return ("icmp_type", "icmp_code")
    return ()


FragmentKind: TypeAlias = Literal["none", "first", "later"]
