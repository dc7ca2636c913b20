"""The table of attachments."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping, Sequence

from xdpwall.ruleset.attachment import Attachment
from xdpwall.ruleset.attachment_pattern import AttachmentPattern, patterns_to_json
from xdpwall.values.author import Author

from .audit import AuditEntry, write_audit
from .session import Session
from .statements import ATTACHMENT_COLUMNS, write_meta

_MOST_INDEX = 2**31 - 1
"""Of an interface: the kernel counts up from 1, and none gets near."""


def forget_indexes(connection: sqlite3.Connection) -> None:
    """Give each attachment an index that no interface has, and each another: until it is attached again, an
    interface that happens to have the recorded one would be taken for its own, renamed."""
    connection.execute("UPDATE attachments SET ifindex = ? - number", (_MOST_INDEX,))


class AttachmentTable:
    """Writes attachments; Store.read() has them all."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def put(
        self, attachment: Attachment, *, by: Author | None = None, action: str = "", now: str = ""
    ) -> None:
        """Insert or replace; with `by` the audit trail says so."""
        with self._session.write() as connection:
            _put(connection, [attachment])
            if by is not None:
                write_audit(connection, AuditEntry.of(by, action, now))

    def put_all(
        self,
        attachments: Iterable[Attachment],
        patterns: Iterable[AttachmentPattern] | None = None,
        *,
        wait: bool = True,
    ) -> None:
        """Insert or replace many, and record the attachments by policy where given. Without `wait`
        Store.synced() waits for the disk."""
        with self._session.write(wait=wait) as connection:
            _put(connection, attachments)
            if patterns is not None:
                write_meta(connection, {"patterns": patterns_to_json(patterns)})

    def settle(
        self,
        made: Sequence[Attachment],
        left: Iterable[Attachment],
        *,
        by: Author,
        now: str,
    ) -> None:
        """Record many that are in place, and delete those that are not; the audit trail says so."""
        with self._session.write() as connection:
            _put(connection, made)
            _delete(connection, left)
            for row in made:
                write_audit(connection, AuditEntry.of(by, f"attach {row.words}", now))

    def delete_all(self, actions: Mapping[Attachment, str], *, by: Author, now: str) -> None:
        """Delete many; the audit trail has the action of each."""
        with self._session.write() as connection:
            _delete(connection, actions)
            for action in actions.values():
                write_audit(connection, AuditEntry.of(by, action, now))

    def set_patterns(
        self,
        patterns: Iterable[AttachmentPattern],
        *,
        by: Author | None = None,
        action: str = "",
        now: str = "",
    ) -> None:
        """Record the attachments by policy, with their members; with `by` the audit trail says so."""
        with self._session.write() as connection:
            write_meta(connection, {"patterns": patterns_to_json(patterns)})
            if by is not None:
                write_audit(connection, AuditEntry.of(by, action, now))

    def delete(
        self, attachment: Attachment, *, by: Author | None = None, action: str = "", now: str = ""
    ) -> None:
        """Delete by interface and hook; with `by` the audit trail says so."""
        with self._session.write() as connection:
            _delete(connection, [attachment])
            if by is not None:
                write_audit(connection, AuditEntry.of(by, action, now))


def _delete(connection: sqlite3.Connection, attachments: Iterable[Attachment]) -> None:
    connection.executemany(
        "DELETE FROM attachments WHERE iface = ? AND place = ?",
        [(row.iface, row.place) for row in attachments],
    )


def _put(connection: sqlite3.Connection, attachments: Iterable[Attachment]) -> None:
    connection.executemany(
        f"INSERT OR REPLACE INTO attachments ({ATTACHMENT_COLUMNS})"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (
                *(row.iface, row.place, row.index, row.wanted, row.number, row.since),
                *(row.mode, row.kind, row.intent),
            )
            for row in attachments
        ],
    )
