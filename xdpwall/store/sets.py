"""What sets hold, on disk: whole loads as arrays, single changes as a log, and what expires.

A single change is one transaction, which is on disk before the kernel is touched; that the kernel
has it is recorded with a later one. Changes that are not marked so are made again after a crash.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from xdpwall.sets.change import EntryChange
from xdpwall.sets.entries import AddressEntry
from xdpwall.sets.keys import KINDS, Kind, kind_of, stored, unstored
from xdpwall.values.author import Author

from .audit import AuditEntry, write_audit
from .database import Database

if TYPE_CHECKING:
    from xdpwall.sets.entries import Entries


FOLD_AT = 4096
"""Logged changes of one set; past it they go into the arrays."""


_APPLIED = "INSERT OR REPLACE INTO meta VALUES ('sets_applied', ?)"


@dataclass(frozen=True, slots=True)
class Held:
    """How many entries a set number has, timed ones included, and how many of those are timed."""

    v4: int = 0
    v6: int = 0
    p4: int = 0
    p6: int = 0
    timed: int = 0
    folds: int = 0
    """Counts how often its arrays were written."""

    @property
    def total(self) -> int:
        """All entries."""
        return self.v4 + self.v6 + self.p4 + self.p6

    def after(self, changes: Iterable[EntryChange]) -> Held:
        """The counts once these changes are made."""
        counts: dict[str, int] = {}
        for change in changes:
            more = (change.expires is not None) - (change.was is not None)
            kind = kind_of(change.entry)
            counts[kind] = counts.get(kind, getattr(self, kind)) + more
            timed = bool(change.expires) - bool(change.was)
            counts["timed"] = counts.get("timed", self.timed) + timed
        return replace(self, **counts)


@dataclass(frozen=True, slots=True)
class SetData:
    """What one number holds: `entries` for good, and those that expire."""

    entries: Entries
    timed: list[tuple[AddressEntry, int]]


class SetStore:
    """The tables of sets in one file. Callers hold the instance's lock while they write."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._version = -1
        self._held: dict[int, Held] = {}
        self._arrays: dict[int, tuple[int, Entries]] = {}
        self._logged: dict[int, int] = {}
        self._seq = 0
        self._applied = 0
        self.class_rows: dict[int, str | None] = {}
        """Rows of `classes` (None: gone) that the next write of any kind takes along."""

    # -- reading ---------------------------------------------------------------------------------
    def held(self) -> Mapping[int, Held]:
        """Every number that the kernel may hold entries of."""
        self._refresh()
        return self._held

    def version(self) -> int:
        """Changes when another process has written."""
        return self._database.data_version()

    def read(self, number: int) -> SetData:
        """All that a number holds."""
        self._refresh()
        with self._database.read() as connection:
            entries = self._with_log(connection, number, self._arrays_of(connection, number))
            rows = connection.execute(
                "SELECT key, expires FROM set_timed WHERE number = ? ORDER BY key", (number,)
            ).fetchall()
        return SetData(entries, [(unstored(key), expires) for key, expires in rows])

    def unapplied(self) -> list[EntryChange]:
        """Changes that the kernel may not have, in order."""
        self._refresh()
        if self._applied == self._seq:
            return []
        with self._database.read() as connection:
            rows = connection.execute(
                "SELECT number, key, expires FROM set_log WHERE seq > ? ORDER BY seq",
                (self._applied,),
            ).fetchall()
        return [EntryChange(number, unstored(key), expires) for number, key, expires in rows]

    def expired(self, now: int, limit: int) -> list[EntryChange]:
        """Entries whose time is over, the earliest first, as removals."""
        with self._database.read() as connection:
            rows = connection.execute(
                "SELECT number, key, expires FROM set_timed WHERE expires <= ?"
                " ORDER BY expires LIMIT ?",
                (now, limit),
            ).fetchall()
        return [EntryChange(number, unstored(key), None, expires) for number, key, expires in rows]

    def next_expiry(self, number: int | None = None) -> int | None:
        """When the next entry expires, of one number or of all."""
        where, values = ("", ()) if number is None else (" WHERE number = ?", (number,))
        with self._database.read() as connection:
            row = connection.execute(
                f"SELECT min(expires) FROM set_timed{where}", values
            ).fetchone()
        return None if row[0] is None else int(row[0])

    def classes(self) -> dict[int, str]:
        """The class numbers in use and what they stand for."""
        with self._database.read() as connection:
            return dict(connection.execute("SELECT id, members FROM classes").fetchall())

    # -- writing ---------------------------------------------------------------------------------
    def change(
        self, changes: Sequence[EntryChange], *, by: Author | None, action: str, now: str
    ) -> int:
        """Log single changes; the mark for `mark_applied`. Without `by` the audit trail is mute.

        On disk when synced() has returned: what is answered is, what dies before it is in neither.
        """
        self._refresh()
        seq, held = self._seq, dict(self._held)
        for number in {change.number for change in changes}:
            held[number] = held.get(number, Held()).after(c for c in changes if c.number == number)
        rows = [(change.number, stored(change.entry), change.expires) for change in changes]
        with self._write(wait=False) as connection:
            connection.executemany(
                "INSERT INTO set_log VALUES (?, ?, ?, ?)",
                [(seq + i, *row) for i, row in enumerate(rows, 1)],
            )
            self._write_timed(connection, changes)
            for number in {change.number for change in changes}:
                self._write_held(connection, number, held[number])
            connection.execute(_APPLIED, (str(self._applied),))
            if by is not None:
                write_audit(connection, AuditEntry.of(by, action, now))
        self._held = held
        self._seq += len(rows)
        for change in changes:
            self._logged[change.number] = self._logged.get(change.number, 0) + 1
        return self._seq

    def synced(self) -> None:
        """Wait for the disk to have what change() wrote."""
        self._database.synced()

    @property
    def last(self) -> int:
        """The mark of the newest logged change."""
        self._refresh()
        return self._seq

    def mark_applied(self, mark: int) -> None:
        """The kernel has everything up to the mark; on disk with the next write."""
        self._applied = mark

    def drop_expired(self, changes: Sequence[EntryChange]) -> None:
        """Forget entries of `expired` that the kernel does not have any more. The mark goes along,
        so that nobody writes them again from the log."""
        self._refresh()
        held = dict(self._held)
        for number in {change.number for change in changes}:
            held[number] = held.get(number, Held()).after(c for c in changes if c.number == number)
        with self._write() as connection:
            connection.execute(_APPLIED, (str(self._applied),))
            self._write_timed(connection, changes)
            for number in {change.number for change in changes}:
                self._write_held(connection, number, held[number])
        self._held = held

    def stage(self, number: int, entries: Entries, timed: Mapping[AddressEntry, int]) -> None:
        """All that a new number holds (`timed` apart from `entries`), before the kernel has it."""
        self._refresh()
        counts = {kind: len(getattr(entries, kind)) for kind in KINDS}
        for entry in timed:
            counts[kind_of(entry)] += 1
        held = Held(**counts, timed=len(timed), folds=1)
        with self._write() as connection:
            self._forget(connection, number)
            self._write_held(connection, number, held)
            _write_parts(connection, number, entries)
            connection.executemany(
                "INSERT INTO set_timed VALUES (?, ?, ?)",
                [(number, stored(entry), expires) for entry, expires in timed.items()],
            )
        self._held = {**self._held, number: held}
        self._arrays[number] = (1, entries)
        self._logged.pop(number, None)

    def forget(self, number: int) -> None:
        """Nothing of this number is in the kernel any more."""
        self._refresh()
        with self._write() as connection:
            self._forget(connection, number)
        self._held = {other: held for other, held in self._held.items() if other != number}
        self._arrays.pop(number, None)
        self._logged.pop(number, None)

    def fold(self) -> None:
        """Put long logs into the arrays; nothing may be unapplied."""
        self._refresh()
        if self._applied != self._seq:
            return
        for number in [number for number, count in self._logged.items() if count > FOLD_AT]:
            data = self.read(number)
            held = replace(self._held[number], folds=self._held[number].folds + 1)
            with self._write() as connection:
                connection.execute("DELETE FROM set_part WHERE number = ?", (number,))
                connection.execute("DELETE FROM set_log WHERE number = ?", (number,))
                _write_parts(connection, number, data.entries)
                self._write_held(connection, number, held)
                connection.execute(_APPLIED, (str(self._applied),))
            self._held = {**self._held, number: held}
            self._arrays[number] = (held.folds, data.entries)
            self._logged.pop(number)

    def save(self) -> None:
        """What waits for the next write is written now."""
        with self._write() as connection:
            connection.execute(_APPLIED, (str(self._applied),))

    def flush(self, connection: sqlite3.Connection) -> None:
        """Write `class_rows`, inside somebody's transaction."""
        for number, members in self.class_rows.items():
            if members is None:
                connection.execute("DELETE FROM classes WHERE id = ?", (number,))
            else:
                connection.execute(
                    "INSERT OR REPLACE INTO classes VALUES (?, ?)", (number, members)
                )

    # -- inside ----------------------------------------------------------------------------------
    @contextmanager
    def _write(self, *, wait: bool = True) -> Iterator[sqlite3.Connection]:
        with self._database.transaction(wait=wait) as connection:
            self.flush(connection)
            yield connection
        self.class_rows.clear()

    def _refresh(self) -> None:
        version = self._database.data_version()
        if version == self._version:
            return
        with self._database.read() as connection:
            rows = connection.execute("SELECT * FROM set_held").fetchall()
            logged = connection.execute("SELECT number, count(*) FROM set_log GROUP BY number")
            self._logged = dict(logged.fetchall())
            last = connection.execute("SELECT max(seq) FROM set_log").fetchone()[0]
            mark = connection.execute("SELECT value FROM meta WHERE key = 'sets_applied'")
            applied = mark.fetchone()
        self._held = {row[0]: Held(*row[1:]) for row in rows}
        self._applied = int(applied[0]) if applied else 0
        self._seq = max(last or 0, self._applied)
        # Another process may have given a number to other entries, folded as often.
        self._arrays = {}
        self._version = version

    def _arrays_of(self, connection: sqlite3.Connection, number: int) -> Entries:
        row = connection.execute("SELECT folds FROM set_held WHERE number = ?", (number,))
        folds = (row.fetchone() or (0,))[0]
        known = self._arrays.get(number)
        if known is None or known[0] != folds:
            known = folds, _read_parts(connection, number)
            # One at a time: a few large sets would fill the memory of a process that lives long.
            self._arrays = {number: known}
        return known[1]

    def _with_log(self, connection: sqlite3.Connection, number: int, entries: Entries) -> Entries:
        from xdpwall.sets.entries import Entries

        rows = connection.execute(
            "SELECT key, expires FROM set_log WHERE number = ? ORDER BY seq", (number,)
        )
        last = {unstored(key): expires for key, expires in rows.fetchall()}
        if not last:
            return entries
        touched = Entries.from_entries(last)
        there = Entries.from_entries(entry for entry, expires in last.items() if expires == 0)
        return entries.difference(touched).union(there)

    @staticmethod
    def _write_timed(connection: sqlite3.Connection, changes: Sequence[EntryChange]) -> None:
        for change in changes:
            key = stored(change.entry)
            if change.expires:
                connection.execute(
                    "INSERT OR REPLACE INTO set_timed VALUES (?, ?, ?)",
                    (change.number, key, change.expires),
                )
            elif change.was:
                connection.execute(
                    "DELETE FROM set_timed WHERE number = ? AND key = ?", (change.number, key)
                )

    @staticmethod
    def _write_held(connection: sqlite3.Connection, number: int, held: Held) -> None:
        connection.execute(
            "INSERT OR REPLACE INTO set_held VALUES (?, ?, ?, ?, ?, ?, ?)",
            (number, held.v4, held.v6, held.p4, held.p6, held.timed, held.folds),
        )

    @staticmethod
    def _forget(connection: sqlite3.Connection, number: int) -> None:
        for table in ("set_held", "set_part", "set_log", "set_timed"):
            connection.execute(f"DELETE FROM {table} WHERE number = ?", (number,))


_PART = 1 << 20


def _write_parts(connection: sqlite3.Connection, number: int, entries: Entries) -> None:
    for kind in KINDS:
        array = getattr(entries, kind)
        for part, start in enumerate(range(0, len(array), _PART)):
            connection.execute(
                "INSERT INTO set_part VALUES (?, ?, ?, ?)",
                (number, kind, part, array[start : start + _PART].tobytes()),
            )


def _read_parts(connection: sqlite3.Connection, number: int) -> Entries:
    import numpy as np

    from xdpwall.sets.entries import Entries
    from xdpwall.values.arrays import P6

    rows = connection.execute(
        "SELECT kind, data FROM set_part WHERE number = ? ORDER BY kind, part", (number,)
    )
    found: dict[Kind, list[bytes]] = {kind: [] for kind in KINDS}
    for kind, data in rows:
        found[kind].append(data)
    data4, data6, wide4, wide6 = (b"".join(found[kind]) for kind in KINDS)
    return Entries(
        v4=np.frombuffer(data4, "<u4"),
        v6=np.frombuffer(data6, "<u8").reshape(-1, 2),
        p4=np.frombuffer(wide4, "<u8"),
        p6=np.frombuffer(wide6, P6),
    )
