"""Edits of the ordered rules: ids, places, slots, and what counts as the same rule."""

import re
from random import Random

import pytest

from tests.support.paths import ROOT
from xdpwall import limits
from xdpwall.errors import Conflict, Full, InvalidInput, NotFound
from xdpwall.limits import MAX_RULES
from xdpwall.rule.rule import Rule
from xdpwall.ruleset import edits
from xdpwall.ruleset.committed import CommittedRuleset, diff, find_rule, new_slots
from xdpwall.ruleset.index import EntryIndex
from xdpwall.ruleset.policy import Policy

NOW = "2026-11-21T10:00:00Z"


def ruleset_of(*texts: str) -> CommittedRuleset:
    return edits.insert_rules(
        CommittedRuleset(), [Rule.parse(text) for text in texts], at=None, now=NOW
    )


def ids(ruleset: CommittedRuleset) -> list[str]:
    return [entry.id for entry in ruleset.entries]


def slots(ruleset: CommittedRuleset) -> dict[str, int]:
    return {entry.id: entry.slot for entry in ruleset.entries}


def test_the_slots_are_those_of_the_abi() -> None:
    header = ROOT / "bpf" / "abi.h"
    found = re.search(r"#define XW_SLOTS\s+(\d+)", header.read_text())
    assert found and int(found[1]) == limits.SLOTS


def test_made_ids_pass_every_number_ever_seen() -> None:
    ruleset = ruleset_of("drop icmp", "drop tcp")
    assert ids(ruleset) == ["r1", "r2"]
    ruleset = edits.insert_rules(
        ruleset, [Rule.parse({"text": "drop udp", "id": "r7"})], at=None, now=NOW
    )
    ruleset = edits.delete_rules(ruleset, ["r7"])
    ruleset = edits.insert_rules(ruleset, [Rule.parse("drop udp")], at=None, now=NOW)
    assert ids(ruleset) == ["r1", "r2", "r8"]


def test_a_made_id_skips_one_given_in_the_same_call() -> None:
    rules = [Rule.parse("drop icmp"), Rule.parse({"text": "drop tcp", "id": "r1"})]
    assert ids(edits.insert_rules(CommittedRuleset(), rules, at=None, now=NOW)) == ["r2", "r1"]


def test_insert_at_a_place() -> None:
    ruleset = edits.insert_rules(
        ruleset_of("drop icmp", "drop tcp"), [Rule.parse("drop udp")], at=1, now=NOW
    )
    assert ids(ruleset) == ["r3", "r1", "r2"]


@pytest.mark.parametrize("at", [0, -1, 4])
def test_insert_outside_is_refused(at: int) -> None:
    with pytest.raises(InvalidInput, match="1 to 3") as caught:
        edits.insert_rules(
            ruleset_of("drop icmp", "drop tcp"), [Rule.parse("drop")], at=at, now=NOW
        )
    assert (caught.value.field, caught.value.value) == ("position", at)


def test_a_taken_id_is_a_conflict() -> None:
    with pytest.raises(Conflict) as caught:
        edits.insert_rules(
            ruleset_of("drop icmp"), [Rule.parse({"action": "drop", "id": "r1"})], at=None, now=NOW
        )
    assert caught.value.code == "id-taken"


def test_no_rule_is_refused() -> None:
    with pytest.raises(InvalidInput):
        edits.insert_rules(CommittedRuleset(), [], at=None, now=NOW)


def test_move_is_the_place_after_the_move() -> None:
    ruleset = ruleset_of("drop icmp", "drop tcp", "drop udp")
    assert ids(edits.move_rule(ruleset, "r1", 3)) == ["r2", "r3", "r1"]
    assert ids(edits.move_rule(ruleset, "r3", 1)) == ["r3", "r1", "r2"]
    assert edits.move_rule(ruleset, "r2", 2).same_as(ruleset)
    with pytest.raises(InvalidInput, match="1 to 3"):
        edits.move_rule(ruleset, "r1", 4)


def test_slots_stay_over_move_enable_and_comment_and_change_with_the_match() -> None:
    ruleset = ruleset_of("drop icmp", "drop tcp/22")
    before = slots(ruleset)
    ruleset = edits.move_rule(ruleset, "r1", 2)
    ruleset = edits.enable_rules(ruleset, ["r1"], False)
    ruleset = edits.change_rule(ruleset, "r1", {"comment": "no pings"})
    assert slots(ruleset) == before
    changed = edits.change_rule(ruleset, "r2", {"dport": "23"})
    assert slots(changed)["r2"] not in before.values()
    assert new_slots(ruleset, changed) == [slots(changed)["r2"]]


def test_a_change_of_match_forgets_the_baseline() -> None:
    ruleset = ruleset_of("drop icmp")
    entry = ruleset.entries[0].__class__(
        ruleset.entries[0].rule, 3, NOW, rank=5, base_packets=10, base_bytes=20
    )
    ruleset = CommittedRuleset(1, Policy(), (entry,), 2)
    assert edits.change_rule(ruleset, "r1", {"comment": "x"}).entries[0].base_packets == 10
    assert edits.change_rule(ruleset, "r1", {"action": "accept"}).entries[0].base_packets == 0


def test_a_rule_keeps_its_id() -> None:
    ruleset = ruleset_of("drop icmp")
    with pytest.raises(InvalidInput) as caught:
        edits.replace_rule(ruleset, "r1", Rule.parse({"action": "drop", "id": "other"}))
    assert caught.value.field == "id"


def test_text_replaces_the_whole_rule() -> None:
    ruleset = edits.change_rule(ruleset_of("drop tcp/22 from 10.0.0.1"), "r1", {"text": "drop udp"})
    assert ruleset.entries[0].rule.text == "drop udp"
    assert ids(ruleset) == ["r1"]


def test_unknown_ids_are_named_and_nothing_goes() -> None:
    ruleset = ruleset_of("drop icmp")
    with pytest.raises(NotFound, match="'a', 'b'"):
        edits.delete_rules(ruleset, ["r1", "a", "b"])
    with pytest.raises(NotFound, match="'zz'"):
        edits.move_rule(ruleset, "zz", 1)


def test_apply_keeps_what_stays_the_same() -> None:
    ruleset = ruleset_of("drop icmp", "drop tcp/22", "accept udp", "drop icmp")
    before = slots(ruleset)
    wanted = [
        Rule.parse("accept udp"),
        Rule.parse("drop icmp"),
        Rule.parse({"text": "drop tcp/23", "id": "r2"}),
        Rule.parse("drop sctp"),
    ]
    after = edits.with_rules(ruleset, wanted, Policy(ingress="drop"), now=NOW)
    assert ids(after) == ["r3", "r1", "r2", "r5"]
    assert slots(after)["r3"] == before["r3"] and slots(after)["r1"] == before["r1"]
    change = diff(ruleset, after)
    assert (change.added, change.removed, change.changed) == (["r5"], ["r4"], ["r2"])
    assert change.moved == ["r3"] and change.policy_changed
    assert change.kept == 1


def test_apply_keeps_counters_over_a_new_comment() -> None:
    ruleset = ruleset_of("drop icmp")
    rule = Rule.parse({"text": "drop icmp", "comment": "now with a comment"})
    after = edits.with_rules(ruleset, [rule], Policy(), now=NOW)
    assert slots(after) == slots(ruleset)
    assert diff(ruleset, after).changed == ["r1"]


def test_applying_the_same_again_is_no_change() -> None:
    ruleset = ruleset_of("drop icmp", "drop icmp", 'accept tcp/80,443 comment "web"')
    rules = [entry.rule for entry in ruleset.entries]
    assert edits.with_rules(ruleset, rules, Policy(), now="later").same_as(ruleset)


def test_what_stays_is_the_same_object_and_what_comes_is_named_around_it() -> None:
    ruleset = ruleset_of("drop icmp", "drop tcp", 'drop udp comment "a"')
    texts = [
        "drop tcp",
        "drop",
        'drop udp comment "b"',
        {"text": "drop icmp", "id": "r9"},
        "accept",
    ]
    new = edits.with_rules(ruleset, [Rule.parse(t) for t in texts], Policy(), now="later")
    assert ids(new) == ["r2", "r10", "r3", "r9", "r11"]
    assert new.entries[0].rule is ruleset.entries[1].rule
    assert new.entries[2].slot == ruleset.entries[2].slot
    assert new.entries[2].rule.comment == "b"
    assert len(set(slots(new).values()) | set(slots(ruleset).values())) == 6


def test_apply_refuses_an_id_that_stands_twice() -> None:
    rules = [Rule.parse({"action": "drop", "id": "a"}), Rule.parse({"action": "accept", "id": "a"})]
    with pytest.raises(InvalidInput) as caught:
        edits.with_rules(CommittedRuleset(), rules, Policy(), now=NOW)
    assert caught.value.field == "rules[1].id"


def test_too_many_rules_are_refused() -> None:
    rule = Rule.parse("drop icmp")
    full = edits.insert_rules(CommittedRuleset(), [rule] * MAX_RULES, at=None, now=NOW)
    assert len(set(slots(full).values())) == MAX_RULES
    with pytest.raises(Full) as caught:
        edits.insert_rules(full, [rule], at=None, now=NOW)
    assert caught.value.code == "too-many-rules"


def test_kernel_rules_are_the_enabled_ones() -> None:
    ruleset = edits.enable_rules(ruleset_of("drop icmp", "drop tcp"), ["r1"], False)
    assert [rule.id for rule, _ in ruleset.kernel_rules()] == ["r2"]


def test_what_is_looked_up_follows_hundreds_of_changes() -> None:
    """States share what they are looked up by; each must have its own."""
    random, states = Random(7), [ruleset_of(*(f"drop tcp/{port}" for port in range(1, 40)))]
    for turn in range(600):
        now = states[-1]
        some = random.choice(ids(now))
        if (kind := random.randrange(5)) == 0 and len(now.entries) > 20:
            new = edits.delete_rules(now, [some])
        elif kind == 1:
            new = edits.enable_rules(now, [some], not find_rule(now, some).rule.enabled)
        elif kind == 2:
            new = edits.move_rule(now, some, random.randrange(len(now.entries)) + 1)
        elif kind == 3:
            new = edits.change_rule(now, some, {"dport": str(turn + 1)})
        else:
            at = random.randrange(len(now.entries)) + 1
            new = edits.insert_rules(now, [Rule.parse(f"drop udp/{turn + 1}")], at=at, now=NOW)
        states.append(new)
    for ruleset in states:
        index = EntryIndex.of(ruleset.entries)
        assert dict(ruleset.by_id()) == dict(index.by_id)
        assert len(ruleset.by_id()) == len(ruleset.entries) == len(set(slots(ruleset).values()))
        assert (ruleset.index.used, ruleset.index.disabled) == (index.used, index.disabled)
        assert all(ruleset.place(entry) == at for at, entry in enumerate(ruleset.entries))
        assert "nothing" not in ruleset.by_id()
