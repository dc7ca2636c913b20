"""The difference between two rulesets: applied to the one it gives the other, and it names no more."""

from __future__ import annotations

import random

import pytest

from xdpwall.rule.rule import Rule
from xdpwall.ruleset import edits
from xdpwall.ruleset.committed import CommittedRuleset
from xdpwall.ruleset.difference import RuleLine, policy_changes, rule_hunks
from xdpwall.ruleset.policy import Policy

NOW = "2026-11-21T10:00:00Z"


def ruleset(*texts: str) -> CommittedRuleset:
    rules = [Rule.parse(text) for text in texts]
    return edits.with_rules(CommittedRuleset(), rules, Policy(), now=NOW)


def changed_at_random(old: CommittedRuleset, chance: random.Random) -> CommittedRuleset:
    """A few rules deleted, changed, moved and added."""
    new = old
    for _ in range(chance.randint(0, 6)):
        count = len(new.entries)
        what = chance.choice(("add", "add", "delete", "set", "move", "toggle"))
        port = chance.randint(1, 9)
        if what == "add" or not count:
            rule = Rule.parse(f"drop tcp/{port}")
            new = edits.insert_rules(new, [rule], at=chance.randint(1, count + 1), now=NOW)
            continue
        entry = chance.choice(new.entries)
        if what == "delete":
            new = edits.delete_rules(new, [entry.id])
        elif what == "set":
            new = edits.change_rule(new, entry.id, {"proto": "udp", "dport": str(port)})
        elif what == "move":
            new = edits.move_rule(new, entry.id, chance.randint(1, count))
        else:
            new = edits.enable_rules(new, [entry.id], not entry.rule.enabled)
    return new


def applied(old: CommittedRuleset, lines: list[RuleLine]) -> list[tuple[str, str]]:
    """The rules of `old` with the difference made in them, by position."""
    rules = [(entry.id, entry.rule.text) for entry in old.entries]
    told = [line for line in lines if line.kind != "context"]
    for line in told:
        if line.old_position is not None:
            assert line.old is not None
            assert rules[line.old_position - 1] == (line.rule_id, line.old.rule.text)
    gone = {line.rule_id for line in told if line.old_position is not None}
    rules = [rule for rule in rules if rule[0] not in gone]
    for line in sorted(
        (line for line in told if line.position is not None), key=lambda line: line.position or 0
    ):
        assert line.new is not None and line.position is not None
        rules.insert(line.position - 1, (line.rule_id, line.new.rule.text))
    return rules


@pytest.mark.parametrize("seed", range(200))
def test_applied_to_the_one_it_gives_the_other(seed: int) -> None:
    chance = random.Random(seed)
    old = ruleset(*(f"accept tcp/{port}" for port in range(1, chance.randint(1, 14))))
    new = changed_at_random(old, chance)
    hunks = rule_hunks(old.entries, new.entries)
    lines = [line for hunk in hunks for line in hunk]
    assert applied(old, lines) == [(entry.id, entry.rule.text) for entry in new.entries]
    assert not [line for line in lines if line.kind == "changed" and line.old == line.new]
    assert bool(lines) == ([e.rule for e in old.entries] != [e.rule for e in new.entries])
    for hunk in hunks:
        assert any(line.kind != "context" for line in hunk)


def kinds(old: CommittedRuleset, new: CommittedRuleset) -> list[list[str]]:
    return [
        [f"{line.kind} {line.rule_id}" for line in hunk]
        for hunk in rule_hunks(old.entries, new.entries, context=1)
    ]


def test_each_kind_of_change_and_the_rules_around_it() -> None:
    old = ruleset(*(f"accept tcp/{port}" for port in range(1, 10)))
    assert kinds(old, old) == []
    assert kinds(old, edits.change_rule(old, "r3", {"action": "drop"})) == [
        ["context r2", "changed r3", "context r4"]
    ]
    assert kinds(old, edits.delete_rules(old, ["r1", "r9"])) == [
        ["removed r1", "context r2"],
        ["context r8", "removed r9"],
    ]
    assert kinds(old, edits.move_rule(old, "r9", 1)) == [["moved r9", "context r1"]]
    moved = edits.move_rule(old, "r2", 6)
    assert kinds(old, edits.change_rule(moved, "r2", {"action": "drop"})) == [
        ["context r6", "changed r2", "context r7"]
    ]
    assert kinds(old, edits.enable_rules(old, ["r5"], False)) == [
        ["context r4", "changed r5", "context r6"]
    ]


def test_the_policy() -> None:
    assert policy_changes(Policy(), Policy()) == []
    assert policy_changes(Policy(), Policy(egress="drop", neighbor_discovery="judge")) == [
        ("egress", "accept", "drop"),
        ("neighbor_discovery", "accept", "judge"),
    ]
