"""Capture files: both formats in both orders of bytes, what breaks off, and what is no Ethernet."""

from __future__ import annotations

import random
import struct

import pytest

from xdpwall.errors import InvalidInput
from xdpwall.events.pcapng import PcapWriter
from xdpwall.formats.capture import CapturedPacket, read_capture
from xdpwall.views.events import PacketEvent

FRAME = bytes(range(60))
MAGICS = {"<us": b"\xd4\xc3\xb2\xa1", "<ns": b"\x4d\x3c\xb2\xa1", ">us": b"\xa1\xb2\xc3\xd4"}


def pcap(order: str, magic: bytes, *frames: tuple[bytes, int], link: int = 1) -> bytes:
    head = magic + struct.pack(order + "HHiIII", 2, 4, 0, 0, 65535, link)
    return head + b"".join(
        struct.pack(order + "IIII", 1, 2, len(data), length) + data for data, length in frames
    )


def block(order: str, kind: int, body: bytes) -> bytes:
    body += bytes(-len(body) % 4)
    size = struct.pack(order + "I", len(body) + 12)
    return struct.pack(order + "I", kind) + size + body + size


def section(order: str) -> bytes:
    return block(order, 0x0A0D0D0A, struct.pack(order + "IHHq", 0x1A2B3C4D, 1, 0, -1))


def interface(order: str, link: int = 1, snap: int = 0) -> bytes:
    name = struct.pack(order + "HH", 2, 4) + b"eth0" + bytes(4)
    return block(order, 1, struct.pack(order + "HHI", link, 0, snap) + name)


@pytest.mark.parametrize("name", MAGICS)
def test_pcap(name: str) -> None:
    raw = pcap(name[0], MAGICS[name], (FRAME, 60), (FRAME[:20], 1514))
    assert list(read_capture(raw)) == [CapturedPacket(FRAME, 60), CapturedPacket(FRAME[:20], 1514)]


@pytest.mark.parametrize("order", "<>")
def test_pcapng(order: str) -> None:
    enhanced = struct.pack(order + "IIIII", 0, 0, 0, 21, 900) + FRAME[:21] + bytes(3)
    flags = struct.pack(order + "HHI", 2, 4, 2) + bytes(4)
    simple = struct.pack(order + "I", 40) + FRAME[:40]
    raw = section(order) + interface(order) + block(order, 6, enhanced + flags)
    raw += block(order, 0x0BAD, b"unknown.") + block(order, 3, simple)
    assert list(read_capture(raw)) == [
        CapturedPacket(FRAME[:21], 900, "eth0", "egress"),
        CapturedPacket(FRAME[:40], 40, "eth0"),
    ]


def test_what_events_writes_is_read() -> None:
    writer = PcapWriter()
    event = PacketEvent(
        n=1, time="2026-12-01T00:00:00Z", iface="eth7", place="tc-egress", direction="egress",
        verdict="drop", rule=None, revision=1, packets=1, bytes=100, malformed=False,
        data=FRAME.hex(),
    )  # fmt: skip
    raw = writer.head() + writer.packet(event)
    assert list(read_capture(raw)) == [CapturedPacket(FRAME, 100, "eth7", "egress")]


REFUSED = {
    "": "neither pcap",
    "text": "neither pcap",
    "any": "cooked",
    "raw": "raw IP",
    "cut": "breaks off",
    "head": "breaks off",
    "huge": "damaged",
    "no interface": "says nothing",
    "block": "damaged",
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused(name: str) -> None:
    little = MAGICS["<us"]
    bad = {
        "": b"",
        "text": b"hello, this is no capture",
        "any": pcap("<", little, (FRAME, 60), link=113),
        "raw": section("<") + interface("<", 101) + block("<", 3, struct.pack("<I", 4) + FRAME[:4]),
        "cut": pcap("<", little, (FRAME, 60))[:-1],
        "head": pcap("<", little)[:20],
        "huge": pcap("<", little) + struct.pack("<IIII", 0, 0, 1 << 31, 1 << 31),
        "no interface": section("<") + block("<", 3, struct.pack("<I", 4) + FRAME[:4]),
        "block": section("<") + struct.pack("<II", 6, 0) + bytes(40),
    }[name]
    with pytest.raises(InvalidInput) as refused:
        list(read_capture(bad))
    assert REFUSED[name] in refused.value.message


def test_damaged_files_end_in_an_error_or_in_packets() -> None:
    rng = random.Random(7)
    enhanced = block("<", 6, struct.pack("<IIIII", 0, 0, 0, 20, 20) + FRAME[:20])
    whole = (pcap("<", MAGICS["<us"], (FRAME, 60)), section("<") + interface("<") + enhanced)
    for _ in range(2000):
        raw = bytearray(rng.choice(whole))
        for _ in range(rng.randint(1, 4)):
            raw[rng.randrange(4, len(raw))] = rng.choice((0, 1, 255, rng.randrange(256)))
        try:
            list(read_capture(bytes(raw[: rng.randint(4, len(raw))])))
        except InvalidInput:
            continue
