"""Decode a record of drops.c, and the headers in the first bytes of its packet."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from typing import Any

from xdpwall.values.protocols import ICMP_TYPE_NAMES, PROTOCOL_NAMES, flag_names

DROP, EXCEPTION = 0, 1
_HEAD = struct.Struct("<QQ8IHHI16s16s128s")
_FRAME = struct.Struct("<Q")
_IP4, _IP6, _ARP = 0x0800, 0x86DD, 0x0806
_TAGS = (0x8100, 0x88A8, 0x9100)
_EXTENSIONS = {0, 43, 44, 51, 60, 135, 139, 140}
_MOST_EXTENSIONS = 8
_FRAGMENT, _AUTHENTICATION = 44, 51


@dataclass(frozen=True, slots=True)
class DropRecord:
    """struct record of drops.c. Numbers are the kernel's; 0 and "" mean that there is none."""

    time: int
    """CLOCK_BOOTTIME, ns."""
    where: int
    kind: int
    reason: int
    cpu: int
    netns: int
    ifindex: int
    pid: int
    program: int
    length: int
    ethertype: int
    iface: str
    process: str
    packet: bytes
    """From the network header."""
    stack: tuple[int, ...]


def read_record(raw: bytes) -> DropRecord:
    """Decode one record."""
    (
        at, where, kind, reason, cpu, netns, ifindex, pid, program, length,
        protocol, captured, _, iface, process, packet,
    ) = _HEAD.unpack_from(raw)  # fmt: skip
    stack = [address for (address,) in _FRAME.iter_unpack(raw[_HEAD.size :])]
    return DropRecord(
        time=at,
        where=where,
        kind=kind,
        reason=reason,
        cpu=cpu,
        netns=netns,
        ifindex=ifindex,
        pid=pid,
        program=program,
        length=length,
        ethertype=int.from_bytes(protocol.to_bytes(2, "little")),  # read little, sent big
        iface=_text(iface),
        process=_text(process),
        packet=packet[:captured],
        stack=tuple(address for address in stack if address),
    )


def _text(raw: bytes) -> str:
    return raw.partition(b"\0")[0].decode(errors="replace")


def decode_headers(ethertype: int, packet: bytes) -> dict[str, Any]:
    """The fields of views/drops.py:Drop that the packet's first bytes tell."""
    if ethertype in _TAGS and len(packet) >= 4:
        inner = decode_headers(int.from_bytes(packet[2:4]), packet[4:])
        return {**inner, "vlan": int.from_bytes(packet[:2]) & 0xFFF}
    if ethertype in (_IP4, 0) and len(packet) >= 20 and packet[0] >> 4 == 4:
        return dict(_ip4(packet))
    if ethertype in (_IP6, 0) and len(packet) >= 40 and packet[0] >> 4 == 6:
        return dict(_ip6(packet))
    if not ethertype:
        return {}
    return {"ethertype": "arp" if ethertype == _ARP else f"0x{ethertype:04x}"}


def _ip4(p: bytes) -> Iterator[tuple[str, Any]]:
    fragment = int.from_bytes(p[6:8])
    yield "family", "ipv4"
    yield "proto", PROTOCOL_NAMES.get(p[9], p[9])
    yield "src", str(IPv4Address(p[12:16]))
    yield "dst", str(IPv4Address(p[16:20]))
    yield "ttl", p[8]
    length = int.from_bytes(p[2:4]) or None
    yield "length", length
    if fragment & 0x1FFF:
        yield "fragment", "later"
        return
    if fragment & 0x2000:
        yield "fragment", "first"
    yield from _layer4(p[9], "icmp", p[(p[0] & 15) * 4 : length])


def _ip6(p: bytes) -> Iterator[tuple[str, Any]]:
    yield "family", "ipv6"
    yield "src", str(IPv6Address(p[8:24]))
    yield "dst", str(IPv6Address(p[24:40]))
    yield "ttl", p[7]
    payload = int.from_bytes(p[4:6])
    length = 40 + payload if payload else None
    yield "length", length
    proto, rest = p[6], p[40:length]
    for _ in range(_MOST_EXTENSIONS):
        if proto not in _EXTENSIONS or len(rest) < 8:
            break
        size = (rest[1] + 1) * 8
        if proto == _AUTHENTICATION:
            size = (rest[1] + 2) * 4
        elif proto == _FRAGMENT:
            size, offset = 8, int.from_bytes(rest[2:4])
            if offset >> 3:
                yield "proto", PROTOCOL_NAMES.get(rest[0], rest[0])
                yield "fragment", "later"
                return
            if offset & 1:
                yield "fragment", "first"
        proto, rest = rest[0], rest[size:]
    if proto not in _EXTENSIONS:
        yield "proto", PROTOCOL_NAMES.get(proto, proto)
        yield from _layer4(proto, "icmpv6", rest)


def _layer4(proto: int, icmp: str, rest: bytes) -> Iterator[tuple[str, Any]]:
    name = PROTOCOL_NAMES.get(proto)
    if name in ("tcp", "udp", "sctp") and len(rest) >= 4:
        yield "sport", int.from_bytes(rest[:2])
        yield "dport", int.from_bytes(rest[2:4])
        if name == "tcp" and len(rest) >= 14:
            yield "tcp_flags", flag_names(rest[13])
    elif name == icmp and len(rest) >= 2:
        yield "icmp_type", ICMP_TYPE_NAMES[icmp].get(rest[0], rest[0])
        yield "icmp_code", rest[1]
