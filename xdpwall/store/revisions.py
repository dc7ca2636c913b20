"""The revisions of the ruleset: recorded as pending, committed or dropped, looked up.

A change is recorded as pending with its delta; the rows of the rules move only when it is
committed, so that a pending change that never reached the kernel is dropped by deleting one row.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import astuple, replace
from typing import NamedTuple

from xdpwall.errors import Failed
from xdpwall.ruleset.committed import CommittedRuleset
from xdpwall.values.author import Author

from . import metrics
from .audit import AuditEntry, write_audit
from .metrics import CommitTimes, ReadCounters
from .records import Pending, Unconfirmed
from .revision_delta import RevisionDelta, delta_between
from .session import Session
from .statements import write_meta, write_rules

KEEP_REVISIONS = 200
"""Committed revisions whose deltas are kept, at most."""
KEEP_BYTES = 64 << 20
"""The size of all deltas together above which the oldest ones go; the newest always stays."""


class _Recorded(NamedTuple):
    """A pending revision as this process recorded it."""

    ruleset: CommittedRuleset
    delta: RevisionDelta
    entry: AuditEntry


class Revisions:
    """Changes of the ruleset, each one transaction."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._commit_times: tuple[int, CommitTimes] | None = None
        """The version of the file, and their histogram then."""
        self._recorded: _Recorded | None = None
        """What is pending, when we recorded it: to read it back takes 80 ms for 10,000 rules."""

    def record(
        self,
        old: CommittedRuleset,
        new: CommittedRuleset,
        *,
        by: Author,
        action: str,
        now: str,
        wait: bool = True,
        unconfirmed: Unconfirmed | None = None,
    ) -> None:
        """Put the revision on disk as pending; without `wait` it is there when Store.synced() has
        returned. `unconfirmed`: it is to be confirmed once it is in force."""
        delta = delta_between(old, new)
        blob = delta.pack()
        known = self._session.read()
        entry = AuditEntry.of(by, action, now)
        with self._session.write(wait=wait) as connection:
            if known.pending is not None:
                connection.execute("DELETE FROM revisions WHERE state = 'pending'")
            connection.execute(
                "INSERT OR REPLACE INTO revisions VALUES (?, 'pending', ?, ?, ?, ?, ?, ?)",
                (new.revision, *entry, blob),
            )
            if unconfirmed is not None:
                write_meta(connection, {"unconfirmed": unconfirmed.to_json()})
        self._recorded = _Recorded(new, delta, entry)
        self._session.remember(
            replace(known, pending=Pending(new.revision, action), unconfirmed=unconfirmed)
        )

    def commit(
        self,
        revision: int,
        read: ReadCounters,
        *,
        took: float | None = None,
        fill: Mapping[str, int] | None = None,
    ) -> None:
        """Make the pending revision the committed one; Failed when it is not pending.

        `read` gives what slots have counted that rules leave; `took` is in seconds; `fill` is how
        much of each table the ruleset needs (compiler.sizes.Sizes).
        """
        known, recorded = self._session.read(), self._recorded
        if recorded is not None and recorded.ruleset.revision != revision:
            recorded = None
        meta: dict[str, str] = {}
        times = None
        with self._session.write() as connection:
            marked = connection.execute(
                "UPDATE revisions SET state = 'committed' WHERE number = ? AND state = 'pending'",
                (revision,),
            )
            if marked.rowcount != 1:
                raise Failed(f"revision {revision} is not pending", code="store")
            if recorded is not None:
                delta, entry = recorded.delta, recorded.entry
            else:
                delta, entry = _read_revision(connection, revision)
            metrics.carry_counts(connection, delta, read)
            if took is not None:
                times = self._times(connection).with_commit(took)
                meta |= metrics.to_meta(times, fill or {})
            write_rules(connection, delta)
            _write_sets(connection, delta)
            if delta.policy[0] != delta.policy[1] or revision == 1:
                meta["policy"] = json.dumps(delta.policy[1].to_json())
            if delta.timeouts[0] != delta.timeouts[1] or revision == 1:
                meta["timeouts"] = json.dumps(delta.timeouts[1].to_json())
            meta |= {"next_number": str(delta.next_number), "revision": str(revision)}
            write_meta(connection, meta)
            _make_room(connection, revision)
            write_audit(connection, entry, revision)
        if times is not None:
            self._commit_times = (self._session.database.data_version(), times)
        if recorded is not None:
            self._session.remember(replace(known, ruleset=recorded.ruleset, pending=None))
        self._recorded = None

    def drop_pending(self, *, was_in_force: bool = False) -> None:
        """Delete the pending revision, which never came into force, or only until it was taken back."""
        self._recorded = None
        with self._session.write() as connection:
            if was_in_force:
                connection.execute(
                    "INSERT OR REPLACE INTO meta"
                    " SELECT 'given', number FROM revisions WHERE state = 'pending'"
                )
            connection.execute("DELETE FROM revisions WHERE state = 'pending'")
            _forget_unconfirmed(connection)

    def confirm(self, *, by: Author, now: str) -> None:
        """Keep the change that waited for its confirmation."""
        revision = self._session.read().ruleset.revision
        with self._session.write() as connection:
            _forget_unconfirmed(connection)
            write_audit(
                connection, AuditEntry.of(by, f"confirm revision {revision}", now), revision
            )

    def step_back(
        self, read: ReadCounters, *, by: Author, now: str, why: str = "was not recorded safely"
    ) -> None:
        """Undo the last committed revision, which is not in force: its write failed after SQLite had
        taken it, or it was not confirmed. `read` as in commit(). Failed when what it changed is not
        recorded."""
        self._recorded = None
        last = self._session.read().ruleset.revision
        with self._session.write() as connection:
            if not connection.execute(
                "SELECT 1 FROM revisions WHERE number = ? AND state = 'committed'", (last,)
            ).fetchone():
                raise Failed(f"what revision {last} changed is not recorded", code="store")
            done, _ = _read_revision(connection, last)
            back = done.reversed()
            write_rules(connection, back)
            _write_sets(connection, back)
            metrics.take_back(connection, done, read)
            policy = json.dumps(back.policy[1].to_json())
            timeouts = json.dumps(back.timeouts[1].to_json())
            meta = {"policy": policy, "timeouts": timeouts}
            write_meta(connection, meta | {"revision": str(last - 1), "given": str(last)})
            connection.execute("DELETE FROM revisions WHERE number = ?", (last,))
            _forget_unconfirmed(connection)
            action = f"revision {last} {why}: back to {last - 1}"
            write_audit(connection, AuditEntry.of(by, action, now), last - 1)

    def slots_at(self, revision: int) -> dict[int, str]:
        """Slot -> rule id in a revision; {} when it is older than those kept, or not there yet.

        Half of the way back would name rules that came later, and took the slots of others.
        """
        with self._session.database.read() as connection:
            now = int(
                connection.execute(
                    "SELECT coalesce(max(value), 0) FROM meta WHERE key = 'revision'"
                ).fetchone()[0]
            )
            first, last = min(now, revision) + 1, max(now, revision)
            slots: dict[int, str] = dict(connection.execute("SELECT slot, id FROM rules"))
            blobs = dict(
                connection.execute(
                    "SELECT number, delta FROM revisions WHERE number BETWEEN ? AND ?"
                    " ORDER BY number",
                    (first, last),
                ).fetchall()
            )
        if revision != now and not blobs.keys() >= {first, last}:
            return {}
        back = revision < now
        for number in reversed(blobs) if back else blobs:
            delta = RevisionDelta.unpack(blobs[number])
            steps = [(new, old) if back else (old, new) for old, new in delta.rules]
            for left, _ in steps:
                if left is not None:
                    slots.pop(left.slot, None)
            for _, taken in steps:
                if taken is not None:
                    slots[taken.slot] = taken.id
        return slots

    def _times(self, connection: sqlite3.Connection) -> CommitTimes:
        version = self._session.database.data_version()
        if self._commit_times is None or self._commit_times[0] != version:
            self._commit_times = (version, metrics.read_commit_times(connection))
        return self._commit_times[1]


def _make_room(connection: sqlite3.Connection, newest: int) -> None:
    """Delete the oldest revisions that are more than are kept."""
    connection.execute("DELETE FROM revisions WHERE number <= ?", (newest - KEEP_REVISIONS,))
    # SQLite tells the length of a blob without reading it.
    (kept,) = connection.execute("SELECT sum(length(delta)) FROM revisions").fetchone()
    if kept <= KEEP_BYTES:
        return
    kept = 0
    for number, size in connection.execute(
        "SELECT number, length(delta) FROM revisions ORDER BY number DESC"
    ).fetchall():
        kept += size
        if kept > KEEP_BYTES and number < newest:
            connection.execute("DELETE FROM revisions WHERE number <= ?", (number,))
            return


def _forget_unconfirmed(connection: sqlite3.Connection) -> None:
    connection.execute("DELETE FROM meta WHERE key = 'unconfirmed'")


def _write_sets(connection: sqlite3.Connection, delta: RevisionDelta) -> None:
    if delta.sets[0] != delta.sets[1]:
        connection.execute("DELETE FROM sets")
        connection.executemany(
            "INSERT INTO sets VALUES (?, ?, ?)", [astuple(row) for row in delta.sets[1]]
        )


def _read_revision(
    connection: sqlite3.Connection, revision: int
) -> tuple[RevisionDelta, AuditEntry]:
    """A recorded revision. Failed when its delta is damaged."""
    blob, *entry = connection.execute(
        "SELECT delta, time, author, via, action, message FROM revisions WHERE number = ?",
        (revision,),
    ).fetchone()
    return RevisionDelta.unpack(blob), AuditEntry(*entry)
