"""The SQLite store: order of a change, what survives, and the errors of a bad disk."""

import os
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.paths import ROOT
from xdpwall.errors import Conflict, Failed, Full
from xdpwall.rule.rule import Rule
from xdpwall.ruleset import edits
from xdpwall.ruleset.attachment import Attachment
from xdpwall.ruleset.committed import CommittedRuleset
from xdpwall.ruleset.policy import Policy
from xdpwall.sets.change import EntryChange
from xdpwall.sets.entries import Entries, parse_entry
from xdpwall.sets.names import SetRow
from xdpwall.sets.timed import TimedEntries
from xdpwall.store.records import Binding
from xdpwall.store.revisions import KEEP_REVISIONS
from xdpwall.store.store import FILE, Store
from xdpwall.values.author import Author
from xdpwall.views.history import Change

NOW = "2026-11-21T10:00:00Z"
BY = Author("uid 0", "socket", "because")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store(tmp_path / "state")
    yield opened
    opened.close()


def change(store: Store, new: CommittedRuleset, action: str = "test") -> None:
    store.revisions.record(store.read().ruleset, new, by=BY, action=action, now=NOW)
    store.revisions.commit(new.revision, nothing)


def nothing(slots: Sequence[int]) -> list[tuple[int, int]]:
    """Counters of a kernel that has seen no packet."""
    return [(0, 0)] * len(slots)


def added(ruleset: CommittedRuleset, *texts: str) -> CommittedRuleset:
    return edits.insert_rules(ruleset, [Rule.parse(text) for text in texts], at=None, now=NOW)


def test_a_new_store_is_empty_and_private(store: Store, tmp_path: Path) -> None:
    snapshot = store.read()
    assert snapshot.ruleset == CommittedRuleset() and snapshot.on and snapshot.binding is None
    added_files = sorted(path.name for path in (tmp_path / "state").iterdir())
    assert "xdpwall.db" in added_files
    for path in (tmp_path / "state").iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
    assert stat.S_IMODE((tmp_path / "state").stat().st_mode) == 0o700


def test_an_open_mode_is_tightened(tmp_path: Path) -> None:
    path = tmp_path / "xdpwall.db"
    path.touch(mode=0o644)
    Store(tmp_path).close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_committed_change_is_read_back_whole(store: Store, tmp_path: Path) -> None:
    new = added(CommittedRuleset(), "drop icmp on docker0", 'accept tcp/80 comment "wéb"')
    new = edits.with_policy(new, Policy(ingress="drop"))
    new = CommittedRuleset(1, new.policy, new.entries, new.next_number)
    change(store, new)
    again = Store(tmp_path / "state")
    assert again.read().ruleset == new
    again.close()


@pytest.mark.parametrize("count", [1, 99, 100, 101, 350])
def test_many_rules_are_read_back(store: Store, tmp_path: Path, count: int) -> None:
    """They are written a hundred by one statement."""
    new = added(CommittedRuleset(), *(f'drop udp/{n + 1} comment "{n}"' for n in range(count)))
    change(store, new)
    fewer = edits.delete_rules(new, [entry.id for entry in new.entries[::3]])
    change(store, fewer)
    with closing(Store(tmp_path / "state")) as other:
        assert other.read().ruleset == fewer


def test_a_pending_change_is_not_in_force_until_committed(store: Store) -> None:
    new = added(CommittedRuleset(), "drop icmp")
    store.revisions.record(CommittedRuleset(), new, by=BY, action="add", now=NOW)
    assert store.read().ruleset == CommittedRuleset()
    pending = store.read().pending
    assert pending is not None and (pending.revision, pending.action) == (1, "add")
    assert store.read().unfinished
    store.revisions.drop_pending()
    assert store.read().pending is None and store.read().ruleset == CommittedRuleset()


def test_commit_without_pending_is_refused(store: Store) -> None:
    with pytest.raises(Failed, match="revision 5 is not pending"):
        store.revisions.commit(5, nothing)


def test_deletion_and_order(store: Store) -> None:
    change(store, added(CommittedRuleset(), "drop icmp", "drop tcp", "drop udp"))
    change(store, edits.move_rule(store.read().ruleset, "r3", 1))
    change(store, edits.delete_rules(store.read().ruleset, ["r1"]))
    assert [entry.id for entry in store.read().ruleset.entries] == ["r3", "r2"]


def test_another_process_writes_are_seen(store: Store, tmp_path: Path) -> None:
    assert store.read().ruleset.revision == 0
    other = Store(tmp_path / "state")
    change(other, added(CommittedRuleset(), "drop icmp"))
    other.close()
    assert store.read().ruleset.revision == 1


def test_unchanged_rules_are_the_same_objects_after_a_re_read(store: Store) -> None:
    change(store, added(CommittedRuleset(), "drop icmp"))
    first = store.read().ruleset.entries[0]
    change(store, added(store.read().ruleset, "drop tcp"))
    assert store.read().ruleset.entries[0] is first


def test_baselines_are_kept_and_cleared(store: Store) -> None:
    change(store, added(CommittedRuleset(), "drop icmp"))
    store.set_baselines({"r1": (2**62, 99)}, by=BY, action="reset-counters", now=NOW)
    entry = store.read().ruleset.entries[0]
    assert (entry.base_packets, entry.base_bytes) == (2**62, 99)
    store.clear_baselines("0" * 32)
    assert store.read().ruleset.entries[0].base_packets == 0


def test_attachments_switch_and_binding(store: Store) -> None:
    row = Attachment("docker0", "tc-egress", 4, None, 2, NOW, kind="bridge")
    store.bind(Binding(4026531840, "abc"))
    store.attachments.put(row, by=BY, action="attach docker0 tc-egress", now=NOW)
    store.set_switch(False, by=BY, action="off", now=NOW)
    snapshot = store.read()
    assert snapshot.attachments == (row,) and not snapshot.on
    assert snapshot.binding == Binding(4026531840, "abc")
    assert (row.hook, row.direction, row.words) == ("tc", "egress", "docker0 tc-egress")
    store.attachments.delete(row)
    assert store.read().attachments == ()


def test_the_audit_trail_says_who_did_what(store: Store) -> None:
    change(store, added(CommittedRuleset(), "drop icmp"), "add r1")
    store.set_switch(False, by=BY, action="off", now=NOW)
    mark, (first, second) = store.audit.since(0, 1)
    assert first == Change(
        time=NOW, author="uid 0", via="socket", action="add r1", message="because", revision=1
    )
    assert (second.action, second.revision) == ("off", None)
    change(store, added(store.read().ruleset, "drop udp"), "add r2")
    assert store.audit.since(mark, 1) == (mark, ()), "revision 2 waits until it is asked for"
    (third,) = store.audit.since(mark, 2)[1]
    assert third.action == "add r2"


def test_old_revisions_go(store: Store, tmp_path: Path) -> None:
    change(store, added(CommittedRuleset(), "drop icmp"))
    for turn in range(KEEP_REVISIONS + 5):
        change(store, edits.enable_rules(store.read().ruleset, ["r1"], bool(turn % 2)))
    with sqlite3.connect(tmp_path / "state" / "xdpwall.db") as raw:
        assert raw.execute("SELECT count(*) FROM revisions").fetchone()[0] == KEEP_REVISIONS


def test_commits_need_not_lengthen_a_stretched_log(store: Store, tmp_path: Path) -> None:
    change(store, added(store.read().ruleset, "drop icmp"))
    log = tmp_path / "state" / f"{FILE}-wal"
    short = log.stat().st_size
    store.stretch()
    long = log.stat().st_size
    assert long > 4_000_000 > short
    for turn in range(300):  # more than the log has room for: it begins anew
        change(store, added(store.read().ruleset, f"drop tcp/{turn}"))
    assert log.stat().st_size == long
    with closing(Store(tmp_path / "state")) as other:
        assert other.read() == store.read()
        assert len(other.read().ruleset.entries) == 301


def test_a_damaged_file_is_said_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "xdpwall.db"
    path.write_bytes(b"this is no database, " * 500)
    with closing(Store(tmp_path)) as store, pytest.raises(Failed, match="damaged") as caught:
        change(store, added(CommittedRuleset(), "drop icmp"))
    assert caught.value.code == "corrupt" and caught.value.hint
    assert path.read_bytes().startswith(b"this is no")


def test_damaged_pages_are_said(store: Store, tmp_path: Path) -> None:
    change(store, added(CommittedRuleset(), *[f"drop tcp/{port}" for port in range(1, 2000)]))
    store.close()
    path = tmp_path / "state" / "xdpwall.db"
    content = bytearray(path.read_bytes())
    content[8192 : len(content)] = b"\xa5" * (len(content) - 8192)
    path.write_bytes(content)
    with closing(Store(tmp_path / "state")) as damaged:
        fault = damaged.examine()
    assert fault is not None and fault.code == "corrupt"


def test_a_locked_database_is_a_conflict(tmp_path: Path) -> None:
    store = Store(tmp_path, busy_seconds=0.05)
    blocker = sqlite3.connect(tmp_path / "xdpwall.db", isolation_level=None)
    blocker.execute("BEGIN IMMEDIATE")
    with pytest.raises(Conflict) as caught:
        change(store, added(CommittedRuleset(), "drop icmp"))
    assert caught.value.code == "busy"
    blocker.execute("ROLLBACK")
    blocker.close()
    assert store.read().ruleset == CommittedRuleset()
    store.close()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=512k,mode=0700", "xwt-small", str(folder)]
    subprocess.run(mount, check=True)
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


_WRITE = """
import sys
from pathlib import Path
from xdpwall.values.author import Author
from xdpwall.store.store import Store
store = Store(Path(sys.argv[1]))
store.set_switch(False, by=Author(), action="off", now="2026-11-21T10:00:00Z")
store.close()
"""


def test_a_second_connection_takes_no_log_away_from_the_first(store: Store, tmp_path: Path) -> None:
    """The service has two. A process that comes and goes must not think that it was the last."""
    assert store.read().on
    with closing(Store(tmp_path / "state")) as second:
        assert second.read().on
        write = [sys.executable, "-c", _WRITE, str(tmp_path / "state")]
        subprocess.run(write, check=True, cwd=ROOT)
        assert not store.read().on
        assert not second.read().on


def test_a_full_disk_keeps_the_old_state(small_disk: Path) -> None:
    store = Store(small_disk)
    change(store, added(CommittedRuleset(), "drop icmp"))
    before = store.read().ruleset
    filler = os.open(small_disk / "filler", os.O_WRONLY | os.O_CREAT)
    try:
        with pytest.raises(OSError):
            while True:
                os.write(filler, b"x" * 4096)
    finally:
        os.close(filler)
    with pytest.raises(Full) as caught:
        change(store, added(before, *[f"drop tcp/{port}" for port in range(1, 3000)]))
    assert caught.value.code == "disk-full"
    store.close()
    (small_disk / "filler").unlink()
    again = Store(small_disk)
    assert again.read().ruleset == before
    change(again, added(before, "drop udp"))
    assert [entry.id for entry in again.read().ruleset.entries] == ["r1", "r2"]
    again.close()


def test_a_store_without_sets_is_brought_up_to_date(tmp_path: Path) -> None:
    """Written by the version before sets: its rules stay, and a second opening changes nothing."""
    store = Store(tmp_path)
    change(store, added(CommittedRuleset(), "drop icmp"))
    before = store.read()
    store.close()
    old = sqlite3.connect(tmp_path / FILE)
    first = ("meta", "rules", "revisions", "attachments", "audit")
    tables = old.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
    for (table,) in tables:
        if table not in first:
            old.execute(f"DROP TABLE {table}")
    old.execute("PRAGMA user_version = 1")
    old.commit()
    old.close()
    for _ in range(2):
        again = Store(tmp_path)
        assert again.read() == before and again.sets.entry_counts() == {}
        again.close()


def test_what_is_remembered_of_a_commit_is_what_is_on_disk(store: Store, tmp_path: Path) -> None:
    ruleset = edits.with_sets(CommittedRuleset(), (SetRow("bad", 7, NOW),))
    change(store, ruleset)
    change(store, added(store.read().ruleset, "drop icmp from @bad", "accept tcp/80 log"))
    store.revisions.record(
        store.read().ruleset, added(store.read().ruleset, "drop udp"), by=BY, action="x", now=NOW
    )
    for _ in range(2):
        again = Store(tmp_path / "state")
        assert again.read() == store.read()
        again.close()
        store.revisions.drop_pending()
    assert [row.name for row in store.read().ruleset.sets] == ["bad"]


def test_entries_of_sets(store: Store, tmp_path: Path) -> None:
    """Whole loads and single changes add up, also for another process; marks wait for a write."""
    texts = ["10.0.0.1", "10.0.0.2", "10.0.0.0/8", "2001:db8::1", "2001:db8::/32"]
    one, timed = parse_entry("192.0.2.1"), parse_entry("192.0.2.0/24")
    store.sets.write_whole(7, TimedEntries(Entries.of(texts), {one: 500}))
    coming = [
        EntryChange(7, parse_entry("10.0.0.3"), 0),
        EntryChange(7, timed, 900),
        EntryChange(7, one, 0, was=500),
        EntryChange(7, parse_entry("10.0.0.1"), None, was=0),
    ]
    mark = store.sets.log_changes(coming, by=BY, action="add", now=NOW)
    again = Store(tmp_path / "state")
    assert [(c.entry, c.expires) for c in again.sets.unapplied_changes()] == [
        (c.entry, c.expires) for c in coming
    ]
    counts = again.sets.entry_counts()[7]
    assert (counts.v4, counts.p4, counts.v6, counts.p6, counts.timed) == (3, 2, 1, 1, 1)
    data = again.sets.read_set(7)
    wanted = {*texts, "10.0.0.3", "192.0.2.1"} - {"10.0.0.1"}
    assert set(data.lasting.texts()) == wanted and data.expiring == {timed: 900}
    store.sets.mark_applied(mark)
    store.sets.flush()
    assert again.sets.unapplied_changes() == []
    assert again.sets.next_expiry() == 900 and again.sets.expired_entries(899, 10) == []
    store.sets.delete_expired(store.sets.expired_entries(900, 10))
    assert again.sets.read_set(7).expiring == {} and again.sets.entry_counts()[7].total == 6
    store.sets.write_whole(8, TimedEntries(Entries.of(["::1"]), {}))
    store.sets.delete_number(7)
    assert list(again.sets.entry_counts()) == [8]
    again.close()


def test_slots_of_a_revision_that_is_no_longer_kept_are_unknown(store: Store) -> None:
    """Its slots are other rules' by now: no name is better than a wrong one."""
    change(store, added(CommittedRuleset(), "drop icmp"))
    change(store, edits.delete_rules(store.read().ruleset, ["r1"]))
    change(store, added(store.read().ruleset, "drop udp"))
    assert store.revisions.slots_at(3) == {0: "r2"} and store.revisions.slots_at(1) == {0: "r1"}
    for n in range(KEEP_REVISIONS):
        policy = Policy(ingress="accept" if n % 2 else "drop")
        change(store, edits.with_policy(store.read().ruleset, policy))
    assert store.revisions.slots_at(3) == {0: "r2"}, "every change since is kept"
    assert store.revisions.slots_at(2) == {} and store.revisions.slots_at(1) == {}
    assert store.revisions.slots_at(store.read().ruleset.revision + 1) == {}, (
        "nothing is known of it yet"
    )
