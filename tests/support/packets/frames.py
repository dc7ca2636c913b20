"""Frames, built from nested calls: ether(ipv4(udp(dport=53), src="10.0.0.1")).

Nothing is corrected behind the caller's back: every length and offset can be made to lie.
"""

from __future__ import annotations

import ipaddress
import struct
from dataclasses import dataclass

MAC_A = bytes.fromhex("02000000000a")
MAC_B = bytes.fromhex("02000000000b")

FLAGS = {"fin": 1, "syn": 2, "rst": 4, "psh": 8, "ack": 16, "urg": 32, "ece": 64, "cwr": 128}


@dataclass(frozen=True)
class Layer:
    """Bytes, and the number by which the layer below names them."""

    number: int
    data: bytes


def udp(payload: bytes = b"payload.", *, sport: int = 1024, dport: int = 53) -> Layer:
    """A UDP datagram without a checksum (0: none)."""
    return Layer(17, struct.pack("!HHHH", sport, dport, 8 + len(payload), 0) + payload)


def tcp(payload: bytes = b"", *, sport: int = 1024, dport: int = 80, flags: str = "syn") -> Layer:
    """A TCP segment; `flags` are names joined by commas, or empty."""
    bits = sum(FLAGS[name] for name in flags.split(",") if name)
    head = struct.pack("!HHIIBBHHH", sport, dport, 1, 0, 5 << 4, bits, 1024, 0, 0)
    return Layer(6, head + payload)


def sctp(*, sport: int = 1024, dport: int = 80) -> Layer:
    """An SCTP common header and a COOKIE ACK chunk."""
    return Layer(132, struct.pack("!HHII", sport, dport, 1, 0) + bytes([11, 0, 0, 4]))


def icmp(kind: int = 8, code: int = 0, payload: bytes = b"ping") -> Layer:
    """An ICMP message, checksum right."""
    return Layer(1, _with_checksum(struct.pack("!BBHHH", kind, code, 0, 1, 1) + payload))


def icmpv6(kind: int = 128, code: int = 0, payload: bytes = b"ping") -> Layer:
    """An ICMPv6 message, checksum left 0."""
    return Layer(58, struct.pack("!BBHHH", kind, code, 0, 1, 1) + payload)


def raw(number: int, data: bytes = b"") -> Layer:
    """Any protocol."""
    return Layer(number, data)


def ipv4(
    inner: Layer,
    *,
    src: str = "10.0.0.1",
    dst: str = "10.0.1.1",
    ttl: int = 64,
    ident: int = 1,
    offset: int = 0,
    more: bool = False,
    options: bytes = b"",
    total: int | None = None,
    version: int = 4,
    words: int | None = None,
) -> Layer:
    """An IPv4 packet; `offset` is the fragment's, in units of 8 bytes. `words`: header length."""
    size = 20 + len(options)
    head = struct.pack(
        "!BBHHHBBH4s4s",
        version << 4 | (size // 4 if words is None else words),
        0,
        size + len(inner.data) if total is None else total,
        ident,
        (0x2000 if more else 0) | offset,
        ttl,
        inner.number,
        0,
        ipaddress.IPv4Address(src).packed,
        ipaddress.IPv4Address(dst).packed,
    )
    head = head[:10] + struct.pack("!H", checksum(head + options)) + head[12:]
    return Layer(0x0800, head + options + inner.data)


def ipv6(
    inner: Layer,
    *,
    src: str = "2001:db8::1",
    dst: str = "2001:db8:1::1",
    hops: int = 64,
    payload: int | None = None,
    version: int = 6,
) -> Layer:
    """An IPv6 packet around a protocol or a chain of extension headers."""
    length = len(inner.data) if payload is None else payload
    head = struct.pack(
        "!IHBB16s16s",
        version << 28,
        length,
        inner.number,
        hops,
        ipaddress.IPv6Address(src).packed,
        ipaddress.IPv6Address(dst).packed,
    )
    return Layer(0x86DD, head + inner.data)


def option(number: int, inner: Layer, *, units: int = 0, claimed: int | None = None) -> Layer:
    """A hop-by-hop (0), routing (43), destination (60), ... header of 8 * (units + 1) bytes."""
    body = struct.pack("!BB", inner.number, units if claimed is None else claimed)
    padding = struct.pack("!BB", 1, 4) + bytes(4) + bytes(8 * units)
    return Layer(number, body + padding + inner.data)


def ah(inner: Layer, *, words: int = 4) -> Layer:
    """An authentication header of 4 * (words + 2) bytes."""
    size = max(8, 4 * (words + 2))
    return Layer(
        51, (struct.pack("!BBH", inner.number, words, 0) + bytes(size))[:size] + inner.data
    )


def fragment6(inner: Layer, *, offset: int = 0, more: bool = False, ident: int = 1) -> Layer:
    """An IPv6 fragment header; `offset` in units of 8 bytes."""
    head = struct.pack("!BBHI", inner.number, 0, offset << 3 | int(more), ident)
    return Layer(44, head + inner.data)


def tag(inner: Layer, vlan: int, *, ethertype: int = 0x8100) -> Layer:
    """A VLAN tag."""
    return Layer(ethertype, struct.pack("!HH", vlan, inner.number) + inner.data)


def arp() -> Layer:
    """An ARP request for 10.0.1.1."""
    body = struct.pack("!HHBBH", 1, 0x0800, 6, 4, 1)
    return Layer(0x0806, body + MAC_A + bytes([10, 0, 0, 1]) + bytes(6) + bytes([10, 0, 1, 1]))


def llc(payload: bytes = b"\x42\x42\x03" + bytes(35)) -> Layer:
    """An IEEE 802.3 frame: a length where Ethernet II has its type (here: spanning tree)."""
    return Layer(len(payload), payload)


def ether(inner: Layer, *, dst: bytes = MAC_B, src: bytes = MAC_A, pad: int = 0) -> bytes:
    """A frame, zero-padded to at least `pad` bytes."""
    frame = dst + src + struct.pack("!H", inner.number) + inner.data
    return frame.ljust(pad, b"\0")


def checksum(data: bytes) -> int:
    """RFC 1071."""
    padded = data + b"\0" * (len(data) % 2)
    total: int = sum(struct.unpack(f"!{len(padded) // 2}H", padded))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def _with_checksum(message: bytes) -> bytes:
    return message[:2] + struct.pack("!H", checksum(message)) + message[4:]
