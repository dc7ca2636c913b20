"""A packet for a rule: the reference says that the rule decides it, or that no packet of the world does."""

from __future__ import annotations

from random import Random

import pytest

from tests.support.oracle.reference.judge import matches
from tests.unit.check.support import MEMBERS, SETS, WHERE, decider, draw_rules, packet_of, packets
from xdpwall.check.members import Members
from xdpwall.check.rule_packet import Side, packet_of_rule
from xdpwall.rule.rule import Rule
from xdpwall.sets.entries import Entries

HELD = Members({name: Entries.of(entries) for name, entries in SETS.items()})
SIDES = [Side(where.iface, where.direction == "egress") for where in WHERE]


@pytest.mark.parametrize("seed", range(12))
def test_the_reference_agrees(seed: int) -> None:
    rules = draw_rules(Random(seed))
    world = [(packet, where) for packet in list(packets())[seed % 7 :: 7] for where in WHERE]
    for number, rule in enumerate(rules):
        found = packet_of_rule(rules, number, HELD, SIDES)
        decided = [pair for pair in world if decider(rules[: number + 1], *pair) == number]
        if found is None:
            assert not decided and not any(matches(rule, *pair, MEMBERS) for pair in world)
            continue
        packet, where = packet_of(found)
        assert matches(rule, packet, where, MEMBERS), found.text
        if rule.action == "count":
            continue
        first = decider(rules[: number + 1], packet, where)
        assert first == number or not decided, f"{found.text} is decided by rule {first}"


def test_it_is_seen_where_something_is_attached() -> None:
    rules = [Rule.parse(text) for text in ("drop icmp on eth0", "drop icmp", "count udp out")]
    one = packet_of_rule(rules, 1, HELD, [Side("eth0", False), Side("eth7", False)])
    assert one is not None and (one.iface, one.direction) == ("eth7", "ingress")
    out = packet_of_rule(rules, 2, HELD, [Side("eth0", False), Side("eth7", True)])
    assert out is not None and (out.iface, out.direction) == ("eth7", "egress")
    nowhere = packet_of_rule(rules, 0, HELD, [Side("eth7", False)])
    assert nowhere is not None and nowhere.iface == "eth0"


def test_none_where_there_is_none() -> None:
    assert packet_of_rule([Rule.parse("drop from @none")], 0, HELD) is None
