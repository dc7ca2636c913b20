"""The audit trail: who changed what, when and by which way."""

from __future__ import annotations

import sqlite3
from typing import NamedTuple

from xdpwall.values.author import Author
from xdpwall.views.history import Change

from .database import Database

KEEP = 10_000
"""Entries; older ones are deleted."""


class AuditEntry(NamedTuple):
    """One entry, in the order of its columns; the revision that it made is a column of its own."""

    time: str
    author: str
    via: str
    """The way in, and behind a blank the client's address, where it is known."""
    action: str
    message: str | None

    @classmethod
    def of(cls, by: Author, action: str, now: str) -> AuditEntry:
        """The entry of an action that its author takes at `now`, a canonical time."""
        via = by.via if by.address is None else f"{by.via} {by.address}"
        return cls(now, by.name, via, action, by.message)


def write_audit(
    connection: sqlite3.Connection, entry: AuditEntry, revision: int | None = None
) -> None:
    """Append an entry within the caller's transaction."""
    added = connection.execute(
        "INSERT INTO audit (time, author, via, action, message, revision)"
        " VALUES (?, ?, ?, ?, ?, ?)",
        (*entry, revision),
    )
    connection.execute("DELETE FROM audit WHERE id <= ?", ((added.lastrowid or 0) - KEEP,))


class AuditTrail:
    """Reads the entries."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def newest(self) -> str | None:
        """The canonical time of the newest entry."""
        with self._database.read() as connection:
            row = connection.execute("SELECT time FROM audit ORDER BY id DESC LIMIT 1").fetchone()
        return None if row is None else str(row[0])

    def newest_change(self) -> tuple[str, int] | None:
        """What the newest entry about the ruleset did, and the revision that it led to."""
        with self._database.read() as connection:
            row = connection.execute(
                "SELECT action, revision FROM audit WHERE revision IS NOT NULL ORDER BY id DESC LIMIT 1"
            ).fetchone()
        return None if row is None else (str(row[0]), int(row[1]))

    def listed(
        self, limit: int, *, before: int | None = None, since: str | None = None
    ) -> list[tuple[int, AuditEntry, int | None]]:
        """At most `limit` entries with their numbers and revisions, newest first: with numbers below
        `before`, and no older than `since`, a canonical time."""
        with self._database.read() as connection:
            rows = connection.execute(
                "SELECT id, revision, time, author, via, action, message FROM audit"
                " WHERE id < coalesce(?, id + 1) AND time >= coalesce(?, time)"
                " ORDER BY id DESC LIMIT ?",
                (before, since, limit),
            ).fetchall()
        return [(number, AuditEntry(*entry), revision) for number, revision, *entry in rows]

    def since(self, after: int | None, revision: int) -> tuple[int, tuple[Change, ...]]:
        """The entries past the mark `after`, oldest first, and the next mark.

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
            rest[2] = rest[2].partition(" ")[0]
            found.append(Change(**dict(zip(Change.model_fields, rest, strict=True))))
        return mark, () if after is None else tuple(found)
