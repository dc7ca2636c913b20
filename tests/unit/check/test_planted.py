"""Faults planted into a large ruleset of each kind are found, and shown by packets."""

from __future__ import annotations

import os
from collections.abc import Callable
from random import Random

import pytest

from tests.support.oracle.classbench.generate import ruleset
from tests.support.oracle.classbench.shapes import Kind
from tests.support.oracle.reference.judge import matches
from tests.unit.check.support import packet_of
from xdpwall.check.findings import Fault, find_faults
from xdpwall.check.members import Members
from xdpwall.rule.rule import Rule
from xdpwall.ruleset.policy import Policy

SIZE = int(os.environ.get("PLANTED_RULES", "2000"))
"""Rules of each ruleset; make test-planted has 10,000."""
ACTIONS = {"drop": 0.66, "accept": 0.32, "count": 0.02}


def other(rule: Rule) -> str:
    return "accept" if rule.action == "drop" else "drop"


def halves(rule: Rule) -> list[Rule]:
    """Two rules that have all of a rule's packets together, and neither has them alone."""
    return [
        rule.model_copy(update={"ttl": part, "action": other(rule), "id": None})
        for part in ("0-100", "101-255")
    ]


def changed(**fields: object) -> Callable[[Rule], Rule]:
    return lambda rule: Rule.parse({**rule.to_json(), **fields})


PLANTS: list[tuple[Fault, Callable[[Rule], tuple[list[Rule], Rule, list[Rule]]]]] = [
    ("equal", lambda rule: ([changed(comment="first")(rule)], rule, [])),
    ("contradiction", lambda rule: ([changed(action=other(rule))(rule)], rule, [])),
    ("shadowed", lambda rule: (halves(rule), rule, [])),
    ("redundant", lambda rule: ([], changed(ttl="0-100")(rule), [rule])),
]
"""The rule that gets the fault, between what gives it."""


@pytest.mark.parametrize("kind", ["acl", "fw", "ipc"])
def test_planted_faults_are_found(kind: Kind) -> None:
    random = Random(kind)
    made = ruleset(kind, SIZE, 5, families=("ipv4", "ipv6"), actions=ACTIONS, spice=0.02)
    rules = [Rule.parse(one) for one in made]
    clean = {one.rule for one in find_faults(rules, Policy(), Members({})).findings}
    reached = [
        rule
        for n, rule in enumerate(rules)
        if rule.action != "count" and rule.ttl is None and n not in clean
    ]
    victims = iter(random.sample(reached, 6 * len(PLANTS)))
    planted: dict[Rule, Fault] = {}
    for fault, plant in PLANTS:
        for number in range(6):
            rule = next(victims)
            before, victim, behind = plant(changed(comment=f"{fault} {number}")(rule))
            at = rules.index(rule)
            rules[at : at + 1] = [*before, victim, *behind]
            planted[victim] = fault
    report = find_faults(rules, Policy(), Members({}))
    found = {rules[one.rule]: one for one in report.findings}
    for victim, fault in planted.items():
        one = found[victim]
        assert one.fault == fault, (victim.text, one)
        assert one.witness is not None
        packet, where = packet_of(one.witness)
        assert matches(victim, packet, where)
        first = next(
            n
            for n, rule in enumerate(rules)
            if rule.action != "count" and matches(rule, packet, where)
        )
        if fault == "redundant":
            assert rules[first] is victim, "it does decide"
        else:
            assert first in one.because
