"""Content that was changed behind SQLite's back, in a file whose pages are whole, is noticed."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.unit.store.test_store import BY, NOW, added, change
from xdpwall.errors import Failed
from xdpwall.firewall.rule_list_fast import list_rules
from xdpwall.ruleset.attachment import Attachment
from xdpwall.ruleset.committed import CommittedRuleset
from xdpwall.ruleset.policy import Policy
from xdpwall.sets.change import EntryChange
from xdpwall.sets.entries import Entries, parse_entry
from xdpwall.sets.names import SetRow
from xdpwall.sets.timed import TimedEntries
from xdpwall.settings import Settings
from xdpwall.store.records import Binding
from xdpwall.store.store import FILE, Store

STATE = (
    "UPDATE rules SET rule = replace(rule, '22', '23')",
    "UPDATE rules SET slot = slot + 1",
    "UPDATE rules SET rank = -rank WHERE id = 'r2'",
    "UPDATE rules SET created = '2026-11-21T10:00:01Z'",
    "DELETE FROM rules WHERE id = 'r1'",
    "INSERT INTO rules SELECT 'more', 5, rule, 9, created, 0, 0 FROM rules LIMIT 1",
    "UPDATE meta SET value = '0' WHERE key = 'on'",
    "DELETE FROM meta WHERE key = 'on'",
    "UPDATE meta SET value = replace(value, 'drop', 'accept') WHERE key = 'policy'",
    "UPDATE meta SET value = '7' WHERE key = 'revision'",
    "UPDATE meta SET value = 'f' || value WHERE key = 'rules_sum'",
    "UPDATE meta SET value = '-' WHERE key = 'rules_sum'",
    "UPDATE meta SET value = '1 00000000' WHERE key = 'seal'",
    "UPDATE meta SET value = 'x' WHERE key = 'seal'",
    "UPDATE attachments SET iface = 'eth1'",
    "UPDATE attachments SET wanted = 'generic'",
    "DELETE FROM attachments",
    "UPDATE sets SET number = 9",
    "UPDATE sets SET name = 'good'",
)
SETS = (
    "UPDATE set_part SET data = zeroblob(length(data))",
    "DELETE FROM set_part WHERE kind = 'v4'",
    "UPDATE set_part SET kind = 'v6' WHERE kind = 'v4'",
    "UPDATE set_log SET expires = NULL",
    "UPDATE set_log SET key = x'0a00000520'",
    "UPDATE set_timed SET expires = expires + 1",
    "UPDATE set_held SET v4 = 0",
    "UPDATE set_held SET arrays = 0",
    "UPDATE classes SET members = '2'",
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A state folder with something in every table."""
    folder = tmp_path / "state"
    with closing(Store(folder)) as store:
        sets, policy = (SetRow("bad", 1, NOW),), Policy(ingress="drop")
        empty = CommittedRuleset(policy=policy, sets=sets)
        change(store, added(empty, "drop tcp/22", "accept udp from @bad"))
        store.set_switch(True, by=BY, action="on", now=NOW)
        store.bind(Binding(1, "boot"))
        store.attachments.put(
            Attachment("eth0", "xdp", 2, "auto", 0, NOW, "native", "ether", "attached")
        )
        lasting = Entries.of(["10.0.0.1", "10.0.0.2", "192.0.2.0/24"])
        timed = TimedEntries(lasting, {parse_entry("10.0.0.3"): 2_000_000_000})
        store.sets.class_rows[1] = "1"
        store.sets.write_whole(1, timed)
        log = [EntryChange(1, parse_entry("10.0.0.4"), 0)]
        store.sets.log_changes(log, by=BY, action="add", now=NOW)
    return folder


def damage(folder: Path, statement: str) -> None:
    with closing(sqlite3.connect(folder / FILE)) as raw, raw:
        assert raw.execute(statement).rowcount > 0, statement


def read_everything(store: Store) -> None:
    store.read()
    store.sets.entry_counts()
    store.sets.read_set(1)
    store.sets.unapplied_changes()
    store.sets.read_classes()


def test_what_was_written_is_right(folder: Path) -> None:
    with closing(Store(folder)) as store:
        read_everything(store)
        assert len(store.sets.read_set(1)) == 5


@pytest.mark.parametrize("statement", STATE)
def test_rules_settings_attachments_and_names(folder: Path, statement: str) -> None:
    listed = list_rules(Settings(folder, folder / "none", folder / "socket"))
    assert listed is not None and len(listed["rules"]) == 2
    damage(folder, statement)
    with closing(Store(folder)) as store:
        assert store.read().ruleset.revision == 0  # there is no second copy
        fault = store.fault()
        assert fault is not None and fault.code == "corrupt" and store.is_blank
        with pytest.raises(Failed, match="damaged"):
            store.set_switch(False, by=BY, action="off", now=NOW)
    assert list_rules(Settings(folder, folder / "none", folder / "socket")) is None


@pytest.mark.parametrize("statement", SETS)
def test_entries_of_sets(folder: Path, statement: str) -> None:
    damage(folder, statement)
    with closing(Store(folder)) as store, pytest.raises(Failed) as caught:
        read_everything(store)
    assert caught.value.code == "corrupt"
    assert str(folder / FILE) in caught.value.message


def test_a_recorded_revision(folder: Path) -> None:
    with closing(Store(folder)) as store:
        change(store, added(store.read().ruleset, "count tcp/1"))
    damage(folder, "UPDATE revisions SET delta = replace(delta, 'tcp', 'udp') WHERE number = 2")
    with closing(Store(folder)) as store, pytest.raises(Failed) as caught:
        store.revisions.step_back(lambda slots: [(0, 0)] * len(slots), by=BY, now=NOW)
    assert caught.value.code == "corrupt"


def test_a_database_of_an_earlier_release_gets_its_checksums_with_the_next_changes(
    folder: Path,
) -> None:
    damage(folder, "DELETE FROM meta WHERE key IN ('seal', 'rules_sum')")
    with closing(Store(folder)) as store:
        assert len(store.read().ruleset.entries) == 2
        store.set_switch(False, by=BY, action="off", now=NOW)
    with closing(Store(folder)) as store:
        change(store, added(store.read().ruleset, "count tcp/1"))
        assert not store.read().on
    damage(folder, STATE[0])
    with closing(Store(folder)) as store:
        store.read()
        assert store.fault() is not None
