"""Bytes to fields: the table of what can be read, one function for each kind of header."""

from __future__ import annotations

import ipaddress
from dataclasses import replace

from tests.support.oracle.reference.packet import (
    L3,
    L4,
    LINK,
    SCTP,
    TCP,
    UDP,
    Field,
    FragmentKind,
    Hidden,
    Packet,
    l4_fields,
)

TAGS = (0x8100, 0x88A8, 0x9100)
IPV4, IPV6 = 0x0800, 0x86DD
HOP_BY_HOP, ROUTING, FRAGMENT, AH, OPTIONS = 0, 43, 44, 51, 60
MOBILITY, HIP, SHIM6 = 135, 139, 140
EXTENSIONS = (HOP_BY_HOP, ROUTING, FRAGMENT, AH, OPTIONS, MOBILITY, HIP, SHIM6)
MOST_EXTENSIONS = 8
PAD1, PADN, ROUTER_ALERT = 0, 1, 5
LINK_LOCAL = ipaddress.IPv6Network("fe80::/10")
NOT_SEEN = "the first fragment was not seen"
NESTED = "behind a second fragment header"


def decode(frame: bytes, stripped: int | None = None) -> Packet:
    """The fields of a frame, as if no fragment had been met before it.

    `stripped` is the id of a tag that travels beside the frame, which only tc sees.
    """
    size = len(frame)
    if size < 14:
        return Packet(size).hiding((*LINK, *L3, *L4), "the Ethernet header is cut off")
    tags = [] if stripped is None else [stripped]
    ethertype, at = _be(frame[12:14]), 14
    while ethertype in TAGS:
        if len(tags) == 2:
            third = Packet(size, vlan=tags[0])
            return third.hiding(("ethertype", "family", *L3, *L4), "behind a third VLAN tag")
        if size < at + 4:
            return Packet(size).hiding((*LINK, *L3, *L4), "a VLAN tag is cut off")
        tags.append(_be(frame[at : at + 2]) & 0x0FFF)
        ethertype, at = _be(frame[at + 2 : at + 4]), at + 4
    packet = Packet(size, ethertype=ethertype)
    if tags:
        packet = replace(packet, vlan=tags[0])
    if ethertype < 0x0600:
        return replace(packet, ethertype=None)  # a length: LLC, which has no ethertype
    if ethertype == IPV4:
        return _ipv4(replace(packet, family=4), frame[at:])
    if ethertype == IPV6:
        return _ipv6(replace(packet, family=6), frame[at:])
    return packet


def _ipv4(packet: Packet, data: bytes) -> Packet:
    """`data`: from the IPv4 header to the frame's end."""
    fault = _fault_of_ipv4_header(data)
    if fault:
        return packet.hiding((*L3, *L4), fault)
    header, total = 4 * (data[0] & 15), _be(data[2:4])
    more, offset = bool(data[6] & 0x20), _be(data[6:8]) & 0x1FFF
    ident, proto, src, dst = _be(data[4:6]), data[9], _be(data[12:16]), _be(data[16:20])
    kind = _kind(offset, more)
    packet = replace(
        packet,
        src=src,
        dst=dst,
        length=total,
        ttl=data[8],
        fragment=kind,
        proto=proto,
        key=None if kind == "none" else (4, src, dst, ident, proto),
        offset=offset,
    )
    if kind == "later":
        return packet.hiding(L4, NOT_SEEN)
    return _upper_layer(packet, data[:total][header:])


def _fault_of_ipv4_header(data: bytes) -> str | None:
    if len(data) < 20:
        return "the IPv4 header is cut off"
    version, words = data[0] >> 4, data[0] & 15
    if version != 4:
        return f"the IPv4 header says version {version}"
    if words < 5:
        return f"the IPv4 header says that it has {words} words"
    if len(data) < 4 * words:
        return "the IPv4 header's options are cut off"
    if _be(data[2:4]) < 4 * words:
        return "the IPv4 total length is below the header's"
    return None


def _ipv6(packet: Packet, data: bytes) -> Packet:
    """`data`: from the IPv6 header to the frame's end."""
    if len(data) < 40:
        return packet.hiding((*L3, *L4), "the IPv6 header is cut off")
    if data[0] >> 4 != 6:
        return packet.hiding((*L3, *L4), f"the IPv6 header says version {data[0] >> 4}")
    payload, following, hops = _be(data[4:6]), data[6], data[7]
    length: Field = 40 + payload
    if payload == 0 and following == HOP_BY_HOP:
        length = Hidden("a jumbogram's length is in an option")
    else:
        data = data[: 40 + payload]
    src, dst = _be(data[8:24]), _be(data[24:40])
    packet = replace(packet, src=src, dst=dst, length=length, ttl=hops, fragment="none")
    packet = _extensions(packet, following, data)
    if following == 58 and hops == 255 and packet.icmp_type in range(133, 138):
        packet = replace(packet, neighbor_discovery=True)
    if following == HOP_BY_HOP and _is_listener_discovery(packet, data[40:48]):
        packet = replace(packet, neighbor_discovery=True)
    return packet


def _is_listener_discovery(packet: Packet, header: bytes) -> bool:
    """RFC 3810 section 5; `header`: the first 8 bytes behind the IPv6 header, which are hop-by-hop."""
    if packet.icmp_type not in (130, 131, 132, 143) or packet.ttl != 1:
        return False
    if isinstance(packet.length, Hidden) or not isinstance(packet.src, int):
        return False
    if packet.src != 0 and ipaddress.IPv6Address(packet.src) not in LINK_LOCAL:
        return False
    following, units = header[:2]
    return (following, units) == (58, 0) and _options(header[2:]) == [(ROUTER_ALERT, b"\0\0")]


def _options(data: bytes) -> list[tuple[int, bytes]] | None:
    """(type, data) of each option but padding; None where one goes beyond the end."""
    found = []
    while data:
        if data[0] == PAD1:
            data = data[1:]
            continue
        if len(data) < 2 or len(data) < 2 + data[1]:
            return None
        if data[0] != PADN:
            found.append((data[0], data[2 : 2 + data[1]]))
        data = data[2 + data[1] :]
    return found


def _extensions(packet: Packet, following: int, data: bytes) -> Packet:
    """Step over the extension headers of an IPv6 packet whose own bytes are `data`."""
    at, met, fragment_headers = 40, 0, 0
    while following in EXTENSIONS:
        met += 1
        is_fragment = packet.fragment != "none"
        if following == FRAGMENT and is_fragment:
            return packet.hiding(("proto", *L4), NESTED)
        fault = _fault_of_extension(following, met, data[at:])
        if fault:  # and a fragment header may follow
            lost = ("proto", *L4) if is_fragment else ("fragment", "proto", *L4)
            return packet.hiding(lost, fault)
        header, number = data[at:], following
        following = header[0]
        at += _extension_size(number, header)
        if number != FRAGMENT:
            continue
        fragment_headers += 1
        offset, more = _be(header[2:4]) >> 3, bool(header[3] & 1)
        kind = _kind(offset, more)
        if kind == "none":
            continue  # atomic
        key = (6, _be(data[8:24]), _be(data[24:40]), _be(header[4:8]))
        packet = replace(packet, fragment=kind, key=key, offset=offset)
        if fragment_headers > 1:  # the ones before are atomic
            return _nested(packet)
        if kind == "later":
            return _later6(packet, following)
    if fragment_headers > 1:
        return packet.hiding(("proto", *L4), NESTED)
    return _upper_layer(replace(packet, proto=following), data[at:])


def _nested(packet: Packet) -> Packet:
    """A fragment behind an atomic fragment header: a first one is remembered, with nothing to say."""
    if packet.fragment == "later":
        packet = replace(packet, key=None)
    return packet.hiding(("proto", *L4), NESTED)


def _later6(packet: Packet, following: int) -> Packet:
    """A later fragment's bytes are not headers; `following` is what its fragment header names."""
    if following in EXTENSIONS:
        return packet.hiding(("proto", *L4), NOT_SEEN)
    return replace(packet, proto=following).hiding(L4, NOT_SEEN)


def _fault_of_extension(number: int, met: int, header: bytes) -> str | None:
    """What keeps us from stepping over the extension header at the start of `header`."""
    if met > MOST_EXTENSIONS:
        return f"more than {MOST_EXTENSIONS} extension headers"
    if len(header) < 8:
        return "an extension header is cut off"
    size = _extension_size(number, header)
    if number == AH and size < 12:
        return "an authentication header of under 12 bytes"
    if len(header) < size:
        return "an extension header is cut off"
    return None


def _extension_size(number: int, header: bytes) -> int:
    if number == FRAGMENT:
        return 8
    return 4 * (header[1] + 2) if number == AH else 8 * (header[1] + 1)


def _upper_layer(packet: Packet, data: bytes) -> Packet:
    """`data`: what follows the IP headers, inside the frame and inside the IP packet."""
    fields = l4_fields(packet.family, packet.proto)
    if packet.proto in (TCP, UDP, SCTP):
        if len(data) < 4:
            return packet.hiding(fields, "the ports are cut off")
        packet = replace(packet, sport=_be(data[:2]), dport=_be(data[2:4]))
        if packet.proto == TCP and len(data) < 14:
            return packet.hiding(("tcp_flags",), "the TCP flags are cut off")
        return replace(packet, tcp_flags=data[13]) if packet.proto == TCP else packet
    if fields:
        if len(data) < 2:
            return packet.hiding(fields, "the ICMP header is cut off")
        return replace(packet, icmp_type=data[0], icmp_code=data[1])
    return packet


def _kind(offset: int, more: bool) -> FragmentKind:
    return "later" if offset else "first" if more else "none"


def _be(data: bytes) -> int:
    return int.from_bytes(data, "big")
