"""The history on disk: rulesets of before, what is kept of them, and damage."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import pytest

from tests.unit.ruleset.test_difference import changed_at_random
from xdpwall.errors import Failed
from xdpwall.rule.rule import Rule
from xdpwall.ruleset import edits
from xdpwall.ruleset.committed import CommittedRuleset
from xdpwall.ruleset.policy import Policy
from xdpwall.sets.names import SetRow
from xdpwall.store import revisions
from xdpwall.store.store import FILE, Store
from xdpwall.values.author import Author

NOW = "2026-11-21T10:00:00Z"
BY = Author("uid 0", "tcp", "because", address="192.0.2.1")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store(tmp_path / "state")
    yield opened
    opened.close()


def change(store: Store, new: CommittedRuleset, now: str = NOW) -> CommittedRuleset:
    store.revisions.record(store.read().ruleset, new, by=BY, action="test", now=now)
    store.revisions.commit(new.revision, nothing)
    return store.read().ruleset


def nothing(slots: Sequence[int]) -> list[tuple[int, int]]:
    """Counters of a kernel that has seen no packet."""
    return [(0, 0)] * len(slots)


def said(ruleset: CommittedRuleset) -> object:
    """All that a revision says."""
    rules = [(entry.rule, entry.slot, entry.rank) for entry in ruleset.entries]
    return ruleset.revision, ruleset.policy, rules, ruleset.sets


def next_at_random(old: CommittedRuleset, chance: random.Random) -> CommittedRuleset:
    what = chance.choice(("rules", "rules", "policy", "sets"))
    if what == "policy":
        verdict = "drop" if old.policy.ingress == "accept" else "accept"
        return edits.with_policy(old, old.policy.model_copy(update={"ingress": verdict}))
    if what == "sets":
        rows = {row.name: row for row in old.sets}
        name = chance.choice("abc")
        if rows.pop(name, None) is None:
            rows[name] = SetRow(name, chance.randint(100, 4000), NOW)
        return edits.with_sets(old, tuple(rows[key] for key in sorted(rows)))
    new = changed_at_random(old, chance)
    return edits.with_policy(new, new.policy) if new.same_as(old) else new


def test_every_ruleset_of_before(store: Store) -> None:
    chance = random.Random(1)
    known = [said(store.read().ruleset)]
    now = store.read().ruleset
    for _ in range(60):
        wanted = next_at_random(now, chance)
        new = CommittedRuleset(
            now.revision + 1, wanted.policy, wanted.entries, wanted.next_number, wanted.sets
        )
        now = change(store, new)
        known.append(said(now))
    found = [said(one) for one in store.history.rulesets()]
    assert found == known[::-1]


def test_who_made_them(store: Store) -> None:
    now = store.read().ruleset
    for minute in range(5):
        now = change(
            store,
            edits.insert_rules(now, [Rule.parse("drop tcp")], at=None, now=NOW),
            f"2026-11-21T10:0{minute}:00Z",
        )
    newest = store.history.newest(2)
    assert [one.number for one in newest] == [5, 4]
    assert newest[0][2:] == ("uid 0", "tcp 192.0.2.1", "test", "because")
    assert [one.number for one in store.history.newest(9, before=3)] == [2, 1]
    since = store.history.newest(9, since="2026-11-21T10:03:00Z")
    assert [one.number for one in since] == [5, 4]
    assert store.history.oldest() == 1
    lines = store.audit.listed(2)
    assert [(line[0], line[2]) for line in lines] == [(5, 5), (4, 4)]
    assert [line[0] for line in store.audit.listed(9, before=2)] == [1]


def test_no_more_than_is_kept(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(revisions, "KEEP_REVISIONS", 10)
    now = store.read().ruleset
    for _ in range(15):
        now = change(store, edits.insert_rules(now, [Rule.parse("drop tcp")], at=None, now=NOW))
    assert [one.number for one in store.history.newest(99)] == list(range(15, 5, -1))
    assert [one.revision for one in store.history.rulesets()] == list(range(15, 4, -1))
    sizes = sum(size for _, size in deltas(store))
    monkeypatch.setattr(revisions, "KEEP_BYTES", sizes // 2)
    now = change(store, edits.insert_rules(now, [Rule.parse("drop tcp")], at=None, now=NOW))
    assert sum(size for _, size in deltas(store)) <= sizes // 2
    monkeypatch.setattr(revisions, "KEEP_BYTES", 1)
    change(store, edits.insert_rules(now, [Rule.parse("drop tcp")], at=None, now=NOW))
    assert [number for number, _ in deltas(store)] == [17], "the newest always stays"
    assert [one.revision for one in store.history.rulesets()] == [17, 16]


def deltas(store: Store) -> list[tuple[int, int]]:
    rows = store.connection.execute("SELECT number, length(delta) FROM revisions ORDER BY 1")
    return list(rows.fetchall())


def test_sets_that_stay_are_kept_once(store: Store) -> None:
    rows = tuple(SetRow(f"s{n:04}", n + 1, NOW) for n in range(1000))
    now = change(store, edits.with_sets(store.read().ruleset, rows))
    now = change(store, edits.insert_rules(now, [Rule.parse("drop tcp")], at=None, now=NOW))
    assert deltas(store)[-1][1] < 1000
    found = list(store.history.rulesets())
    assert [len(one.sets) for one in found] == [1000, 1000, 0]


@pytest.mark.parametrize("what", ["damaged", "another"])
def test_a_revision_that_does_not_lead_on(store: Store, tmp_path: Path, what: str) -> None:
    now = store.read().ruleset
    for _ in range(3):
        now = change(store, edits.insert_rules(now, [Rule.parse("drop tcp")], at=None, now=NOW))
    with closing(sqlite3.connect(tmp_path / "state" / FILE)) as raw, raw:
        if what == "damaged":
            raw.execute("UPDATE revisions SET delta = x'0100' WHERE number = 2")
        else:
            raw.execute(
                "UPDATE revisions SET delta = (SELECT delta FROM revisions WHERE number = 3)"
                " WHERE number = 2"
            )
    found = store.history.rulesets()
    assert [next(found).revision for _ in range(2)] == [3, 2]
    with pytest.raises(Failed) as error:
        next(found)
    assert error.value.code == "corrupt" and "revision 2" in error.value.message


def test_policy_of_before(store: Store) -> None:
    policy = Policy(ingress="drop", non_ip="drop")
    change(store, edits.with_policy(store.read().ruleset, policy))
    assert [one.policy for one in store.history.rulesets()] == [policy, Policy()]
