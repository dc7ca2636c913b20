"""Missing rules under a drop policy, without a host."""

from __future__ import annotations

import random
from collections.abc import Iterator
from ipaddress import ip_address

import pytest

from xdpwall.firewall import host_needs
from xdpwall.firewall.drop_advice import (
    MOST,
    MOST_WORDED,
    MissingRule,
    Need,
    Offer,
    make_offer,
    warnings_of,
)
from xdpwall.firewall.rule_index import Deciding, RuleIndex
from xdpwall.rule.known_packet import KnownPacket
from xdpwall.rule.rule import Rule
from xdpwall.ruleset.policy import Policy

DROP = Policy(ingress="drop", egress="drop")
DROPS = (DROP, Policy(ingress="drop"), Policy(ingress="drop", egress="accept keep"))
BOTH = [("eth0", False), ("eth0", True), ("eth1", False)]


def needs() -> list[Need]:
    """Some of each kind."""
    local = ip_address("10.9.0.1")
    found = [
        *host_needs.loopback(),
        host_needs.icmp("icmp", "destination-unreachable", "errors", None, any_peer=False),
        host_needs.icmp("icmpv6", "router-advertisement", "routers", None),
        *host_needs.arp(None),
        *host_needs.protocol(112, "VRRP", (4, 6)),
        *host_needs.service("udp", 123, "NTP", peer_port=123),
        *host_needs.server(
            "udp", ip_address("10.0.0.9"), local, (53, 40_000), "R", None, single=True
        ),
        host_needs.icmp(
            "icmp", "destination-unreachable", "more", None, any_peer=False, error=True
        ),
        *host_needs.pings("icmp", "it", None),
    ]
    for port in (22, 80, 443):
        found += host_needs.service("tcp", port, f"port {port}")
        for last in range(1, 6):
            for text in (f"10.0.0.{last}", f"2001:db8::{last}"):
                peer = ip_address(text)
                here = local if peer.version == 4 else ip_address("2001:db8::ff")
                found += host_needs.client("tcp", peer, here, (50_000, port), "it", None)
                found += host_needs.server("tcp", peer, here, (port, 40_000), "that", None)
                found += host_needs.server("udp", peer, here, (port, 40_000), "that", None)
    return found


def some_rule(chance: random.Random) -> Rule:
    proto = chance.choice(["", " tcp", " udp", " icmp", " proto 112"])
    words = [chance.choice(["drop", "accept", "accept", "count"]) + proto]
    if proto in (" tcp", " udp") and chance.random() < 0.7:
        side = chance.choice(["sport", "dport"])
        words.append(f"{side} {chance.choice(['22', '1-100', 'not 443', '123', '40000-50000'])}")
    address = chance.choice(["10.0.0.3", "10.0.0.0/30", "2001:db8::/64", "0.0.0.0/0", "@some"])
    if chance.random() < 0.5 and not (proto == " icmp" and ":" in address):
        words.append(f"{chance.choice(['from', 'to'])} {chance.choice(['', 'not '])}{address}")
    words += [part for part in ("in", "on eth0", "ttl 64", "limit 5/s") if chance.random() < 0.2]
    words += ["state established,related"] if chance.random() < 0.15 else []
    words += ["keep"] if words[0] == "accept" and chance.random() < 0.2 else []
    return Rule.parse(" ".join(words))


def test_the_index_leaves_out_no_rule_that_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    chance = random.Random(5)
    cases = [[some_rule(chance) for _ in range(chance.randrange(12))] for _ in range(40)]
    found = [
        make_offer(needs(), rules, policy, BOTH).rules for rules in cases for policy in DROPS[:2]
    ]

    def every(self: RuleIndex, packet: KnownPacket, any_peer: bool) -> Iterator[Deciding]:
        return iter(self._rules)

    monkeypatch.setattr(RuleIndex, "about", every)
    again = [
        make_offer(needs(), rules, policy, BOTH).rules for rules in cases for policy in DROPS[:2]
    ]
    assert again == found
    assert len({len(one) for one in found}) > 12, "they differ"


def test_what_was_told_is_missing_no_more() -> None:
    chance = random.Random(6)
    for _ in range(15):
        rules = [some_rule(chance) for _ in range(6)]
        for policy in DROPS:
            told = make_offer(needs(), rules, policy, BOTH)
            added = [Rule.parse(one) for one in told.sentences]
            then = policy.model_copy(update=told.policy)
            assert make_offer(needs(), [*rules, *added], then, BOTH) == Offer([])


def test_no_more_than_a_person_reads() -> None:
    many = [one for port in range(1, 200) for one in host_needs.service("tcp", port, "it")]
    found = make_offer(many, [], DROP, BOTH).rules
    assert len(found) == MOST
    *words, last = warnings_of(found)
    assert words == [one.warning for one in found[:MOST_WORDED]]
    assert last.startswith(f"missing rules not shown: {MOST - MOST_WORDED};")
    assert warnings_of([MissingRule("it", "accept")]) == [
        "no rule accepts it: xdpwall rule add accept"
    ]


@pytest.mark.parametrize(
    ("policy", "places"),
    [(Policy(), BOTH), (DROP, []), (Policy(ingress="drop"), [("eth0", True)])],
)
def test_where_nothing_drops_nothing_is_missing(
    policy: Policy, places: list[tuple[str, bool]]
) -> None:
    assert make_offer(needs(), [], policy, places) == Offer([])
