"""From words to numbers: what the compiler gets."""

from __future__ import annotations

import pytest

from xdpwall.rule.match import VLAN_NONE, Match, match_of
from xdpwall.rule.rule import Rule
from xdpwall.values.addresses import Prefix

TEN = Prefix(4, 10 << 24, 8)


@pytest.mark.parametrize(
    ("sentence", "match"),
    [
        ("drop", Match()),
        ("drop icmp", Match(family=4, proto=1)),
        ("drop icmpv6/128/0", Match(family=6, proto=58, icmp_type=128, icmp_code=0)),
        ("drop tcp", Match(proto=6)),
        ("drop proto 0", Match(proto=0)),
        ("drop sctp", Match(proto=132)),
        ("drop ipv6", Match(family=6)),
        ("drop from 10.0.0.0/8", Match(family=4, src=(False, TEN))),
        ("drop to not 10.0.0.0/8", Match(family=4, dst=(True, TEN))),
        (
            "drop from 2001:db8::1",
            Match(family=6, src=(False, Prefix(6, (0x20010DB8 << 96) + 1, 128))),
        ),
        ("drop from 0.0.0.0/0", Match(family=4, src=(False, Prefix(4, 0, 0)))),
        ("drop udp/53,1-3", Match(proto=17, dport=(False, ((1, 3), (53, 53))))),
        ("drop tcp sport not 0", Match(proto=6, sport=(True, ((0, 0),)))),
        ("drop icmp/0", Match(family=4, proto=1, icmp_type=0)),
        ("drop tcp flags syn/syn,ack", Match(proto=6, tcp_flags=(2, 18))),
        ("drop tcp flags none/fin,cwr", Match(proto=6, tcp_flags=(0, 129))),
        ("drop on eth0 in", Match(iface=(False, "eth0"), egress=False)),
        ("drop on not eth0 out", Match(iface=(True, "eth0"), egress=True)),
        ("drop vlan 0", Match(vlan=(False, 0))),
        ("drop vlan not 100", Match(vlan=(True, 100))),
        ("drop vlan none", Match(vlan=(False, VLAN_NONE))),
        ("drop vlan not none", Match(vlan=(True, VLAN_NONE))),
        ("drop length 0 ttl 3-4", Match(length=(0, 0), ttl=(3, 4))),
        ("drop fragment", Match(fragment="any")),
        ("drop fragment first", Match(fragment="first")),
        ("drop fragment later", Match(fragment="later")),
        ("drop unfragmented", Match(fragment="none")),
        ("drop ethertype arp", Match(ethertype=0x0806)),
        ("drop ethertype any", Match(ethertype="any")),
        ("drop ethertype 0x88cc", Match(ethertype=0x88CC)),
    ],
)
def test_the_numbers_of_a_rule(sentence: str, match: Match) -> None:
    assert match_of(Rule.parse(sentence)) == match


def test_the_numbers_are_remembered() -> None:
    rule = Rule.parse("drop icmp on eth0")
    assert match_of(rule) is match_of(rule)
    assert match_of(rule) is match_of(rule.with_id("other"))
