"""Checksums of what the database holds: SQLite finds a broken page, and no broken content in a whole one.

Every transaction that changes rules, attachments, sets by name or a setting ends with `seal`, which
counts it and sums up all of these but the entries of sets; those have checksums of their own.
"""

from __future__ import annotations

import hashlib
import sqlite3
import zlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from xdpwall.errors import Failed

_SUM_OF_RULES = "rules_sum"
_SEAL = "seal"
_FREE = frozenset((_SEAL, "sets_applied", "sets_logged", "commits", "fill", "stretch"))
"""Rows of `meta` that other transactions write too, or that no ruleset hangs on."""
_RULES = "SELECT id, rank, rule, slot, created FROM rules"
_BITS = (1 << 64) - 1


class Seal(NamedTuple):
    """What the last sealed transaction left."""

    transactions: int
    """How many there were; a database that has fewer than it had is an older one."""
    checksum: int


def rules_sum(rows: Iterable[Sequence[Any]]) -> int:
    """The checksum of rules in any order; each row begins with id, rank, rule, slot and created."""
    total = 0
    for rule_id, rank, rule, slot, created, *_ in rows:
        text = f"{rule_id}\0{rank}\0{rule}\0{slot}\0{created}"
        total += int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little")
    return total & _BITS


def change_rules_sum(
    connection: sqlite3.Connection, gone: Iterable[Sequence[Any]], come: Iterable[Sequence[Any]]
) -> None:
    """Note, before the table is changed, that these rows leave it and those come. A table that has no
    sum yet, since an earlier release wrote it, gets one."""
    row = connection.execute("SELECT value FROM meta WHERE key = ?", (_SUM_OF_RULES,)).fetchone()
    had = int(row[0], 16) if row else rules_sum(connection.execute(_RULES))
    total = (had - rules_sum(gone) + rules_sum(come)) & _BITS
    connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (_SUM_OF_RULES, f"{total:x}"))


def seal(connection: sqlite3.Connection) -> None:
    """Count the caller's transaction, at its end, and write the checksum of what it leaves."""
    meta = dict(connection.execute("SELECT key, value FROM meta"))
    others = [
        connection.execute(f"SELECT * FROM {table} ORDER BY 1, 2").fetchall()
        for table in ("attachments", "sets")
    ]
    before = read_seal(meta)
    count = before.transactions + 1 if before else 1
    text = f"{count} {_checksum(count, meta, *others):08x}"
    connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (_SEAL, text))


def read_seal(meta: Mapping[str, str]) -> Seal | None:
    """The seal among the rows of `meta`; None in a database of an earlier release."""
    count, _, checksum = meta.get(_SEAL, "").partition(" ")
    return Seal(int(count), int(checksum, 16)) if count else None


def read_counts(
    connection: sqlite3.Connection, meta: Mapping[str, str]
) -> tuple[str | None, int, int]:
    """The instance's id, how many transactions were sealed, and the last recorded change of an entry."""
    (last,) = connection.execute("SELECT max(seq) FROM set_log").fetchone()
    mark = max(last or 0, int(meta.get("sets_applied", "0")), int(meta.get("sets_logged", "0")))
    sealed = read_seal(meta)
    return meta.get("identity"), sealed.transactions if sealed else 0, mark


def check_seal(
    meta: Mapping[str, str],
    rules: Iterable[Sequence[Any]],
    attachments: Sequence[Sequence[Any]],
    sets: Sequence[Sequence[Any]],
) -> None:
    """Raise Failed "corrupt" unless all is as the last transaction left it. `attachments` and `sets` are
    whole rows by primary key."""
    try:
        sealed = read_seal(meta)
        if sealed is None:
            return
        if sealed.checksum != _checksum(sealed.transactions, meta, attachments, sets):
            raise _corrupt("settings, attachments or sets")
        total = meta.get(_SUM_OF_RULES)
        if total is not None and int(total, 16) != rules_sum(rules):
            raise _corrupt("rules")
    except (ValueError, TypeError) as error:
        raise _corrupt("checksums") from error


def row_checksum(*values: object) -> int:
    """CRC-32 of one row's values: integers, text, bytes and None."""
    return zlib.crc32(repr(values).encode())


def check_row(checksum: int | None, *values: object) -> None:
    """Raise Failed "corrupt" unless it is the row's checksum; None is a row of an earlier release."""
    if checksum is not None and checksum != row_checksum(*values):
        raise _corrupt("entries of sets")


def _checksum(
    count: int,
    meta: Mapping[str, str],
    attachments: Sequence[Sequence[Any]],
    sets: Sequence[Sequence[Any]],
) -> int:
    settings = sorted((key, value) for key, value in meta.items() if key not in _FREE)
    rows = [list(map(tuple, table)) for table in (attachments, sets)]
    return row_checksum(count, settings, *rows)


def _corrupt(what: str) -> Failed:
    return Failed(
        f"the recorded {what} are not what was written", code="corrupt", detail="wrong checksum"
    )
