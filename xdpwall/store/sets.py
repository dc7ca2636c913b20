"""The entries of sets on disk: whole sets as arrays, single changes as a log, and expiries.

Single changes are one transaction, which is recorded before the kernel's maps are written. That
the kernel has them is recorded with a later transaction, as the mark of the last change applied;
after a crash those behind the mark are written to the kernel again.

A set is known by its number. A number may have entries and no name: its set is being loaded or
swept.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from xdpwall.sets.change import EntryChange
from xdpwall.sets.keys import KINDS, entry_bytes, entry_from_bytes, kind_of
from xdpwall.sets.timed import TimedEntries
from xdpwall.values.author import Author

from .audit import AuditEntry, write_audit
from .database import Database
from .seal import check_row, row_checksum
from .set_arrays import read_arrays, write_arrays
from .set_counts import EntryCounts

if TYPE_CHECKING:
    from xdpwall.sets.entries import Entries


FOLD_AT_CHANGES = 4096
"""A log of more changes of one set is folded into its arrays."""
_HELD = "number, v4, v6, p4, p6, timed, folds, arrays"
_LOGGED = """INSERT OR REPLACE INTO meta SELECT 'sets_logged', CAST(max(
    (SELECT coalesce(max(seq), 0) FROM set_log),
    coalesce((SELECT CAST(value AS INTEGER) FROM meta WHERE key = 'sets_logged'), 0)) AS TEXT)"""
"""Keeps the newest change's number while those of a set that goes are deleted: a database whose numbers
go back is taken for an older one than its second copy."""
_APPLIED = "INSERT OR REPLACE INTO meta VALUES ('sets_applied', ?)"


class SetStore:
    """The tables set_* and classes of the database. Callers hold the instance's lock to write."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._version = -1
        self._counts: dict[int, EntryCounts] = {}
        self._arrays: dict[int, tuple[int, Entries]] = {}
        self._log_lengths: dict[int, int] = {}
        self._seq = 0
        self._applied = 0
        self.class_rows: dict[int, str | None] = {}
        """Class -> its row, None to delete it: saved by the next transaction of any kind."""

    # -- reading ---------------------------------------------------------------------------------
    def entry_counts(self) -> Mapping[int, EntryCounts]:
        """Set number -> counts, for every number that the kernel's maps may have entries of."""
        self._refresh()
        return self._counts

    def entry_count(self, number: int) -> int:
        """How many entries a set number has."""
        return self.entry_counts().get(number, EntryCounts()).total

    def version(self) -> int:
        """Changes when another process has written."""
        return self._database.data_version()

    def read_set(self, number: int) -> TimedEntries:
        """All entries of a set number, expired ones included."""
        self._refresh()
        with self._database.read() as connection:
            entries = self._apply_log(connection, number, self._read_arrays(connection, number))
            rows = connection.execute(
                "SELECT key, expires, sum FROM set_timed WHERE number = ? ORDER BY key", (number,)
            ).fetchall()
            for key, expires, checksum in rows:
                check_row(checksum, number, key, expires)
        return TimedEntries(entries, {entry_from_bytes(key): expires for key, expires, _ in rows})

    def unapplied_changes(self) -> list[EntryChange]:
        """Logged changes that the kernel's maps may not have, in order."""
        self._refresh()
        if self._applied == self._seq:
            return []
        with self._database.read() as connection:
            rows = connection.execute(
                "SELECT number, key, expires, sum FROM set_log WHERE seq > ? ORDER BY seq",
                (self._applied,),
            ).fetchall()
            for number, key, expires, checksum in rows:
                check_row(checksum, number, key, expires)
        return [EntryChange(row[0], entry_from_bytes(row[1]), row[2]) for row in rows]

    def expired_entries(self, now: int, limit: int) -> list[EntryChange]:
        """Up to `limit` entries that have expired by `now`, the earliest first, as removals."""
        with self._database.read() as connection:
            rows = connection.execute(
                "SELECT number, key, expires FROM set_timed WHERE expires <= ?"
                " ORDER BY expires LIMIT ?",
                (now, limit),
            ).fetchall()
        return [
            EntryChange(number, entry_from_bytes(key), None, expires)
            for number, key, expires in rows
        ]

    def next_expiry(self, number: int | None = None) -> int | None:
        """The next expiry of one set number or of all, in seconds since 1970; None for none."""
        where, values = ("", ()) if number is None else (" WHERE number = ?", (number,))
        with self._database.read() as connection:
            row = connection.execute(
                f"SELECT min(expires) FROM set_timed{where}", values
            ).fetchone()
        return None if row[0] is None else int(row[0])

    def count_ending(self, after: int, until: int) -> int:
        """How many entries expire later than `after`, and by `until`, in seconds since 1970."""
        with self._database.read() as connection:
            row = connection.execute(
                "SELECT count(*) FROM set_timed WHERE expires > ? AND expires <= ?", (after, until)
            ).fetchone()
        return int(row[0])

    def read_classes(self) -> dict[int, str]:
        """Class number -> its members as text, as sets/classes.py takes them."""
        with self._database.read() as connection:
            rows = connection.execute("SELECT id, members, sum FROM classes").fetchall()
            for number, members, checksum in rows:
                check_row(checksum, number, members)
        return {number: members for number, members, _ in rows}

    # -- writing ---------------------------------------------------------------------------------
    def log_changes(
        self, changes: Sequence[EntryChange], *, by: Author | None, action: str, now: str
    ) -> int:
        """Log single changes and return the mark for mark_applied(). With `by` None the audit trail
        gets no line. The changes are on disk once wait_synced() has returned.
        """
        self._refresh()
        seq, changed = self._seq, self._counts_after(changes)
        rows = [(change.number, entry_bytes(change.entry), change.expires) for change in changes]
        with self._write(wait=False) as connection:
            connection.executemany(
                "INSERT INTO set_log VALUES (?, ?, ?, ?, ?)",
                [(seq + i, *row, row_checksum(*row)) for i, row in enumerate(rows, 1)],
            )
            self._write_timed(connection, changes)
            for number, counts in changed.items():
                self._write_counts(connection, number, counts)
            connection.execute(_APPLIED, (str(self._applied),))
            if by is not None:
                write_audit(connection, AuditEntry.of(by, action, now))
        self._counts = {**self._counts, **changed}
        self._seq += len(rows)
        for change in changes:
            self._log_lengths[change.number] = self._log_lengths.get(change.number, 0) + 1
        return self._seq

    def wait_synced(self) -> None:
        """Block until what log_changes() wrote is on disk."""
        self._database.synced()

    @property
    def last_mark(self) -> int:
        """The mark of the newest logged change."""
        self._refresh()
        return self._seq

    def mark_applied(self, mark: int) -> None:
        """Note that the kernel has all changes up to the mark; saved by the next transaction."""
        self._applied = mark

    def delete_expired(self, changes: Sequence[EntryChange]) -> None:
        """Delete entries of expired_entries() that the kernel does not have any more. The mark is
        saved with them, so that nobody writes them again from the log."""
        self._refresh()
        changed = self._counts_after(changes)
        with self._write() as connection:
            connection.execute(_APPLIED, (str(self._applied),))
            self._write_timed(connection, changes)
            for number, counts in changed.items():
                self._write_counts(connection, number, counts)
        self._counts = {**self._counts, **changed}

    def write_whole(self, number: int, content: TimedEntries) -> None:
        """Write all entries of a new number, before the kernel gets them."""
        self._refresh()
        lasting, expiring = content.lasting, content.expiring
        kinds = {kind: len(getattr(lasting, kind)) for kind in KINDS}
        for entry in expiring:
            kinds[kind_of(entry)] += 1
        # At random: a number is given again, and other arrays must not pass for those of before.
        folds = int.from_bytes(os.urandom(4), "little")
        counts = EntryCounts(**kinds, timed=len(expiring), folds=folds)
        with self._write() as connection:
            self._delete_number(connection, number)
            counts = replace(counts, arrays=write_arrays(connection, number, lasting))
            self._write_counts(connection, number, counts)
            timed = [(number, entry_bytes(entry), expires) for entry, expires in expiring.items()]
            connection.executemany(
                "INSERT INTO set_timed VALUES (?, ?, ?, ?)",
                [(*row, row_checksum(*row)) for row in timed],
            )
        self._counts = {**self._counts, number: counts}
        self._arrays[number] = (folds, lasting)
        self._log_lengths.pop(number, None)

    def delete_number(self, number: int) -> None:
        """Delete all of a number, of which the kernel has nothing any more."""
        self._refresh()
        with self._write() as connection:
            self._delete_number(connection, number)
        self._counts = {other: one for other, one in self._counts.items() if other != number}
        self._arrays.pop(number, None)
        self._log_lengths.pop(number, None)

    def fold_log(self) -> None:
        """Fold long logs into the arrays, unless some change is unapplied."""
        self._refresh()
        if self._applied != self._seq:
            return
        for number in [
            number for number, count in self._log_lengths.items() if count > FOLD_AT_CHANGES
        ]:
            lasting = self.read_set(number).lasting
            counts = replace(self._counts[number], folds=self._counts[number].folds + 1)
            with self._write() as connection:
                connection.execute("DELETE FROM set_part WHERE number = ?", (number,))
                connection.execute("DELETE FROM set_log WHERE number = ?", (number,))
                counts = replace(counts, arrays=write_arrays(connection, number, lasting))
                self._write_counts(connection, number, counts)
                connection.execute(_APPLIED, (str(self._applied),))
            self._counts = {**self._counts, number: counts}
            self._arrays[number] = (counts.folds, lasting)
            self._log_lengths.pop(number)

    def flush(self) -> None:
        """Save now what waits for the next transaction: class rows and the mark."""
        with self._write() as connection:
            connection.execute(_APPLIED, (str(self._applied),))

    def write_class_rows(self, connection: sqlite3.Connection) -> None:
        """Write `class_rows` inside the caller's transaction; the caller clears them after it."""
        for number, members in self.class_rows.items():
            if members is None:
                connection.execute("DELETE FROM classes WHERE id = ?", (number,))
            else:
                connection.execute(
                    "INSERT OR REPLACE INTO classes VALUES (?, ?, ?)",
                    (number, members, row_checksum(number, members)),
                )

    # -- inside ----------------------------------------------------------------------------------
    @contextmanager
    def _write(self, *, wait: bool = True) -> Iterator[sqlite3.Connection]:
        with self._database.transaction(wait=wait) as connection:
            self.write_class_rows(connection)
            yield connection
        self.class_rows.clear()

    def _refresh(self) -> None:
        version = self._database.data_version()
        if version == self._version:
            return
        with self._database.read() as connection:
            rows = connection.execute(f"SELECT {_HELD}, sum FROM set_held").fetchall()
            logged = connection.execute("SELECT number, count(*) FROM set_log GROUP BY number")
            self._log_lengths = dict(logged.fetchall())
            last = connection.execute("SELECT max(seq) FROM set_log").fetchone()[0]
            mark = connection.execute("SELECT value FROM meta WHERE key = 'sets_applied'")
            applied = mark.fetchone()
            kept = connection.execute("SELECT value FROM meta WHERE key = 'sets_logged'").fetchone()
            for *values, checksum in rows:
                check_row(checksum, *values)
        self._counts = {row[0]: EntryCounts(*row[1:-1]) for row in rows}
        self._applied = int(applied[0]) if applied else 0
        self._seq = max(last or 0, self._applied, int(kept[0]) if kept else 0)
        if (last or 0) <= self._applied:  # nothing waits: what came later went with its set
            self._applied = self._seq
        # Another process may have used a number again for other entries, folded as often.
        self._arrays = {}
        self._version = version

    def _counts_after(self, changes: Sequence[EntryChange]) -> dict[int, EntryCounts]:
        """The counts of the numbers that the changes touch."""
        return {
            number: self._counts.get(number, EntryCounts()).after(
                change for change in changes if change.number == number
            )
            for number in {change.number for change in changes}
        }

    def _read_arrays(self, connection: sqlite3.Connection, number: int) -> Entries:
        row = connection.execute("SELECT folds, arrays FROM set_held WHERE number = ?", (number,))
        folds, checksum = row.fetchone() or (0, None)
        known = self._arrays.get(number)
        if known is None or known[0] != folds:
            known = folds, read_arrays(connection, number, checksum)
            # Only one: a few large sets would fill the memory of a process that lives long.
            self._arrays = {number: known}
        return known[1]

    def _apply_log(self, connection: sqlite3.Connection, number: int, entries: Entries) -> Entries:
        from xdpwall.sets.entries import Entries

        rows = connection.execute(
            "SELECT key, expires, sum FROM set_log WHERE number = ? ORDER BY seq", (number,)
        ).fetchall()
        for key, expires, checksum in rows:
            check_row(checksum, number, key, expires)
        last = {entry_from_bytes(key): expires for key, expires, _ in rows}
        if not last:
            return entries
        touched = Entries.from_entries(last)
        there = Entries.from_entries(entry for entry, expires in last.items() if expires == 0)
        return entries.difference(touched).union(there)

    @staticmethod
    def _write_timed(connection: sqlite3.Connection, changes: Sequence[EntryChange]) -> None:
        for change in changes:
            key = entry_bytes(change.entry)
            if change.expires:
                row = change.number, key, change.expires
                connection.execute(
                    "INSERT OR REPLACE INTO set_timed VALUES (?, ?, ?, ?)",
                    (*row, row_checksum(*row)),
                )
            elif change.was:
                connection.execute(
                    "DELETE FROM set_timed WHERE number = ? AND key = ?", (change.number, key)
                )

    @staticmethod
    def _write_counts(connection: sqlite3.Connection, number: int, counts: EntryCounts) -> None:
        c = counts
        row = number, c.v4, c.v6, c.p4, c.p6, c.timed, c.folds, c.arrays
        connection.execute(
            f"INSERT OR REPLACE INTO set_held ({_HELD}, sum) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (*row, row_checksum(*row)),
        )

    @staticmethod
    def _delete_number(connection: sqlite3.Connection, number: int) -> None:
        connection.execute(_LOGGED)
        for table in ("set_held", "set_part", "set_log", "set_timed"):
            connection.execute(f"DELETE FROM {table} WHERE number = ?", (number,))
