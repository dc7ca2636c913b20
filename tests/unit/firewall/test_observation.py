"""Events lead from one ruleset to the next; times of last hits are what was seen."""

from __future__ import annotations

import random

from xdpwall.firewall.observation import (
    Observation,
    counters_now,
    policy_changed,
    rules_at,
    rules_changed,
)
from xdpwall.firewall.rule_views import LastHits
from xdpwall.rule.rule import Rule
from xdpwall.ruleset import edits
from xdpwall.ruleset.committed import CommittedRuleset
from xdpwall.ruleset.index import RuleEntry
from xdpwall.views.rules import RuleView

NOW = "2026-11-21T10:00:00Z"


def observation(ruleset: CommittedRuleset, *, expired: frozenset[str] = frozenset()) -> Observation:
    return Observation(
        ruleset=ruleset,
        on=True,
        time=1.0,
        now=NOW,
        raw=[(0, 0)] * len(ruleset.entries),
        counts={entry.id: (0, 0) for entry in ruleset.entries},
        hits={},
        attachments=(),
        expired=expired,
        mark=0,
        trail=(),
    )


def followed(rules: list[RuleView], old: Observation, new: Observation) -> list[str]:
    """The ids in order, as a client has them that follows the events."""
    change = rules_changed(old, new)
    if change is None:
        return [rule.id for rule in rules]
    gone = {*change.removed, *(rule.id for rule in change.rules)}
    mine = [rule for rule in rules if rule.id not in gone]
    for rule in change.rules:
        mine.insert(rule.position - 1, rule)
    return [rule.id for rule in mine]


def edited(ruleset: CommittedRuleset, chance: random.Random) -> CommittedRuleset:
    """A few random edits at once."""
    for _ in range(chance.randint(1, 6)):
        ids = [entry.id for entry in ruleset.entries]
        kind = chance.choice(["add", "add", "delete", "move", "disable", "change"])
        if kind == "add" or not ids:
            at = chance.randint(1, len(ids) + 1)
            rules = [Rule.parse("drop icmp")] * chance.randint(1, 3)
            ruleset = edits.insert_rules(ruleset, rules, at=at, now=NOW)
        elif kind == "delete":
            ruleset = edits.delete_rules(
                ruleset, chance.sample(ids, chance.randint(1, min(3, len(ids))))
            )
        elif kind == "move":
            ruleset = edits.move_rule(ruleset, chance.choice(ids), chance.randint(1, len(ids)))
        elif kind == "disable":
            ruleset = edits.enable_rules(ruleset, [chance.choice(ids)], chance.random() < 0.5)
        else:
            ruleset = edits.change_rule(
                ruleset, chance.choice(ids), {"comment": str(chance.random())}
            )
    return ruleset


def test_whoever_follows_the_events_has_the_rules_in_order() -> None:
    chance = random.Random(5)
    ruleset = CommittedRuleset()
    for _ in range(300):
        old, new = observation(ruleset), observation(edited(ruleset, chance))
        found = followed(rules_at(old), old, new)
        assert found == [entry.id for entry in new.ruleset.entries]
        ruleset = new.ruleset


def test_nothing_new_is_no_event() -> None:
    ruleset = edits.insert_rules(CommittedRuleset(), [Rule.parse("drop icmp")], at=None, now=NOW)
    same = CommittedRuleset(ruleset.revision, ruleset.policy, ruleset.entries, ruleset.next_number)
    assert rules_changed(observation(ruleset), observation(same)) is None
    assert policy_changed(observation(ruleset), observation(same)) is None


def test_a_rule_that_expires_changes() -> None:
    ruleset = edits.insert_rules(
        CommittedRuleset(), [Rule.parse("drop icmp")] * 2, at=None, now=NOW
    )
    change = rules_changed(observation(ruleset), observation(ruleset, expired=frozenset({"r2"})))
    assert change is not None
    assert (change.changed, [rule.id for rule in change.rules]) == (["r2"], ["r2"])


def test_only_counters_that_changed_are_sent() -> None:
    ruleset = edits.insert_rules(
        CommittedRuleset(), [Rule.parse("drop icmp")] * 3, at=None, now=NOW
    )
    old = observation(ruleset)
    new = observation(ruleset)
    object.__setattr__(new, "counts", {"r1": (0, 0), "r2": (5, 500), "r3": (0, 0), "r9": (1, 1)})
    assert [(one.id, one.packets) for one in counters_now(old, new).rules] == [("r2", 5), ("r9", 1)]
    assert counters_now(None, new).rules == []
    assert counters_now(new, old).rules[0].packets == 0


def entry(rule_id: str, slot: int) -> RuleEntry:
    return RuleEntry(Rule.parse({"id": rule_id, "action": "count"}), slot, NOW)


def test_a_hit_is_known_once_it_was_seen() -> None:
    hits = LastHits()
    two = [entry("a", 0), entry("b", 1)]
    hits.note(two, [(7, 70), (0, 0)], "t1")
    assert hits.known(two) == {}  # Who knows when those seven came.
    hits.note(two, [(7, 70), (1, 10)], "t2")
    assert hits.known(two) == {"b": "t2"}
    hits.note(two, [(8, 80), (1, 10)], "t3")
    assert hits.known(two) == {"a": "t3", "b": "t2"}


def test_hits_of_new_changed_and_gone_rules() -> None:
    hits = LastHits()
    old = [entry("a", 0), entry("b", 1)]
    hits.note(old, [(1, 1), (1, 1)], "t1")
    hits.note(old, [(2, 2), (2, 2)], "t2")
    # `a` counts anew in another slot, `b` is gone, `c` is new and was hit already.
    new = [entry("a", 5), entry("c", 6)]
    assert hits.known(new) == {}
    hits.note(new, [(0, 0), (3, 3)], "t3")
    assert hits.known(new) == {"c": "t3"}
    # The kernel's maps were made anew, and something came since.
    hits.note(new, [(0, 0), (1, 1)], "t4")
    assert hits.known(new) == {"c": "t4"}
    hits.note(new, [(0, 0), (0, 0)], "t5")
    assert hits.known(new) == {"c": "t4"}
