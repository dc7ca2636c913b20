"""The faults of rulesets: against the reference over a whole small world, and planted ones."""

from __future__ import annotations

import functools
from random import Random

import pytest

from tests.support.oracle.reference.judge import Attachment, matches
from tests.support.oracle.reference.packet import Packet
from tests.unit.check.support import (
    MEMBERS,
    SETS,
    WHERE,
    decider,
    draw_rules,
    packet_of,
    packets,
    verdict,
)
from xdpwall.check.findings import Finding, find_faults
from xdpwall.check.members import Members
from xdpwall.rule.rule import Rule
from xdpwall.ruleset.policy import Policy
from xdpwall.sets.entries import Entries

HELD = Members({name: Entries.of(entries) for name, entries in SETS.items()})
POLICIES = (Policy(), Policy(ingress="drop"), Policy(ingress="drop", egress="drop"))


def faults(*sentences: str, policy: Policy | None = None) -> dict[int, Finding]:
    rules = [Rule.parse(one) for one in sentences]
    report = find_faults(rules, policy or Policy(), HELD)
    assert not report.undecided
    return {one.rule: one for one in report.findings}


@functools.cache
def world() -> list[tuple[Packet, Attachment]]:
    return [(packet, where) for packet in packets() for where in WHERE]


@pytest.mark.parametrize("seed", range(10))
def test_against_every_packet_of_a_small_world(seed: int) -> None:
    """What is found is so, and what is so is found."""
    random = Random(seed)
    rules, policy = draw_rules(random), random.choice(POLICIES)
    report = find_faults(rules, policy, HELD)
    found = {one.rule: one for one in report.findings}
    assert not report.undecided
    reached, matters, met = set(), set(), set()
    for packet, where in world():
        hits = [n for n, rule in enumerate(rules) if matches(rule, packet, where, MEMBERS)]
        met.update(hits)
        acting = [n for n in hits if rules[n].action != "count"]
        if acting:
            reached.add(acting[0])
            met_first = verdict(rules, policy, packet, where, acting[0])
            then = verdict(rules, policy, packet, where, acting[1] if acting[1:] else None)
            if met_first != then:
                matters.add(acting[0])
        ahead = acting[0] if acting else len(rules)
        reached.update(n for n in hits if rules[n].action == "count" and n < ahead)
    for n, rule in enumerate(rules):
        fault = found[n].fault if n in found else None
        if n in reached:
            assert fault in (None, "redundant") or (fault == "equal" and rule.action == "count")
        else:
            assert fault in ("shadowed", "equal", "contradiction", "impossible"), (n, rule.text)
        if n in matters:
            assert fault is None, (rule.text, found[n])
        elif n in reached and rule.action != "count":
            assert fault == "redundant", (n, rule.text)
        assert (n in met) == (fault != "impossible"), (n, rule.text)


@pytest.mark.parametrize("seed", range(60, 200))
def test_witnesses_show_what_is_said(seed: int) -> None:
    random = Random(seed)
    rules, policy = draw_rules(random), random.choice(POLICIES)
    for one in find_faults(rules, policy, HELD).findings:
        if one.fault == "impossible":
            continue
        assert one.witness is not None, one
        packet, where = packet_of(one.witness)
        assert matches(rules[one.rule], packet, where, MEMBERS), (rules[one.rule].text, one)
        first = decider(rules, packet, where)
        if one.fault == "redundant":
            assert first == one.rule
            then = decider(rules, packet, where, without=one.rule)
            assert then in one.because or (then is None and one.policy), (then, one)
            assert verdict(rules, policy, packet, where, first) == verdict(
                rules, policy, packet, where, then
            )
        elif rules[one.rule].action != "count" or one.fault != "equal":
            assert first in one.because, (first, one)
