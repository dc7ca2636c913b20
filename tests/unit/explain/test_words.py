"""Packets in words: they read back, what is not said is assumed, and what is for rules is refused."""

from __future__ import annotations

import random

import pytest

from tests.support.oracle.reference.decode import decode
from tests.unit.check import support
from xdpwall.check.findings import find_faults
from xdpwall.check.members import Members
from xdpwall.errors import InvalidInput
from xdpwall.explain.frame import build_frame
from xdpwall.explain.words import read_packet
from xdpwall.rule.match import VLAN_NONE
from xdpwall.ruleset.policy import Policy
from xdpwall.sets.entries import Entries

PACKETS = {
    "tcp from 10.0.0.2 sport 4000 to 10.0.0.1/22 flags syn on eth1": (
        "tcp/22 from 10.0.0.2 sport 4000 to 10.0.0.1 on eth1 in flags syn ttl 64"
    ),
    "tcp/22": "tcp/22 from 192.0.2.1 sport 40000 to 192.0.2.2 in flags syn ttl 64",
    "tcp from 10.0.0.2/5 to 2.2.2.2 dport 7 in flags none": (
        "tcp/7 from 10.0.0.2 sport 5 to 2.2.2.2 in flags none ttl 64"
    ),
    "udp/443 from 2001:db8::5/53 out": (
        "udp/443 from 2001:db8::5 sport 53 to 2001:db8::2 out ttl 64"
    ),
    "icmp on docker0": "icmp/echo-request/0 from 192.0.2.1 to 192.0.2.2 on docker0 in ttl 64",
    "icmp/3/1 from 1.1.1.1 ttl 9": (
        "icmp/destination-unreachable/1 from 1.1.1.1 to 192.0.2.2 in ttl 9"
    ),
    "icmpv6/neighbor-solicitation": (
        "icmpv6/neighbor-solicitation/0 from 2001:db8::1 to 2001:db8::2 in ttl 255"
    ),
    "proto 89 ipv6": "proto 89 from 2001:db8::1 to 2001:db8::2 in ttl 64",
    "sctp/9 vlan 7 length 100": (
        "sctp/9 from 192.0.2.1 sport 40000 to 192.0.2.2 in vlan 7 length 100 ttl 64"
    ),
    "udp fragment later": "udp from 192.0.2.1 to 192.0.2.2 in ttl 64 fragment later",
    "udp/53 fragment first vlan none": (
        "udp/53 from 192.0.2.1 sport 40000 to 192.0.2.2 in ttl 64 fragment first"
    ),
    "ethertype arp on in": "ethertype 0x0806 on in in",
    "llc out": "llc out",
}


@pytest.mark.parametrize("said", PACKETS)
def test_it_reads_back(said: str) -> None:
    packet = read_packet(said)
    assert packet.text == PACKETS[said]
    assert read_packet(packet.text) == packet
    assert not {*read_packet(packet.text).assumed} - {"direction"}


def test_what_is_not_said_is_assumed() -> None:
    assert read_packet("tcp/22 from 10.0.0.2").assumed == (
        *("direction", "dst", "sport", "tcp_flags", "ttl"),
    )
    assert read_packet("udp fragment later in").assumed == ("src", "dst", "ttl")


REFUSED = {
    "": "protocol",
    "from 1.1.1.1": "protocol",
    "tcp/22-23": "22-23 is for rules; a packet wants one port",
    "tcp/22,24": "22,24 is for rules",
    "tcp/22 state established": "'state' at character 8: it is not said but looked up in the flows",
    "tcp/22 in (state new)": "looked up in the flows",
    "tcp/22 keep": "'keep' at character 8: a packet has none, it is a rule's",
    "tcp/22 cookie": "a packet has none",
    "drop icmp on eth0": "'drop' at character 1: a packet has none",
    "tcp from 10.0.0.0/99999": "ADDRESS/PORT",
    "tcp from 10.0.0.0/x": "ADDRESS/PORT",
    "icmp from 10.0.0.1/22": "sport",
    "tcp from not 1.1.1.1": "`not` is for rules",
    "tcp on not eth0": "`not` is for rules",
    "tcp to @bad": "one address",
    "tcp dport 1 to 1.1.1.1/2": "once",
    "tcp flags syn/syn,ack": "flags that are set",
    "tcp flags wrong": "wrong",
    "udp flags syn": "tcp_flags",
    "tcp fragment": "first",
    "tcp length 1-9": "one number",
    "ethertype any": "one number",
    "ethertype arp sport 1": "sport",
    "llc tcp": "llc",
    "tcp from 1.1.1.1 to 2001:db8::1": "famil",
    "tcp comment x": "comment",
    "tcp log": "log",
    "tcp disabled": "'disabled' at character 5",
    "tcp for 1h": "'for' at character 5",
    "drop tcp": "'drop' at character 1",
    "tcp from 1.1.1.1 sport": "character 18",
    "tcp fron 1.1.1.1": "character 5",
}


@pytest.mark.parametrize("said", REFUSED)
def test_what_is_no_packet_is_refused(said: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        read_packet(said)
    assert REFUSED[said] in refused.value.message, refused.value.message


@pytest.mark.parametrize("length", [10, 65536])
def test_a_length_that_no_packet_has(length: int) -> None:
    with pytest.raises(InvalidInput):
        build_frame(read_packet(f"tcp/1 length {length}"))


def test_witnesses_of_check_read_back() -> None:
    """A packet that check shows can be asked for, and is what check meant."""
    rng, seen = random.Random(20_261_201), 0
    members = Members({name: Entries.of(entries) for name, entries in support.SETS.items()})
    for _ in range(200):
        for one in find_faults(support.draw_rules(rng), Policy(), members).findings:
            if one.witness is None:
                continue
            packet = read_packet(one.witness.text)
            assert packet.iface == one.witness.iface
            assert packet.direction == one.witness.direction
            for name in ("vlan", "ethertype", "proto", "sport", "dport", "icmp_type", "icmp_code"):
                if not (packet.fragment == "later" and not packet.first_known):
                    assert getattr(packet, name) == getattr(one.witness, name), name
            assert packet.fragment == one.witness.fragment
            seen += 1
    assert seen > 100


@pytest.mark.parametrize("said", [said for said in PACKETS if "fragment" not in said])
def test_the_frame_is_that_packet(said: str) -> None:
    """The reference reads in the frame what was said."""
    asked = read_packet(said)
    frame = build_frame(asked)
    found = decode(frame.data, None)
    assert not found.hidden and len(frame.data) == frame.length
    assert found.vlan == (VLAN_NONE if asked.vlan is None else asked.vlan)
    assert found.family == asked.family
    if asked.family is not None:
        names = ("src", "dst", "proto", "sport", "dport", "tcp_flags", "icmp_type", "ttl")
        assert [getattr(found, name) for name in names] == [getattr(asked, name) for name in names]
        assert asked.length is None or found.length == asked.length
