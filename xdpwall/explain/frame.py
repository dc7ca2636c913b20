"""A packet as the bytes that the classifier is run on, and what those bytes do not say. Pure."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from xdpwall.dataplane.explaining import MOST_RUN, FirstFragment, Question
from xdpwall.errors import InvalidInput
from xdpwall.values.terms import Place

from .words import ICMP, PORTS, TCP, AskedPacket

HEADER = 14
_MACS = bytes.fromhex("020000000002020000000001")
_TAGS = (b"\x81\x00", b"\x88\xa8")
"""The tags that the kernel takes off the frame before tc (skb_vlan_untag())."""
_IP_HEADERS = {b"\x08\x00": 20, b"\x86\xdd": 40}
_LATER_UNITS = 185
"""Offset of a later fragment that nobody gave: behind a first one of 1480 bytes."""
_IDENT = 0x7864
_PAYLOAD = 8
_FRAGMENT_HEADER = 44
_LONGEST = {4: 65535, 6: 40 + 65535}


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame, with its VLAN tags in place."""

    data: bytes
    """At least the Ethernet header; perhaps not all of it."""
    length: int
    """Of the whole frame."""
    first: FirstFragment | None = None
    """Of its datagram, where it is a later fragment and that is told."""

    @property
    def tag(self) -> int | None:
        """The id of the outer tag, where it is one that cards and the kernel take off."""
        if self.data[12:14] not in _TAGS or len(self.data) < HEADER + 4:
            return None
        return int.from_bytes(self.data[14:16]) & 0xFFF

    def without_tag(self) -> Frame:
        """The frame when the outer tag was taken off."""
        return Frame(self.data[:12] + self.data[16:], self.length - 4, self.first)

    @property
    def runs_at_tc(self) -> bool:
        """Whether the kernel takes it for a test-run of tc: with whole IP headers, and not empty."""
        needed = _IP_HEADERS.get(self.data[12:14], 1)
        return len(self.data) - HEADER >= needed

    def run_at(self, place: Place, number: int, copy: int | None) -> tuple[bytes, Question]:
        """The bytes and the question for a run at a place: tc finds the outer tag beside the frame."""
        frame, vlan = self, None
        if place != "xdp" and self.tag is not None and self.without_tag().runs_at_tc:
            frame, vlan = self.without_tag(), self.tag
        length = frame.length if frame.length > len(frame.data) else None
        question = Question(number, place == "tc-egress", copy, length, vlan, frame.first)
        return frame.data, question


def build_frame(asked: AskedPacket) -> Frame:
    """The frame of a packet that was asked for in words."""
    tag = b"" if asked.vlan is None else struct.pack("!HH", 0x8100, asked.vlan)
    if asked.family is None:
        assert asked.ethertype is not None
        size = max(asked.ethertype, 46) if asked.ethertype < 0x600 else 46
        data = _MACS + tag + struct.pack("!H", asked.ethertype) + bytes(size)
        return Frame(data, len(data))
    packet, length = (_ipv4 if asked.family == 4 else _ipv6)(asked)
    ethertype = 0x0800 if asked.family == 4 else 0x86DD
    data = _MACS + tag + struct.pack("!H", ethertype) + packet
    return Frame(data, HEADER + len(tag) + length, _first_fragment(asked))


def _first_fragment(asked: AskedPacket) -> FirstFragment | None:
    if not asked.first_known or asked.proto is None:
        return None
    icmp = None
    if asked.icmp_type is not None:
        icmp = asked.icmp_type << 8 | (asked.icmp_code or 0)
    return FirstFragment(asked.proto, asked.sport, asked.dport, asked.tcp_flags, icmp)


def _ipv4(asked: AskedPacket) -> tuple[bytes, int]:
    """The packet, as much of it as is run, and its length."""
    assert asked.proto is not None and asked.ttl is not None
    body = _layer4(asked)
    length = _length(asked, 20, body)
    flags = {"none": 0, "first": 0x2000, "later": _LATER_UNITS}[asked.fragment]
    head = struct.pack("!BBHHHBBH", 0x45, 0, length, _IDENT, flags, asked.ttl, asked.proto, 0)
    return _cut(head + _address(asked.src, 4) + _address(asked.dst, 4) + body, length), length


def _ipv6(asked: AskedPacket) -> tuple[bytes, int]:
    assert asked.proto is not None and asked.ttl is not None
    body, following = _layer4(asked), asked.proto
    if asked.fragment != "none":
        offset = {"first": 1, "later": _LATER_UNITS << 3}[asked.fragment]
        body = struct.pack("!BBHI", following, 0, offset, _IDENT) + body
        following = _FRAGMENT_HEADER
    length = _length(asked, 40, body)
    head = struct.pack("!IHBB", 6 << 28, length - 40, following, asked.ttl)
    return _cut(head + _address(asked.src, 16) + _address(asked.dst, 16) + body, length), length


def _address(value: int | None, size: int) -> bytes:
    assert value is not None
    return value.to_bytes(size, "big")


def _length(asked: AskedPacket, header: int, body: bytes) -> int:
    assert asked.family is not None
    if asked.length is None:
        return header + len(body)
    if not header <= asked.length <= _LONGEST[asked.family]:
        raise InvalidInput(
            f"length: {asked.length} is not the length of an IPv{asked.family} packet, which is "
            f"{header} to {_LONGEST[asked.family]}",
            field="length",
            value=asked.length,
        )
    return asked.length


def _cut(packet: bytes, length: int) -> bytes:
    """As much as there is of it, filled up with zeros, but no more than is run."""
    wanted = min(length, MOST_RUN)
    return packet[:wanted] + bytes(max(0, wanted - len(packet)))


def _layer4(asked: AskedPacket) -> bytes:
    if asked.fragment == "later":
        return bytes(24)
    proto = asked.proto
    if proto in PORTS:
        assert asked.sport is not None and asked.dport is not None
        ports = struct.pack("!HH", asked.sport, asked.dport)
        if proto == TCP:
            assert asked.tcp_flags is not None
            return ports + struct.pack("!IIBBHHH", 1, 0, 5 << 4, asked.tcp_flags, 1024, 0, 0)
        if proto == 17:
            return ports + struct.pack("!HH", 8 + _PAYLOAD, 0) + bytes(_PAYLOAD)
        return ports + struct.pack("!II", 1, 0) + bytes((11, 0, 0, 4))
    if asked.family is not None and proto == ICMP[asked.family]:
        assert asked.icmp_type is not None and asked.icmp_code is not None
        return struct.pack("!BBHHH", asked.icmp_type, asked.icmp_code, 0, 1, 1) + bytes(_PAYLOAD)
    return bytes(24)
