"""The store's operations, each one transaction.

A change is recorded as pending with its delta; the rows of the rules move only when it is
committed, so that a pending change that never reached the kernel is dropped by deleting one row.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import astuple, replace
from pathlib import Path
from typing import Any, NamedTuple

from xdpwall.errors import Failed, XdpwallError
from xdpwall.rule.rule import Rule
from xdpwall.ruleset.attachment import AttachmentRow
from xdpwall.ruleset.index import RuleEntry
from xdpwall.ruleset.policy import Policy
from xdpwall.ruleset.state import State
from xdpwall.sets.names import SetRow
from xdpwall.values.author import Author
from xdpwall.views.events import EventSettings
from xdpwall.views.history import Change

from . import metrics
from .audit import audit
from .database import Database
from .metrics import Commits, ReadCounters
from .records import Binding, Pending, Snapshot
from .revision import Delta, RuleRow, between
from .sets import SetStore
from .statements import AuditEntry, read_delta, set_meta, write_rules

FILE = "xdpwall.db"
KEEP_REVISIONS = 200
_ATTACHMENT = "iface, place, ifindex, wanted, number, since, mode, kind, intent"


class _Recorded(NamedTuple):
    """A pending revision as this process recorded it."""

    state: State
    delta: Delta
    entry: AuditEntry


class Store:
    """One instance's state folder. Callers hold the instance's lock while they write."""

    def __init__(self, state_dir: Path, *, busy_seconds: float = 5.0) -> None:
        self._database = Database(state_dir / FILE, busy_seconds=busy_seconds)
        self._own_changes = 0
        self._cached: tuple[tuple[int, int], Snapshot] | None = None
        self._entries: dict[str, tuple[RuleRow, RuleEntry]] = {}
        self._commits: tuple[int, Commits] | None = None
        """Their histogram as of a version of the file."""
        self._recorded: _Recorded | None = None
        """What is pending, when we recorded it: to read it back takes 80 ms for 10,000 rules."""
        self.sets = SetStore(self._database)
        """What the sets hold."""

    def version(self) -> int:
        """Changes when another process has written."""
        return self._database.data_version()

    def alone(self) -> AbstractContextManager[None]:
        """For as long as the instance's lock is held: no other process writes."""
        return self._database.alone()

    def stretch(self) -> None:
        """Room for what will be written, so that a commit need not make some."""
        self._database.stretch()

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def read(self) -> Snapshot:
        """The committed state now; from memory when nobody has written since."""
        token = (self._database.data_version(), self._own_changes)
        if self._cached is None or self._cached[0] != token:
            with self._database.read() as connection:
                self._cached = (token, self._load(connection))
        return self._cached[1]

    # -- a change of the ruleset -----------------------------------------------------------------
    def record(
        self, old: State, new: State, *, by: Author, action: str, now: str, wait: bool = True
    ) -> None:
        """Step 2: the revision is on disk, pending; without `wait` when synced() has returned."""
        delta = between(old, new)
        blob = delta.pack()
        known = self.read()
        entry = (now, by.name, by.via, action, by.message)
        with self._write(wait=wait) as connection:
            if known.pending is not None:
                connection.execute("DELETE FROM revisions WHERE state = 'pending'")
            connection.execute(
                "INSERT OR REPLACE INTO revisions VALUES (?, 'pending', ?, ?, ?, ?, ?, ?)",
                (new.revision, *entry, blob),
            )
        self._recorded = _Recorded(new, delta, entry)
        self._know(replace(known, pending=Pending(new.revision, action)))

    def synced(self) -> None:
        """Wait for the disk to have what was written without waiting."""
        self._database.synced()

    def commit(
        self,
        revision: int,
        read: ReadCounters,
        *,
        took: float | None = None,
        fill: Mapping[str, int] | None = None,
    ) -> None:
        """Step 4: the pending revision becomes the committed one; Failed when there is none.

        `read` gives what slots have counted that rules leave; `took` is in seconds.
        """
        known, recorded = self.read(), self._recorded
        if recorded is not None and recorded.state.revision != revision:
            recorded = None
        said: dict[str, str] = {}
        commits = None
        with self._write() as connection:
            marked = connection.execute(
                "UPDATE revisions SET state = 'committed' WHERE number = ? AND state = 'pending'",
                (revision,),
            )
            if marked.rowcount != 1:
                raise Failed(f"revision {revision} is not pending", code="corrupt")
            if recorded is not None:
                delta, entry = recorded.delta, recorded.entry
            else:
                delta, entry = read_delta(connection, revision)
            metrics.carry(connection, delta, read)
            if took is not None:
                commits = self._commits_in(connection).and_one(took)
                said |= metrics.to_meta(commits, fill or {})
            write_rules(connection, delta)
            if delta.sets[0] != delta.sets[1]:
                connection.execute("DELETE FROM sets")
                connection.executemany(
                    "INSERT INTO sets VALUES (?, ?, ?)", [astuple(row) for row in delta.sets[1]]
                )
            if delta.policy[0] != delta.policy[1] or revision == 1:
                said["policy"] = json.dumps(delta.policy[1].to_json())
            said |= {"next_number": str(delta.next_number), "revision": str(revision)}
            set_meta(connection, said)
            connection.execute(
                "DELETE FROM revisions WHERE number <= ?", (revision - KEEP_REVISIONS,)
            )
            audit(connection, *entry, revision)
        if commits is not None:
            self._commits = (self._database.data_version(), commits)
        if recorded is not None:
            self._know(replace(known, state=recorded.state, pending=None))
        self._recorded = None

    def drop_pending(self) -> None:
        """The pending revision never came into force."""
        self._recorded = None
        with self._write() as connection:
            connection.execute("DELETE FROM revisions WHERE state = 'pending'")

    # -- counters --------------------------------------------------------------------------------
    def set_baselines(
        self, baselines: Mapping[str, tuple[int, int]], *, by: Author, action: str, now: str
    ) -> None:
        """What the counters of these rules said at their reset: id -> (packets, bytes)."""
        with self._write() as connection:
            connection.executemany(
                "UPDATE rules SET base_packets = ?, base_bytes = ? WHERE id = ?",
                [(packets, size, rule_id) for rule_id, (packets, size) in baselines.items()],
            )
            audit(connection, now, by.name, by.via, action, by.message, None)

    def figures(self) -> metrics.Figures:
        """What /metrics adds to the kernel's counters."""
        with self._database.read() as connection:
            return metrics.read_figures(connection)

    def clear_baselines(self) -> None:
        """The kernel's counters are gone, so are their baselines; and the classes of its sets."""
        self.sets.class_rows.clear()
        with self._write() as connection:
            connection.execute("DELETE FROM classes")
            connection.execute("DELETE FROM carried")
            connection.execute(
                "UPDATE rules SET base_packets = 0, base_bytes = 0"
                " WHERE base_packets != 0 OR base_bytes != 0"
            )

    # -- attachments, switch, binding ------------------------------------------------------------
    def put_attachment(
        self, row: AttachmentRow, *, by: Author | None = None, action: str = "", now: str = ""
    ) -> None:
        """Insert or replace; with `by` the audit trail says so."""
        with self._write() as connection:
            connection.execute(
                f"INSERT OR REPLACE INTO attachments ({_ATTACHMENT})"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    *(row.iface, row.place, row.index, row.wanted, row.number, row.since),
                    *(row.mode, row.kind, row.intent),
                ),
            )
            if by is not None:
                audit(connection, now, by.name, by.via, action, by.message, None)

    def delete_attachment(
        self, row: AttachmentRow, *, by: Author | None = None, action: str = "", now: str = ""
    ) -> None:
        """Forget it; with `by` the audit trail says so."""
        with self._write() as connection:
            connection.execute(
                "DELETE FROM attachments WHERE iface = ? AND place = ?", (row.iface, row.place)
            )
            if by is not None:
                audit(connection, now, by.name, by.via, action, by.message, None)

    def set_switch(self, on: bool, *, by: Author, action: str, now: str) -> None:
        """Whether the firewall judges at all."""
        with self._write() as connection:
            set_meta(connection, {"on": "1" if on else "0"})
            audit(connection, now, by.name, by.via, action, by.message, None)

    def set_events(self, wanted: EventSettings, *, by: Author, action: str, now: str) -> None:
        """Which packets become events."""
        with self._write() as connection:
            set_meta(connection, {"events": wanted.model_dump_json()})
            audit(connection, now, by.name, by.via, action, by.message, None)

    def bind(self, binding: Binding) -> None:
        """From now on the instance belongs to this namespace and boot."""
        with self._write() as connection:
            set_meta(
                connection,
                {
                    "netns": str(binding.netns),
                    "boot_id": binding.boot_id,
                    "netns_cookie": str(binding.cookie),
                },
            )

    def audit_trail(self, limit: int = 100) -> list[dict[str, object]]:
        """The newest entries first: time, author, via, action, message, revision."""
        with self._database.read() as connection:
            rows = connection.execute(
                "SELECT time, author, via, action, message, revision FROM audit"
                " ORDER BY id DESC LIMIT ?",
                (limit,),
            ).fetchall()
        names = ("time", "author", "via", "action", "message", "revision")
        return [dict(zip(names, row, strict=True)) for row in rows]

    def trail(self, after: int | None, revision: int) -> tuple[int, tuple[Change, ...]]:
        """The audit trail's entries past the mark `after`, and the next mark.

        Those of revisions past `revision` wait for the next call. With None: only the mark.
        """
        with self._database.read() as connection:
            rows = connection.execute(
                "SELECT id, time, author, via, action, message, revision FROM audit"
                " WHERE id > coalesce(?, (SELECT max(id) - 1 FROM audit), 0) ORDER BY id",
                (after,),
            ).fetchall()
        mark, found = after or 0, []
        for number, *rest in rows:
            if rest[-1] is not None and rest[-1] > revision:
                mark = number - 1
                break
            mark = number
            found.append(Change(**dict(zip(Change.model_fields, rest, strict=True))))
        return mark, () if after is None else tuple(found)

    def slots_at(self, revision: int) -> dict[int, str]:
        """Which rule had which slot in a revision; {} when it is older than those kept, or newer.

        Half of the way back would name rules that came later, and took the slots of others.
        """
        with self._database.read() as connection:
            now = int(
                connection.execute(
                    "SELECT coalesce(max(value), 0) FROM meta WHERE key = 'revision'"
                ).fetchone()[0]
            )
            rows = connection.execute("SELECT slot, id FROM rules").fetchall()
            between_them = connection.execute(
                "SELECT number, delta FROM revisions WHERE number > ? AND number <= ?"
                " ORDER BY number",
                (min(now, revision), max(now, revision)),
            ).fetchall()
        back = revision < now
        steps_kept = {number for number, _ in between_them}
        if not (steps_kept >= {min(now, revision) + 1, max(now, revision)} or revision == now):
            return {}
        found: dict[int, str] = dict(rows)
        for _, blob in reversed(between_them) if back else between_them:
            delta = Delta.unpack(blob)
            steps = [(new, old) if back else (old, new) for old, new in delta.rules]
            for gone, _ in steps:
                if gone is not None:
                    found.pop(gone.slot, None)
            for _, comes in steps:
                if comes is not None:
                    found[comes.slot] = comes.id
        return found

    # -- inside ----------------------------------------------------------------------------------
    @contextmanager
    def _write(self, *, wait: bool = True) -> Iterator[sqlite3.Connection]:
        with self._database.transaction(wait=wait) as connection:
            self.sets.flush(connection)
            yield connection
        self.sets.class_rows.clear()
        self._own_changes += 1

    def _commits_in(self, connection: sqlite3.Connection) -> Commits:
        version = self._database.data_version()
        if self._commits is None or self._commits[0] != version:
            self._commits = (version, metrics.read_commits(connection))
        return self._commits[1]

    def _know(self, snapshot: Snapshot) -> None:
        """This is what is on disk after our own write, if nobody else wrote."""
        self._cached = ((self._database.data_version(), self._own_changes), snapshot)

    def _load(self, connection: sqlite3.Connection) -> Snapshot:
        meta = dict(connection.execute("SELECT key, value FROM meta").fetchall())
        rows = connection.execute("SELECT * FROM rules ORDER BY rank").fetchall()
        attachments = connection.execute(
            f"SELECT {_ATTACHMENT} FROM attachments ORDER BY number"
        ).fetchall()
        sets = connection.execute("SELECT name, number, created FROM sets ORDER BY name")
        set_rows = tuple(SetRow(*row) for row in sets)
        pending = connection.execute(
            "SELECT number, action FROM revisions WHERE state = 'pending'"
        ).fetchone()
        try:
            state = State(
                revision=int(meta.get("revision", "0")),
                policy=Policy(**json.loads(meta.get("policy", "{}"))),
                entries=self._entries_of(RuleRow(*row) for row in rows),
                next_number=int(meta.get("next_number", "1")),
                sets=set_rows,
            )
        except (ValueError, XdpwallError) as error:
            raise Failed(
                "the recorded rules cannot be read", code="corrupt", detail=str(error)
            ) from error
        binding = None
        if "netns" in meta:
            cookie = int(meta.get("netns_cookie", "0"))
            binding = Binding(int(meta["netns"]), meta["boot_id"], cookie)
        return Snapshot(
            state=state,
            attachments=tuple(_attachment(row) for row in attachments),
            on=meta.get("on", "1") == "1",
            binding=binding,
            pending=Pending(*pending) if pending else None,
            events=EventSettings.model_validate_json(meta.get("events", "{}")),
        )

    def _entries_of(self, rows: Iterable[RuleRow]) -> tuple[RuleEntry, ...]:
        """Entries of rows; those that have not changed since the last time are the same objects."""
        fresh: dict[str, tuple[RuleRow, RuleEntry]] = {}
        for row in rows:
            known = self._entries.get(row.id)
            fresh[row.id] = known if known and known[0] == row else (row, _entry(row))
        self._entries = fresh
        return tuple(entry for _, entry in fresh.values())


def _entry(row: RuleRow) -> RuleEntry:
    return RuleEntry(
        rule=Rule.parse(json.loads(row.rule)),
        slot=row.slot,
        created=row.created,
        rank=row.rank,
        base_packets=row.base_packets,
        base_bytes=row.base_bytes,
    )


def _attachment(row: Sequence[Any]) -> AttachmentRow:
    return AttachmentRow(*row)
