"""Rules against packets of which only some fields are known."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from xdpwall.rule.known_packet import Address, KnownPacket, matches
from xdpwall.rule.match import match_of
from xdpwall.rule.rule import Rule

ANSWER = KnownPacket(
    egress=False,
    iface="eth0",
    family=4,
    proto=6,
    src=ip_address("192.0.2.9"),
    dst=ip_address("198.51.100.1"),
    sport=443,
    dport=40_000,
    tcp_flags=0x12,
)
QUERY = KnownPacket(egress=False, iface="eth0", family=6, proto=58, icmp_type=130, icmp_code=0)
ARP = KnownPacket(egress=True, iface="eth0", ethertype=0x0806)


def holds(name: str, address: Address) -> bool | None:
    return None if name == "lost" else str(address) == "192.0.2.9"


@pytest.mark.parametrize(
    ("sentence", "expected"),
    [
        ("drop", True),
        ("drop in", True),
        ("drop out", False),
        ("drop on eth0", True),
        ("drop on not eth0", False),
        ("drop on eth1", False),
        ("drop ipv4", True),
        ("drop ipv6", False),
        ("drop tcp", True),
        ("drop udp", False),
        ("drop from 192.0.2.0/24", True),
        ("drop from not 192.0.2.0/24", False),
        ("drop from 2001:db8::/32", False),
        ("drop to not 10.0.0.0/8", True),
        ("drop from @good", True),
        ("drop from not @good", False),
        ("drop to @good", False),
        ("drop from @lost", None),
        ("drop from not @lost", None),
        ("drop from @lost to 10.0.0.1", False),
        ("drop tcp sport 400-500", True),
        ("drop tcp sport not 443", False),
        ("drop tcp/40000", True),
        ("drop tcp/22", False),
        ("drop tcp flags ack", True),
        ("drop tcp flags syn/syn,ack", False),
        ("drop unfragmented", True),
        ("drop fragment", False),
        ("drop length 0-100", None),
        ("drop ttl 64", None),
        ("drop vlan 5", None),
        ("drop udp vlan 5", False),
        ("drop ethertype arp", False),
        ("drop ethertype any", True),
    ],
)
def test_a_packet_of_tcp(sentence: str, expected: bool | None) -> None:
    assert matches(match_of(Rule.parse(sentence)), ANSWER, holds) is expected


@pytest.mark.parametrize(
    ("sentence", "packet", "expected"),
    [
        ("drop icmpv6/mld-listener-query", QUERY, True),
        ("drop icmpv6/mld-listener-report", QUERY, False),
        ("drop icmpv6/mld-listener-query/1", QUERY, False),
        ("drop icmp", QUERY, False),
        ("drop from fe80::/10", QUERY, None),
        ("drop from ::/0", QUERY, True),
        ("drop from @good", QUERY, None),
        ("drop", ARP, False),
        ("drop ethertype arp out", ARP, True),
        ("drop ethertype 0x88cc", ARP, False),
        ("drop tcp sport 443", ANSWER._replace(sport=None), None),
        ("drop tcp flags ack", ANSWER._replace(tcp_flags=None), None),
        ("drop on eth0", ANSWER._replace(iface=None), None),
        ("drop tcp/443 from 198.51.100.1 out", ANSWER.answer(), True),
    ],
)
def test_others(sentence: str, packet: KnownPacket, expected: bool | None) -> None:
    assert matches(match_of(Rule.parse(sentence)), packet, holds) is expected
