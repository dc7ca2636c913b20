"""The audit trail's rows."""

from __future__ import annotations

import sqlite3

KEEP = 10_000
"""Entries; older ones go."""


def audit(
    connection: sqlite3.Connection,
    time: str,
    author: str,
    via: str,
    action: str,
    message: str | None,
    revision: int | None,
) -> None:
    """Add one, inside somebody's transaction."""
    added = connection.execute(
        "INSERT INTO audit (time, author, via, action, message, revision)"
        " VALUES (?, ?, ?, ?, ?, ?)",
        (time, author, via, action, message, revision),
    )
    connection.execute("DELETE FROM audit WHERE id <= ?", ((added.lastrowid or 0) - KEEP,))
