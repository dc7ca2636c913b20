"""Rollbacks: exactly the ruleset of before, many changes in a row leave nothing, and what is no change."""

from __future__ import annotations

import gc
import os
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.firewall.support import Site, rules
from tests.unit.ruleset.test_difference import changed_at_random
from xdpwall.dataplane.program_constants import FOLDER, MOST_IDLE
from xdpwall.errors import Conflict, NotFound, Refused, XdpwallError
from xdpwall.firewall.firewall import Firewall
from xdpwall.ruleset.ruleset import Ruleset
from xdpwall.store.revisions import KEEP_REVISIONS
from xdpwall.values.author import Author

CHANGES = int(os.environ.get("CHANGES", "300"))
"""Commits in a row: `make test-many-changes` has 10,000."""


def said(firewall: Firewall) -> object:
    """The ruleset in force, with the ids of its rules."""
    ruleset = firewall._instance.ruleset
    return ruleset.policy, [entry.rule for entry in ruleset.entries]


def change_at_random(firewall: Firewall, chance: random.Random) -> None:
    old = firewall._instance.ruleset
    new = changed_at_random(old, chance)
    policy = {"ingress": chance.choice(("accept", "drop"))}
    texts = [entry.rule.to_json() for entry in new.entries]
    firewall.apply(Ruleset.parse({"version": 1, "rules": texts, "policy": policy}))


def test_to_each_of_50_random_revisions(site: Site) -> None:
    chance = random.Random(7)
    with site.open() as firewall:
        known = {0: said(firewall)}
        while len(known) <= 50:
            change_at_random(firewall, chance)
            known[firewall.status().revision] = said(firewall)
        for revision in chance.sample(sorted(known), len(known)):
            outcome = firewall.rollback(revision)
            assert said(firewall) == known[revision]
            assert outcome.diff is not None and outcome.diff.same == (not outcome.changed)
            assert site.kernel_revision() == site.disk_revision() == outcome.revision
        assert firewall.health().problems == []


def test_counters_of_rules_that_were_the_same(site: Site) -> None:
    with site.open() as firewall:
        firewall.attach("veth0")
        firewall.add_rules(rules("count icmp", "count ipv4"))
        site.ping(3)
        firewall.set_rule("r2", {"proto": "icmp"})
        firewall.move_rule("r2", 1)
        site.ping(3)
        firewall.rollback(1)
        counted = {rule.id: rule.packets for rule in firewall.rules().rules}
        assert counted == {"r1": 6, "r2": 0}, "r2 matched something else meanwhile"


def test_what_is_in_force_already_is_no_change(site: Site) -> None:
    file = {
        "version": 1,
        "policy": {"egress": "drop"},
        "rules": ["drop icmp", "accept tcp/22 disabled", "count from @bad"],
        "sets": {"bad": {"entries": ["192.0.2.1"]}},
        "attachments": [{"iface": "veth0", "hook": "xdp", "mode": "generic"}],
    }
    changes: dict[str, Callable[[Firewall], object]] = {
        "apply": lambda fw: fw.apply(Ruleset.parse(file)),
        "set": lambda fw: fw.set_rule("r1", {"proto": "icmp"}),
        "replace": lambda fw: fw.replace_rule("r1", *rules("drop icmp")),
        "move": lambda fw: fw.move_rule("r2", 2),
        "enable": lambda fw: fw.enable_rules(["r1"], True),
        "disable": lambda fw: fw.enable_rules(["r2"], False),
        "policy": lambda fw: fw.set_policy({"egress": "drop"}),
        "set made": lambda fw: fw.create_set("bad"),
        "events": lambda fw: fw.set_events({"rate": fw.events().settings.rate}),
        "attach": lambda fw: fw.attach("veth0", mode="generic"),
        "rollback": lambda fw: fw.rollback(1),
        "on": lambda fw: fw.set_switch(True),
    }
    with site.open() as firewall:
        firewall.apply(Ruleset.parse(file))
        revision, trail = firewall.status().revision, firewall.audit_trail().entries
        for name, change in changes.items():
            change(firewall)
            assert firewall.status().revision == revision, name
            assert firewall.audit_trail().entries == trail, name


def test_refused_and_failed_changes_are_in_the_trail(site: Site) -> None:
    by = Author("tester", "cli", "why")
    with site.open() as firewall:
        firewall.create_set("bad")
        firewall.add_rules(rules("drop from @bad"))
        with pytest.raises(Conflict):
            firewall.delete_set("bad", by=by)
        (line, *_) = firewall.audit_trail().entries
        assert line.action.startswith("refused: delete set: ")
        assert (line.author, line.message, line.revision) == ("tester", "why", None)
        for wrong in (
            lambda: firewall.rollback(99),
            lambda: firewall.set_policy({"ingress": "no"}),
        ):
            with pytest.raises(XdpwallError):
                wrong()
        assert firewall.audit_trail().entries[0] == line, "these are no changes"
        for _ in range(30):
            with pytest.raises(Conflict):
                firewall.delete_set("bad", by=by)
        told = [one for one in firewall.audit_trail(limit=99).entries if one.action[:3] == "ref"]
        assert len(told) == 10 and "more within 60 s are not told" in told[0].action
        firewall.flush()
        firewall.delete_set("bad")
        firewall.rollback(firewall.status().revision - 1)
        firewall.rollback(firewall.status().revision - 1)
        with pytest.raises(Refused) as error:
            firewall.rollback(2, by=by)
        assert error.value.code == "set-gone"
        assert "refused: rollback: " in firewall.audit_trail().entries[0].action


def test_after_a_repair_the_history_has_what_the_second_copy_has(site: Site) -> None:
    with site.open() as firewall:
        for text in ("drop tcp/22", "drop udp", "drop icmp", "count tcp"):
            firewall.add_rules(rules(text))
    (site.settings.state_dir / "xdpwall.db").unlink()
    with site.open() as firewall:
        assert firewall.repair().repaired
        found = firewall.history(diff=True)
        assert [one.revision for one in found.revisions] == [4, 3]
        assert (found.oldest, found.more) == (2, False)
        assert [one.action for one in found.revisions] == ["add r4", "add r3"]
        told = [one.diff.rules[-1].id for one in found.revisions if one.diff is not None]
        assert told == ["r4", "r3"]
        with pytest.raises(NotFound) as error:
            firewall.rollback(1)
        assert "those from 2 to 4 are" in error.value.message
        firewall.rollback(2)
        assert [rule.text for rule in firewall.rules().rules] == ["drop tcp/22", "drop udp"]


def footprint(site: Site, firewall: Firewall) -> dict[str, int]:
    """What an instance holds: descriptors, mappings, pins; but for constants of programs that have gone."""
    gc.collect()  # what the tests before left to it has descriptors and mappings, too
    with open("/proc/self/maps") as maps:
        mapped = sum("bpf-map" in line for line in maps)
    folders = os.walk(firewall._settings.bpffs)
    pins = sum(len(files) for path, _, files in folders if Path(path).name != FOLDER)
    return {"descriptors": len(os.listdir("/proc/self/fd")), "mappings": mapped, "pins": pins}


def test_many_changes_in_a_row_leave_nothing(site: Site) -> None:
    with site.open() as firewall:
        firewall.attach("veth0")
        (rule,) = rules("drop tcp/22")

        def change(number: int) -> None:
            firewall.add_rules([rule])
            firewall.delete_rules([firewall.rules().rules[-1].id])

        for number in range(KEEP_REVISIONS // 2 + 10):
            change(number)
        before, size = footprint(site, firewall), disk(site, firewall)
        for number in range((CHANGES - KEEP_REVISIONS) // 2):
            change(number)
        assert footprint(site, firewall) == before
        constants = list((firewall._settings.bpffs / FOLDER).iterdir())
        assert len(constants) <= MOST_IDLE + 2, "of one program, of those that went, and the next"
        assert disk(site, firewall) <= size * 1.25
        kept = firewall.history(limit=1000)
        assert (len(kept.revisions), kept.more) == (KEEP_REVISIONS, False)
        assert kept.oldest == firewall.status().revision - KEEP_REVISIONS
        firewall.rollback(kept.oldest)
        assert firewall.health().problems == []


def disk(site: Site, firewall: Firewall) -> int:
    """Bytes of the state folder."""
    folder = firewall._settings.state_dir
    return sum(path.stat().st_size for path in folder.iterdir() if path.is_file())
