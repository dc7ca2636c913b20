"""SYNs whose checksums are right unless a caller spoils them, and SYN-ACKs taken apart."""

from __future__ import annotations

import ipaddress
import struct
from dataclasses import dataclass

from tests.support.packets import frames as f

MSS_1460 = b"\x02\x04\x05\xb4"
ALL_OPTIONS = MSS_1460 + b"\x04\x02\x08\x0a" + bytes(8) + b"\x01\x03\x03\x07"
"""As Linux sends them: MSS, SACK, timestamps, window scale."""
SEQ = 0x01020304


@dataclass(frozen=True)
class Syn:
    """One TCP segment and its addresses; the fields may lie."""

    src: str
    dst: str
    dport: int = 443
    sport: int = 40000
    flags: str = "syn"
    options: bytes = ALL_OPTIONS
    data: bytes = b""
    spoil: int = 0
    """Added to the TCP checksum."""
    seq: int = SEQ
    ack: int = 0

    def segment(self) -> f.Layer:
        """The TCP segment."""
        bits = sum(f.FLAGS[name] for name in self.flags.split(",") if name)
        words = 5 + len(self.options) // 4
        head = struct.pack(
            "!HHIIBBHHH", self.sport, self.dport, self.seq, self.ack, words << 4, bits, 64240, 0, 0
        )
        body = head + self.options + self.data
        total = f.checksum(pseudo_header(self.src, self.dst, len(body)) + body)
        total = (total + self.spoil) % 0x10000
        return f.Layer(6, body[:16] + struct.pack("!H", total) + body[18:])

    def packet(self) -> f.Layer:
        """The IP packet."""
        if ":" in self.src:
            return f.ipv6(self.segment(), src=self.src, dst=self.dst)
        return f.ipv4(self.segment(), src=self.src, dst=self.dst)

    def frame(self, *vlans: int, pad: bool = False) -> bytes:
        """The frame, with these tags, the outer one first."""
        inner = self.packet()
        for vlan in reversed(vlans):
            inner = f.tag(inner, vlan)
        made = f.ether(inner)
        return made.ljust(60, b"\xee") if pad else made


def pseudo_header(src: str, dst: str, length: int) -> bytes:
    """What TCP's checksum covers besides the segment."""
    ends = ipaddress.ip_address(src).packed + ipaddress.ip_address(dst).packed
    return ends + struct.pack("!II", length, 6)


@dataclass(frozen=True)
class SynAck:
    """The answer in a frame; read_syn_ack() has verified its checksums and lengths."""

    macs: tuple[bytes, bytes]
    """Destination, source."""
    tags: bytes
    src: str
    dst: str
    ttl: int
    sport: int
    dport: int
    seq: int
    ack: int
    flags: int
    window: int
    mss: int
    padding: bytes


def read_syn_ack(frame: bytes) -> SynAck:
    """Take an answer apart; AssertionError where a length or a checksum is wrong."""
    at = 12
    while frame[at : at + 2] == b"\x81\x00":
        at += 4
    kind, l3 = frame[at : at + 2], at + 2
    if kind == b"\x08\x00":
        head = frame[l3 : l3 + 20]
        assert head[0] == 0x45 and head[9] == 6 and f.checksum(head) == 0
        assert struct.unpack("!H", head[6:8]) == (0x4000,)
        size, ttl, ends = struct.unpack("!H", head[2:4])[0] - 20, head[8], (head[12:16], head[16:])
    else:
        assert kind == b"\x86\xdd"
        head = frame[l3 : l3 + 40]
        assert head[:4] == b"\x60\0\0\0" and head[6] == 6
        size, ttl, ends = struct.unpack("!H", head[4:6])[0], head[7], (head[8:24], head[24:])
    body = frame[l3 + len(head) :][:size]
    src, dst = (str(ipaddress.ip_address(end)) for end in ends)
    assert len(body) == size == 24 and f.checksum(pseudo_header(src, dst, size) + body) == 0
    sport, dport, seq, ack, words, flags, window, _, urgent = struct.unpack("!HHIIBBHHH", body[:20])
    assert words == 6 << 4 and not urgent and body[20:22] == b"\x02\x04"
    return SynAck(
        macs=(frame[:6], frame[6:12]),
        tags=frame[12:at],
        src=src,
        dst=dst,
        ttl=ttl,
        sport=sport,
        dport=dport,
        seq=seq,
        ack=ack,
        flags=flags,
        window=window,
        mss=struct.unpack("!H", body[22:])[0],
        padding=frame[l3 + len(head) + size :],
    )
