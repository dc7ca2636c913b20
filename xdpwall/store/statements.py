"""What several of the store's operations say to SQLite, inside somebody's transaction."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from itertools import chain

from .revision import Delta, RuleRow

_AT_ONCE = 100
"""Rows by one statement: 10,000 one by one take half as long again."""
AuditEntry = tuple[str, str, str, str, str | None]
"""Time, author, via, action, message."""


def read_delta(connection: sqlite3.Connection, revision: int) -> tuple[Delta, AuditEntry]:
    """A revision that is there, with its entry of the audit trail. Failed when it is damaged."""
    blob, time, author, via, action, message = connection.execute(
        "SELECT delta, time, author, via, action, message FROM revisions WHERE number = ?",
        (revision,),
    ).fetchone()
    return Delta.unpack(blob), (time, author, via, action, message)


def write_rules(connection: sqlite3.Connection, delta: Delta) -> None:
    """The rows of the rules as they are after it."""
    gone = [(before.id,) for before, after in delta.rules if before and not after]
    come = [after for _, after in delta.rules if after]
    if gone:
        connection.executemany("DELETE FROM rules WHERE id = ?", gone)
    many = len(come) - len(come) % _AT_ONCE
    for count, some in ((_AT_ONCE, come[:many]), (1, come[many:])):
        rows = ", ".join(["(?, ?, ?, ?, ?, ?, ?)"] * count)
        values = list(chain.from_iterable(some))
        width = count * len(RuleRow._fields)
        connection.executemany(
            f"INSERT OR REPLACE INTO rules VALUES {rows}",
            [values[at : at + width] for at in range(0, len(values), width)],
        )


def set_meta(connection: sqlite3.Connection, said: Mapping[str, str]) -> None:
    """Rows of meta, by one statement."""
    rows = ", ".join(["(?, ?)"] * len(said))
    values = [text for pair in said.items() for text in pair]
    connection.execute(f"INSERT OR REPLACE INTO meta VALUES {rows}", values)
