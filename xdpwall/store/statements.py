"""SQL that several of the store's operations share; it runs in the caller's transaction."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from itertools import chain

from .revision_delta import RevisionDelta, RuleRow
from .seal import change_rules_sum

ATTACHMENT_COLUMNS = "iface, place, ifindex, wanted, number, since, mode, kind, intent"
"""In the order of Attachment's fields but for `index` (ifindex)."""
_AT_ONCE = 100
"""Rows by one statement: 10,000 one by one take half as long again."""


def write_rules(connection: sqlite3.Connection, delta: RevisionDelta) -> None:
    """Bring the table of rules from before the delta to after it."""
    gone = [(before.id,) for before, after in delta.rules if before and not after]
    come = [after for _, after in delta.rules if after]
    change_rules_sum(connection, [before for before, _ in delta.rules if before], come)
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


def write_meta(connection: sqlite3.Connection, values: Mapping[str, str]) -> None:
    """Insert or replace rows of the table meta, by one statement."""
    rows = ", ".join(["(?, ?)"] * len(values))
    flat = [text for pair in values.items() for text in pair]
    connection.execute(f"INSERT OR REPLACE INTO meta VALUES {rows}", flat)
