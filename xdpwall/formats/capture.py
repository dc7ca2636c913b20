"""Read the packets of a capture file: pcap and pcapng, of Ethernet. Pure.

Read here and not by a library: it is the frames and their lengths alone, of files that anybody may have
made. pcap: draft-ietf-opsawg-pcap; pcapng: draft-ietf-opsawg-pcapng.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NoReturn

from xdpwall.errors import InvalidInput
from xdpwall.values.terms import Direction

_ETHERNET = 1
_LINKS = {0: "BSD loopback", 101: "raw IP", 113: "Linux cooked (any)", 276: "Linux cooked v2 (any)"}
_PCAP = {
    b"\xd4\xc3\xb2\xa1": "<",
    b"\x4d\x3c\xb2\xa1": "<",
    b"\xa1\xb2\xc3\xd4": ">",
    b"\xa1\xb2\x3c\x4d": ">",
}
"""The first four bytes, of microseconds and nanoseconds -> the order of bytes."""
_SECTION, _INTERFACE, _SIMPLE, _ENHANCED = 0x0A0D0D0A, 1, 3, 6
_NAME, _FLAGS = 2, 2
_INBOUND, _OUTBOUND = 1, 2
_MOST_BYTES = 1 << 18
"""Of one packet: no link has longer ones, and a damaged file says any number."""


@dataclass(frozen=True, slots=True)
class CapturedPacket:
    """One packet of the file."""

    data: bytes
    length: int
    """Of the whole frame, of which `data` may be the beginning."""
    iface: str | None = None
    direction: Direction | None = None
    """As the file says, where it does."""


def read_capture(raw: bytes) -> Iterator[CapturedPacket]:
    """The packets in their order. InvalidInput for what is no capture of Ethernet frames, or breaks
    off."""
    if raw[:4] in _PCAP:
        return _pcap(raw, _PCAP[raw[:4]])
    if raw[:4] == _SECTION.to_bytes(4, "big"):
        return _pcapng(raw)
    _wrong("no capture file: neither pcap nor pcapng")


def _wrong(problem: str) -> NoReturn:
    raise InvalidInput(f"pcap: {problem}", field="pcap")


def _check_link(link: int) -> None:
    if link != _ETHERNET:
        name = _LINKS.get(link, f"link type {link}")
        _wrong(f"packets of {name}; wanted Ethernet (tcpdump -i IFACE, not -i any)")


def _length(captured: int, length: int) -> int:
    if length > _MOST_BYTES:
        _wrong(f"damaged: a packet of {length} bytes")
    return max(length, captured)


def _take(raw: bytes, at: int, size: int) -> bytes:
    if size > _MOST_BYTES:
        _wrong(f"damaged at byte {at}: a packet of {size} bytes")
    if at + size > len(raw):
        _wrong(f"it breaks off at byte {len(raw)}")
    return raw[at : at + size]


def _pcap(raw: bytes, order: str) -> Iterator[CapturedPacket]:
    head = _take(raw, 0, 24)
    _check_link(struct.unpack_from(order + "I", head, 20)[0] & 0xFFFF)
    at = 24
    while at < len(raw):
        captured, length = struct.unpack_from(order + "II", _take(raw, at, 16), 8)
        yield CapturedPacket(_take(raw, at + 16, captured), _length(captured, length))
        at += 16 + captured


def _pcapng(raw: bytes) -> Iterator[CapturedPacket]:
    order, at = "<", 0
    interfaces: list[tuple[int, str | None, int]] = []
    while at < len(raw):
        if _take(raw, at, 4) == _SECTION.to_bytes(4, "big"):
            order = "<" if _take(raw, at, 12)[8:] == b"\x4d\x3c\x2b\x1a" else ">"
            interfaces = []
        kind, size = struct.unpack_from(order + "II", _take(raw, at, 8))
        if size < 12 or size % 4:
            _wrong(f"damaged at byte {at}: a block of {size} bytes")
        if at + size > len(raw):
            _wrong(f"it breaks off at byte {len(raw)}")
        body = raw[at + 8 : at + size - 4]
        if kind == _INTERFACE:
            link, _, snap = struct.unpack_from(order + "HHI", _take(body, 0, 8))
            name = _options(body, 8, order).get(_NAME)
            interfaces.append((link, None if name is None else name.decode(errors="replace"), snap))
        elif kind == _ENHANCED:
            yield _enhanced(body, order, interfaces)
        elif kind == _SIMPLE:
            yield _simple(body, order, interfaces)
        at += size


def _enhanced(
    body: bytes, order: str, interfaces: list[tuple[int, str | None, int]]
) -> CapturedPacket:
    number, _, _, captured, length = struct.unpack_from(order + "IIIII", _take(body, 0, 20))
    name = _interface(interfaces, number)[1]
    data = _take(body, 20, captured)
    flags = _options(body, 20 + captured + -captured % 4, order).get(_FLAGS, b"")
    way = struct.unpack(order + "I", flags)[0] & 3 if len(flags) == 4 else 0
    direction: dict[int, Direction] = {_INBOUND: "ingress", _OUTBOUND: "egress"}
    return CapturedPacket(data, _length(captured, length), name, direction.get(way))


def _simple(
    body: bytes, order: str, interfaces: list[tuple[int, str | None, int]]
) -> CapturedPacket:
    _, name, snap = _interface(interfaces, 0)
    length = struct.unpack_from(order + "I", _take(body, 0, 4))[0]
    captured = min(length, snap or length, len(body) - 4)
    return CapturedPacket(body[4 : 4 + captured], _length(captured, length), name)


def _interface(
    interfaces: list[tuple[int, str | None, int]], number: int
) -> tuple[int, str | None, int]:
    if number >= len(interfaces):
        _wrong(f"damaged: a packet of interface {number}, of which the file says nothing")
    _check_link(interfaces[number][0])
    return interfaces[number]


def _options(body: bytes, at: int, order: str) -> dict[int, bytes]:
    found: dict[int, bytes] = {}
    while at + 4 <= len(body):
        code, size = struct.unpack_from(order + "HH", body, at)
        if code == 0:
            break
        found.setdefault(code, body[at + 4 : at + 4 + size])
        at += 4 + size + -size % 4
    return found
