"""Packets of flows as values, and as frames."""

from __future__ import annotations

import struct
from dataclasses import dataclass, replace
from typing import Literal

from tests.support.packets.frames import Layer, ether, fragment6, ipv4, ipv6, option, raw, tag

TCP, UDP, SCTP, ICMP, ICMPV6, IGMP, GRE = 6, 17, 132, 1, 58, 2, 47
FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16

Fragment = Literal["none", "first", "later"]


@dataclass(frozen=True)
class FlowPacket:
    """One packet. `ident` is an echo's; `quote` is what an ICMP error quotes."""

    family: Literal[4, 6]
    proto: int
    src: str
    dst: str
    sport: int = 0
    dport: int = 0
    flags: int = 0
    seq: int = 0
    ack: int = 0
    icmp_type: int = 0
    ident: int = 0
    quote: FlowPacket | None = None
    fragment: Fragment = "none"
    datagram: int = 1
    """The identification that fragments share."""

    def back(self, **changes: object) -> FlowPacket:
        """The same in the other direction."""
        turned = replace(self, src=self.dst, dst=self.src, sport=self.dport, dport=self.sport)
        return replace(turned, **changes)  # type: ignore[arg-type]

    @property
    def is_icmp(self) -> bool:
        """ICMP of its own family."""
        return self.proto == (ICMP if self.family == 4 else ICMPV6)

    def layer4(self) -> bytes:
        """The bytes behind the IP header."""
        if self.proto == TCP:
            return struct.pack(
                "!HHIIBBHHH",
                *(self.sport, self.dport, self.seq, self.ack, 5 << 4, self.flags, 1024, 0, 0),
            )
        if self.proto == UDP:
            return struct.pack("!HHHH", self.sport, self.dport, 16, 0) + b"payload."
        if self.proto == SCTP:
            return struct.pack("!HHIIBBH", self.sport, self.dport, 1, 0, 11, 0, 4)
        if self.is_icmp:
            head = struct.pack("!BBHHH", self.icmp_type, 0, 0, self.ident, 1)
            return head + (self.quote.packet().data if self.quote else b"echo.....")
        return b"sixteen bytes..."

    def packet(self, *, extension: bool = False) -> Layer:
        """The IP packet. `extension`: behind a destination options header, or IPv4 options."""
        data = self.layer4()
        more, offset = self.fragment == "first", 0
        if self.fragment == "later":
            data, offset = b"fragment" * 2, 100
        inner = raw(self.proto, data)
        if self.family == 4:
            options = b"\x01" * 4 if extension else b""
            return ipv4(
                inner,
                src=self.src,
                dst=self.dst,
                ident=self.datagram,
                more=more,
                offset=offset,
                options=options,
            )
        if self.fragment != "none":
            inner = fragment6(inner, offset=offset, more=more, ident=self.datagram)
        if extension:
            inner = option(60, inner)
        return ipv6(inner, src=self.src, dst=self.dst)

    def frame(self, *, extension: bool = False, vlan: int | None = None) -> bytes:
        """The frame."""
        packet = self.packet(extension=extension)
        return ether(packet if vlan is None else tag(packet, vlan), pad=60)
