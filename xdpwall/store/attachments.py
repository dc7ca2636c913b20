"""The table of attachments."""

from __future__ import annotations

from collections.abc import Iterable

from xdpwall.ruleset.attachment import Attachment
from xdpwall.ruleset.attachment_pattern import AttachmentPattern, patterns_to_json
from xdpwall.values.author import Author

from .audit import AuditEntry, write_audit
from .session import Session
from .statements import ATTACHMENT_COLUMNS, write_meta


class AttachmentTable:
    """Writes attachments; Store.read() has them all."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def put(
        self, attachment: Attachment, *, by: Author | None = None, action: str = "", now: str = ""
    ) -> None:
        """Insert or replace; with `by` the audit trail says so."""
        with self._session.write() as connection:
            connection.execute(
                f"INSERT OR REPLACE INTO attachments ({ATTACHMENT_COLUMNS})"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    *(
                        attachment.iface,
                        attachment.place,
                        attachment.index,
                        attachment.wanted,
                        attachment.number,
                        attachment.since,
                    ),
                    *(attachment.mode, attachment.kind, attachment.intent),
                ),
            )
            if by is not None:
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
            connection.execute(
                "DELETE FROM attachments WHERE iface = ? AND place = ?",
                (attachment.iface, attachment.place),
            )
            if by is not None:
                write_audit(connection, AuditEntry.of(by, action, now))
