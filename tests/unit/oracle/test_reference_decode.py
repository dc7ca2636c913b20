"""The reference's decoder, by hand: each row of the table of what can be read."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.oracle.reference.decode import decode
from tests.support.oracle.reference.packet import L3, L4, Hidden, Packet
from tests.support.packets import frames as f
from tests.support.packets.listener import ALMOST, CUT, LISTENER

ALL_L4 = set(L4)
NO_L3 = {*L3, *L4}
NOTHING = {"vlan", "ethertype", "family", *NO_L3}
TCP_L4 = {"sport", "dport", "tcp_flags"}


def v4(inner: f.Layer, **kw: Any) -> bytes:
    return f.ether(f.ipv4(inner, **kw))


def v6(inner: f.Layer, **kw: Any) -> bytes:
    return f.ether(f.ipv6(inner, **kw))


def deep(count: int, inner: f.Layer) -> f.Layer:
    for _ in range(count):
        inner = f.option(60, inner)
    return inner


def cut(frame: bytes, size: int) -> bytes:
    assert size < len(frame)
    return frame[:size]


FIRST6 = f.fragment6(deep(8, f.udp()), more=True)

HIDDEN: dict[str, tuple[bytes, set[str]]] = {
    "plain udp": (v4(f.udp()), set()),
    "plain tcp": (v6(f.tcp()), set()),
    "arp": (f.ether(f.arp()), set()),
    "llc": (f.ether(f.llc()), set()),
    "a frame without a whole ethernet header": (bytes(13), NOTHING),
    "tag cut off": (cut(f.ether(f.tag(f.ipv4(f.udp()), 5)), 17), NOTHING),
    "tag just there": (cut(f.ether(f.tag(f.arp(), 5)), 18), set()),
    "second tag cut off": (cut(f.ether(f.tag(f.tag(f.arp(), 5), 6)), 21), NOTHING),
    "third tag": (
        f.ether(f.tag(f.tag(f.tag(f.ipv4(f.udp()), 1), 2), 3)),
        NOTHING - {"vlan"},
    ),
    "ipv4 header cut off": (cut(v4(f.udp()), 14 + 19), NO_L3),
    "ipv4 options cut off": (cut(v4(f.udp(), options=bytes(8)), 14 + 27), NO_L3),
    "ipv4 wrong version": (v4(f.udp(), version=6), NO_L3),
    "ipv4 four words": (v4(f.udp(), words=4), NO_L3),
    "ipv4 total length 19": (v4(f.udp(), total=19), NO_L3),
    "ipv4 total length below the options": (v4(f.udp(), options=bytes(4), total=23), NO_L3),
    "ipv4 total length of the header": (v4(f.udp(), total=20), {"sport", "dport"}),
    "ipv6 header cut off": (cut(v6(f.udp()), 14 + 39), NO_L3),
    "ipv6 wrong version": (v6(f.udp(), version=4), NO_L3),
    "udp ports cut off by the frame": (cut(v4(f.udp()), 14 + 23), {"sport", "dport"}),
    "udp ports cut off by the packet": (v4(f.udp(), total=23), {"sport", "dport"}),
    "udp ports just inside": (v4(f.udp(), total=24), set()),
    "padding is not packet": (
        f.ether(f.ipv4(f.raw(17), total=20), pad=60),
        {"sport", "dport"},
    ),
    "a total length beyond the frame": (v4(f.udp(), total=9000), set()),
    "tcp flags cut off": (v4(f.tcp(), total=20 + 13), {"tcp_flags"}),
    "tcp flags just inside": (v4(f.tcp(), total=20 + 14), set()),
    "tcp ports cut off": (v6(f.tcp(), payload=3), TCP_L4),
    "icmp code cut off": (v4(f.icmp(), total=21), {"icmp_type", "icmp_code"}),
    "icmp code just inside": (v6(f.icmpv6(), payload=2), set()),
    "ipv6 payload length 0 is an empty packet": (v6(f.udp(), payload=0), {"sport", "dport"}),
    "jumbogram": (v6(f.option(0, f.udp()), payload=0), {"length"}),
    "eight extension headers": (v6(deep(8, f.udp())), set()),
    "nine extension headers": (v6(deep(9, f.udp())), {"fragment", "proto", *L4}),
    "nine of which one was a fragment header": (v6(FIRST6), {"proto", *L4}),
    "extension header cut off by the frame": (
        cut(v6(f.option(60, f.udp())), 14 + 47),
        {"fragment", "proto", *L4},
    ),
    "extension header longer than the packet": (
        v6(f.option(60, f.udp(b""), claimed=2)),
        {"fragment", "proto", *L4},
    ),
    "extension header cut off by the packet": (
        v6(f.option(60, f.udp()), payload=7),
        {"fragment", "proto", *L4},
    ),
    "fragment header cut off": (
        v6(f.fragment6(f.udp(), more=True), payload=7),
        {"fragment", "proto", *L4},
    ),
    "ah": (v6(f.ah(f.udp())), set()),
    "ah of 12 bytes": (v6(f.ah(f.udp(), words=1)), set()),
    "ah of 8 bytes": (v6(f.ah(f.udp(), words=0)), {"fragment", "proto", *L4}),
    "second fragment header": (
        v6(f.fragment6(f.fragment6(f.udp()), more=True)),
        {"proto", *L4},
    ),
    "second fragment header behind an atomic one": (
        v6(f.fragment6(f.fragment6(f.udp(), more=True))),
        {"proto", *L4},
    ),
    "later fragment header behind an atomic one": (
        v6(f.fragment6(f.fragment6(f.udp(), offset=2))),
        {"proto", *L4},
    ),
    "two atomic fragment headers": (v6(f.fragment6(f.fragment6(f.udp()))), {"proto", *L4}),
    "nine of which one was an atomic fragment header": (
        v6(f.fragment6(deep(8, f.fragment6(f.udp(), more=True)))),
        {"fragment", "proto", *L4},
    ),
    "an atomic fragment header, and the next is cut off": (
        cut(v6(f.fragment6(f.fragment6(f.udp(), more=True))), 14 + 40 + 15),
        {"fragment", "proto", *L4},
    ),
    "ipv4 later fragment": (v4(f.udp(), offset=2), ALL_L4),
    "ipv4 first fragment": (v4(f.udp(), more=True), set()),
    "ipv6 later fragment": (v6(f.fragment6(f.udp(), offset=2)), ALL_L4),
    "ipv6 later fragment of a packet with options behind": (
        v6(f.fragment6(f.option(60, f.udp()), offset=2)),
        {"proto", *L4},
    ),
    "gre has no ports": (v4(f.raw(47)), set()),
    "ipv4 ah is a protocol": (v4(f.raw(51)), set()),
    "icmp over ipv6 has no type": (v6(f.raw(1)), set()),
}


@pytest.mark.parametrize("name", HIDDEN)
def test_what_cannot_be_read(name: str) -> None:
    frame, hidden = HIDDEN[name]
    packet = decode(frame)
    assert set(packet.hidden) == hidden, packet
    assert packet.size == len(frame)


FIELDS: dict[str, tuple[bytes, dict[str, Any]]] = {
    "ipv4 udp": (
        v4(f.udp(b"12345", sport=7, dport=9), src="10.0.0.1", dst="1.2.3.4", ttl=3),
        {
            "vlan": -1,
            "ethertype": 0x0800,
            "family": 4,
            "src": 0x0A000001,
            "dst": 0x01020304,
            "length": 33,
            "ttl": 3,
            "fragment": "none",
            "proto": 17,
            "sport": 7,
            "dport": 9,
            "tcp_flags": None,
            "icmp_type": None,
        },
    ),
    "ipv6 tcp": (
        v6(f.tcp(sport=7, dport=9, flags="syn,cwr"), src="::1", dst="2001:db8::", hops=255),
        {
            "ethertype": 0x86DD,
            "family": 6,
            "src": 1,
            "dst": 0x20010DB8 << 96,
            "length": 60,
            "ttl": 255,
            "proto": 6,
            "sport": 7,
            "dport": 9,
            "tcp_flags": 0x82,
        },
    ),
    "icmp": (v4(f.icmp(3, 4)), {"proto": 1, "icmp_type": 3, "icmp_code": 4, "sport": None}),
    "ports behind options": (v4(f.udp(dport=5), options=bytes(40)), {"dport": 5, "length": 76}),
    "outer of two tags": (
        f.ether(f.tag(f.tag(f.ipv4(f.udp()), 7), 0xE064, ethertype=0x88A8)),
        {"vlan": 100, "ethertype": 0x0800, "dport": 53},
    ),
    "priority tag": (f.ether(f.tag(f.arp(), 0xE000)), {"vlan": 0, "ethertype": 0x0806}),
    "old double tag": (f.ether(f.tag(f.arp(), 9, ethertype=0x9100)), {"vlan": 9}),
    "arp": (f.ether(f.arp()), {"ethertype": 0x0806, "family": None, "proto": None}),
    "llc": (f.ether(f.llc()), {"ethertype": None, "family": None}),
    "snap": (
        f.ether(f.llc(b"\xaa\xaa\x03\0\0\0\x08\0" + f.ipv4(f.udp()).data)),
        {"ethertype": None, "family": None, "proto": None},
    ),
    "tagged llc": (f.ether(f.tag(f.llc(), 3)), {"ethertype": None, "family": None, "vlan": 3}),
    "smallest ethertype": (f.ether(f.Layer(0x0600, b"")), {"ethertype": 0x0600}),
    "largest length": (f.ether(f.Layer(0x05FF, b"")), {"ethertype": None}),
    "don't fragment": (v4(f.udp(), offset=0x4000), {"fragment": "none"}),
    "ipv4 first": (v4(f.udp(), more=True), {"fragment": "first", "dport": 53}),
    "ipv4 middle": (v4(f.udp(), offset=1, more=True), {"fragment": "later", "proto": 17}),
    "ipv4 last": (v4(f.udp(), offset=8191), {"fragment": "later", "length": 36}),
    "ipv6 first": (v6(f.fragment6(f.udp(), more=True)), {"fragment": "first", "dport": 53}),
    "ipv6 last": (v6(f.fragment6(f.udp(), offset=8191)), {"fragment": "later", "proto": 17}),
    "ipv6 atomic": (v6(f.fragment6(f.udp())), {"fragment": "none", "dport": 53, "key": None}),
    "first behind nine": (v6(FIRST6), {"fragment": "first"}),
    "first behind an atomic one": (
        v6(f.fragment6(f.fragment6(f.udp(), more=True))),
        {"fragment": "first"},
    ),
    "later behind an atomic one": (
        v6(f.fragment6(f.option(60, f.fragment6(f.udp(), offset=2)))),
        {"fragment": "later", "key": None},
    ),
    "first behind two atomic ones": (
        v6(f.fragment6(f.fragment6(f.fragment6(f.udp(), more=True)))),
        {"fragment": "first"},
    ),
    "two atomic ones": (v6(f.fragment6(f.fragment6(f.udp()))), {"fragment": "none", "key": None}),
    "later behind a first one": (
        v6(f.fragment6(f.fragment6(f.udp(), offset=2), more=True)),
        {"fragment": "first"},
    ),
    "every kind of extension header": (
        v6(
            f.option(
                0,
                f.option(
                    60,
                    f.option(
                        43, f.fragment6(f.ah(f.option(135, f.option(139, f.option(140, f.udp())))))
                    ),
                    units=3,
                ),
            )
        ),
        {"proto": 17, "dport": 53},
    ),
    "long ah": (v6(f.ah(f.udp(), words=10)), {"proto": 17, "dport": 53}),
    "esp": (v6(f.option(60, f.raw(50, bytes(16)))), {"proto": 50}),
    "no next header": (v6(f.option(0, f.raw(59))), {"proto": 59}),
    "extension header and no more": (v6(f.option(60, f.raw(99))), {"proto": 99}),
    "tunnels are judged by their outer headers": (
        v4(f.raw(4, f.ipv4(f.udp(), src="9.9.9.9").data)),
        {"proto": 4, "src": 0x0A000001, "dport": None},
    ),
    "ipv4 protocol 60 is a protocol": (v4(f.raw(60, bytes(8))), {"proto": 60}),
    "ipv4 protocol 58 has no type": (v4(f.raw(58, bytes(8))), {"proto": 58, "icmp_type": None}),
    "jumbogram's ports": (v6(f.option(0, f.udp()), payload=0), {"dport": 53, "ttl": 64}),
    "lying length is read": (v4(f.udp(), total=65535), {"length": 65535}),
    "length of an empty packet": (v6(f.udp(), payload=0), {"length": 40}),
    "neighbour solicitation": (v6(f.icmpv6(135), hops=255), {"neighbor_discovery": True}),
    "redirect": (v6(f.icmpv6(137), hops=255), {"neighbor_discovery": True}),
    "below discovery": (v6(f.icmpv6(132), hops=255), {"neighbor_discovery": False}),
    "above discovery": (v6(f.icmpv6(138), hops=255), {"neighbor_discovery": False}),
    "routed discovery": (v6(f.icmpv6(135), hops=254), {"neighbor_discovery": False}),
    "discovery behind options": (
        v6(f.option(60, f.icmpv6(135)), hops=255),
        {"neighbor_discovery": False},
    ),
    "discovery cut off": (v6(f.icmpv6(135), hops=255, payload=1), {"neighbor_discovery": False}),
}


@pytest.mark.parametrize("name", FIELDS)
def test_fields(name: str) -> None:
    frame, wanted = FIELDS[name]
    packet = decode(frame)
    assert {field: getattr(packet, field) for field in wanted} == wanted


@pytest.mark.parametrize("name", LISTENER | CUT)
def test_listener_discovery(name: str) -> None:
    assert decode((LISTENER | CUT)[name]).neighbor_discovery


@pytest.mark.parametrize("name", ALMOST)
def test_what_only_looks_like_listener_discovery(name: str) -> None:
    assert not decode(ALMOST[name]).neighbor_discovery


def test_a_stripped_tag_is_the_outer_one_and_counts_as_a_tag() -> None:
    one = f.tag(f.arp(), 6)
    assert decode(f.ether(f.arp()), stripped=5) == Packet(42, vlan=5, ethertype=0x0806)
    assert decode(f.ether(one), stripped=5).vlan == 5
    assert decode(f.ether(one), stripped=5).ethertype == 0x0806
    third = decode(f.ether(f.tag(one, 7)), stripped=5)
    assert third.vlan == 5
    assert isinstance(third.ethertype, Hidden)
    assert isinstance(third.family, Hidden)
