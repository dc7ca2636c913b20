"""Decode a frame as nftables does at a netdev ingress hook, after Linux's source.

Where this differs from the reference classifier, the two firewalls disagree; known.py has the
reasons by name.
"""

from __future__ import annotations

from dataclasses import replace

from tests.support.oracle.reference.packet import ICMP, ICMPV6, SCTP, TCP, UDP, Packet

TAGS = (0x8100, 0x88A8)
STEPPED_OVER = (0, 43, 44, 60)
"""ipv6_ext_hdr(), without AH, where nftables stops."""


def be(data: bytes) -> int:
    return int.from_bytes(data, "big")


def decode_as_nftables(frame: bytes) -> Packet:
    """The fields as nftables sees them; None is also what it can't read: nothing matches then."""
    packet = Packet(len(frame))
    kind, at = be(frame[12:14]), 14
    if kind in TAGS:  # Linux takes the outer tag off ahead of the hook
        packet = replace(packet, vlan=be(frame[14:16]) & 0xFFF)
        kind, at = be(frame[16:18]), 18
    packet = replace(packet, ethertype=kind if kind >= 0x600 else None)
    if kind == 0x0800:
        return _ipv4(replace(packet, family=4), frame[at:])
    if kind == 0x86DD:
        return _ipv6(replace(packet, family=6), frame[at:])
    return packet


def _field(data: bytes, start: int, end: int) -> int | None:
    return be(data[start:end]) if len(data) >= end else None


def _ipv4(packet: Packet, data: bytes) -> Packet:
    """Each field by itself, where its bytes are; the protocol only of a header that is whole."""
    part = _field(data, 6, 8)
    fragment = None
    if part is not None:
        fragment = "later" if part & 0x1FFF else "first" if part & 0x2000 else "none"
    packet = replace(
        packet,
        length=_field(data, 2, 4),
        ttl=_field(data, 8, 9),
        src=_field(data, 12, 16),
        dst=_field(data, 16, 20),
        fragment=fragment,
    )
    if len(data) < 20:
        return packet
    header, total = 4 * (data[0] & 15), be(data[2:4])
    if data[0] >> 4 != 4 or header < 20 or len(data) < total or total < header:
        return packet
    return _upper(replace(packet, proto=data[9]), data[header:])


def _ipv6(packet: Packet, data: bytes) -> Packet:
    payload = _field(data, 4, 6)
    packet = replace(
        packet,
        length=None if payload is None else 40 + payload,
        ttl=_field(data, 7, 8),
        src=_field(data, 8, 24),
        dst=_field(data, 24, 40),
        fragment=_fragment6(data),
    )
    if len(data) < 40 or data[0] >> 4 != 6 or len(data) < 40 + (payload or 0):
        return packet
    at, following = 40, data[6]
    while following in (*STEPPED_OVER, 51):
        if len(data) < at + 2:
            return packet
        if following == 51:
            break
        if following == 44:
            offset = _field(data, at + 2, at + 4)
            if offset is None:
                return packet
            if offset & ~7:
                if data[at] in (*STEPPED_OVER, 51):
                    return packet
                # Where the upper layer begins is left at 0: it reads the IPv6 header as one.
                return _upper(replace(packet, proto=data[at]), data)
            following, at = data[at], at + 8
        else:
            following, at = data[at], at + 8 * (data[at + 1] + 1)
    return _upper(replace(packet, proto=following), data[at:])


def _fragment6(data: bytes) -> str:
    """Of the first fragment header that it finds, stepping over AH too; one cut off is none."""
    if len(data) < 40:
        return "none"
    at, following = 40, data[6]
    while following in (*STEPPED_OVER, 51):
        if following == 44:
            offset = _field(data, at + 2, at + 4)
            if offset is None:
                return "none"
            return "later" if offset & ~7 else "first" if offset & 1 else "none"
        if len(data) < at + 2:
            return "none"
        size = 4 * (data[at + 1] + 2) if following == 51 else 8 * (data[at + 1] + 1)
        following, at = data[at], at + size
    return "none"


def _upper(packet: Packet, data: bytes) -> Packet:
    """What stands where an upper layer would be, a later fragment's payload included."""
    if packet.proto in (TCP, UDP, SCTP):
        packet = replace(packet, sport=_field(data, 0, 2), dport=_field(data, 2, 4))
    if packet.proto == TCP:
        packet = replace(packet, tcp_flags=_field(data, 13, 14))
    if (packet.family, packet.proto) in ((4, ICMP), (6, ICMPV6)):
        packet = replace(packet, icmp_type=_field(data, 0, 1), icmp_code=_field(data, 1, 2))
    return packet
