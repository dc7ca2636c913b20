"""Captures byte by byte where tshark would not say (tests/e2e/test_events.py has what it says)."""

from __future__ import annotations

import struct
from typing import Any

from xdpwall.events.pcapng import PcapWriter, packet_comment
from xdpwall.views.events import PacketEvent

FRAME = "02000000000b02000000000a0800" + "45" * 20


def event(**changes: Any) -> PacketEvent:
    fields = {
        "n": 1, "time": "2026-11-21T10:00:00.123456Z", "iface": "eth0", "place": "tc-egress",
        "direction": "egress", "verdict": "drop", "rule": "r1", "revision": 7, "bytes": 60,
        "data": FRAME,
    }  # fmt: skip
    return PacketEvent(**{**fields, **changes})


def blocks(data: bytes) -> list[tuple[int, bytes]]:
    """(type, body) of each block; both of its lengths must say the same."""
    found = []
    while data:
        kind, size = struct.unpack_from("<II", data)
        assert size % 4 == 0
        assert struct.unpack_from("<I", data, size - 4)[0] == size
        found.append((kind, data[8 : size - 4]))
        data = data[size:]
    return found


def test_an_interface_is_described_once_before_its_first_packet() -> None:
    writer = PcapWriter()
    data = writer.head()
    for iface in ("eth0", "eth1", "eth0"):
        data += writer.packet(event(iface=iface))
    assert [kind for kind, _ in blocks(data)] == [0x0A0D0D0A, 1, 6, 1, 6, 6]
    packets = [body for kind, body in blocks(data) if kind == 6]
    assert [struct.unpack_from("<I", body)[0] for body in packets] == [0, 1, 0]


def test_time_and_lengths() -> None:
    _, (_, body) = blocks(PcapWriter().packet(event()))
    _, high, low, captured, size = struct.unpack_from("<IIIII", body)
    assert high << 32 | low == 1_795_255_200_123_456
    assert (captured, size) == (34, 60)
    assert body[20:54].hex() == FRAME


def test_a_stripped_tag_is_put_back() -> None:
    _, (_, body) = blocks(PcapWriter().packet(event(vlan=100, stripped=True)))
    captured, size = struct.unpack_from("<II", body, 12)
    assert (captured, size) == (38, 64)
    assert body[20:58].hex() == FRAME[:24] + "81000064" + FRAME[24:]
    _, (_, body) = blocks(PcapWriter().packet(event(vlan=100, stripped=False)))
    assert struct.unpack_from("<II", body, 12) == (34, 60)


def test_a_packet_without_bytes_is_still_a_packet() -> None:
    _, (_, body) = blocks(PcapWriter().packet(event(data=None)))
    assert struct.unpack_from("<II", body, 12) == (0, 60)


def test_comments() -> None:
    assert packet_comment(event()) == "drop by rule r1 at eth0 tc-egress, revision 7"
    assert packet_comment(event(rule=None, place=None)) == "drop by the policy at eth0, revision 7"
    invalid = event(state="invalid")
    assert packet_comment(invalid) == "drop by rule r1 at eth0 tc-egress, state invalid, revision 7"
    logged = event(verdict="pass", rule=None, log="watch")
    assert (
        packet_comment(logged)
        == "pass by the policy at eth0 tc-egress, logged by rule watch, revision 7"
    )


def test_an_answered_syn_was_sent_back() -> None:
    """XDP_TX in the format's option for the verdict, and in words."""
    answered = event(place="xdp", direction="ingress", verdict="pass", state="new", answered=True)
    assert (
        packet_comment(answered) == "pass by rule r1 at eth0 xdp, state new, answered, revision 7"
    )
    for one, code in ((answered, 3), (answered.model_copy(update={"answered": None}), 2)):
        _, (_, body) = blocks(PcapWriter().packet(one))
        assert struct.pack("<HHBq", 7, 9, 2, code) in body
