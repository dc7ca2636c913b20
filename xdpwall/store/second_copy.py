"""The second copy of the state: what a database that was lost or damaged is made of again.

One file has everything but the whole sets: settings, rules, attachments, the names of sets, single changes
of entries and the classes. Each set's arrays are a file of their own, written when they change. History,
older lines of the audit trail and what deleted rules have counted are not in it.
"""

from __future__ import annotations

import json
import os
import sqlite3
import zlib
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from xdpwall.errors import Failed, XdpwallError

from .checked_file import FileHead, claimed, read_checked, read_head, write_checked
from .schema import MIGRATIONS, SCHEMA_VERSION, migrate
from .seal import check_row, check_seal, read_counts
from .set_arrays import check_arrays

SMALL_SET = 1 << 16
"""Entries up to which a set is written at once; larger ones when no set was replaced for a while."""
_TABLES = ("meta", "rules", "attachments", "sets", "set_held", "set_log", "classes")
_SET_TABLES = ("set_part", "set_timed")
"""What the files of sets are made of."""
_REVISIONS = 2
"""Revisions with what they changed: one that waits for its confirmation, or is not finished."""
_AUDIT = 100
"""Lines of the audit trail, the last of which says what time it was."""


class SecondCopy:
    """The files of the second copy beside a database."""

    def __init__(self, database: Path) -> None:
        self.path = database.with_suffix(".copy")
        self.reached: Callable[[str], None] = lambda step: None
        """Called with "copy-" and "copy-set-" in front of what write_checked says."""

    def head(self) -> FileHead | None:
        """What the file says that it has; its checksum is not looked at."""
        return read_head(self.path)

    def exists(self) -> bool:
        """Whether there is a file at all."""
        return os.path.lexists(self.path)

    def is_later_than(self, identity: str | None, transactions: int, mark: int) -> bool:
        """Whether it has more of this instance than a database with these counts."""
        head = self.head()
        if head is None:
            return False
        # A new one in the place of one that is gone has no id yet.
        is_new = identity is None and transactions == 0 < head.transactions
        if not is_new and head.identity != identity:
            return False
        if head.transactions <= transactions and head.mark <= mark:
            return False
        with suppress(XdpwallError):
            return self._read() is not None  # a damaged head says anything
        return False

    def _has_all_of(self, database: FileHead) -> bool:
        """Whether it can be read, and a database with these counts has nothing more."""
        with suppress(XdpwallError):
            return self.head() == database and self._read() is not None
        return False

    # -- writing ---------------------------------------------------------------------------------
    def update(
        self,
        connection: sqlite3.Connection,
        *,
        large: bool = True,
        only_later: bool = False,
        unless: Callable[[], bool] = lambda: False,
    ) -> bool:
        """Bring it to what the database has; without `large`, large sets are left for later and the
        answer is whether there are any. With `only_later` the database may be damaged: nothing is taken from
        one that is older, nor from tables that lost rows, and nothing that the copy has already. Nothing is
        done where `unless` is true once that has been read. OSError; Failed "corrupt" for a database that is
        damaged."""
        with claimed(self.path):
            connection.execute("BEGIN")
            try:
                if only_later:
                    _check_whole(connection, (*_TABLES, *_SET_TABLES))
                head, tables = _dump(connection, is_suspect=only_later)
                if unless() or (only_later and self.is_later_than(*head)):
                    return False
                named = {row[1] for row in tables["sets"]}
                left = self._update_sets(connection, head.identity, named, large)
                if only_later and self._has_all_of(head):
                    return left
            finally:
                connection.execute("ROLLBACK")
            body = zlib.compress(_encode({"version": SCHEMA_VERSION, "tables": tables}), 1)
            write_checked(self.path, head, [body], lambda step: self.reached(f"copy-{step}"))
            self._delete_others(named)
        return left

    def _update_sets(
        self, connection: sqlite3.Connection, identity: str | None, named: set[int], large: bool
    ) -> bool:
        """Write the files of the sets whose arrays are others than in their files."""
        left = False
        held = connection.execute("SELECT number, v4 + v6 + p4 + p6, folds FROM set_held")
        for number, entries, folds in held.fetchall():
            if number not in named or not folds:
                continue
            path = self._set_path(number)
            there = read_head(path)
            if there is not None and (there.identity, there.transactions) == (identity, folds):
                continue
            if entries > SMALL_SET and not large:
                left = True
                continue
            head, parts = FileHead(identity, folds, 0), _dump_set(connection, number)
            with claimed(path):
                write_checked(path, head, parts, lambda step: self.reached(f"copy-set-{step}"))
        return left

    def _delete_others(self, numbers: Iterable[int]) -> None:
        kept = {self._set_path(number) for number in numbers}
        for path in self.path.parent.glob(f"{self.path.name}.set-*"):
            if path not in kept:
                path.unlink(missing_ok=True)

    def _set_path(self, number: int) -> Path:
        return self.path.with_name(f"{self.path.name}.set-{number}")

    # -- reading ---------------------------------------------------------------------------------
    def fill(self, connection: sqlite3.Connection) -> None:
        """Make the tables of a new database of it, and let the caller commit. Failed "corrupt", or
        "no-copy" where there is none. Sets whose files are missing have no arrays then."""
        found = self._read()
        if found is None:
            raise Failed(f"there is no second copy ({self.path})", code="no-copy")
        version, tables = found
        migrate(connection, MIGRATIONS[:version])
        for table, rows in tables.items():
            _insert(connection, table, rows)
        held = connection.execute("SELECT number, folds FROM set_held WHERE folds != 0").fetchall()
        for number, folds in held:
            try:
                self._fill_set(connection, number, folds)
            except (XdpwallError, zlib.error, ValueError, TypeError):
                # Whoever reads them is told that they are not what was written.
                connection.execute(
                    "UPDATE set_held SET arrays = -1, sum = NULL WHERE number = ?", (number,)
                )
        _replay_log(connection)
        migrate(connection, MIGRATIONS[version:])

    def _fill_set(self, connection: sqlite3.Connection, number: int, folds: int) -> None:
        found = read_checked(self._set_path(number))
        if found is None or found[0].transactions != folds:
            raise Failed(f"there is no second copy of set number {number}", code="no-copy")
        (kinds, timed), *data = map(_decode_part, found[1])
        rows = [(number, *kind, part) for kind, part in zip(kinds, data, strict=True)]
        _insert(connection, "set_part", rows)
        _insert(connection, "set_timed", timed)

    def _read(self) -> tuple[int, dict[str, list[Any]]] | None:
        found = read_checked(self.path)
        if found is None:
            return None
        content = json.loads(zlib.decompress(found[1][0]))
        if content["version"] > SCHEMA_VERSION:
            raise Failed(
                f"{self.path} was written by a newer xdpwall",
                code="newer-store",
                hint="upgrade xdpwall",
            )
        tables = {name: list(map(_from_json, rows)) for name, rows in content["tables"].items()}
        return content["version"], tables


def _replay_log(connection: sqlite3.Connection) -> None:
    """Bring the expiries, which are as of when the sets' files were written, to the end of the log."""
    for number, key, expires, checksum in connection.execute(
        "SELECT number, key, expires, sum FROM set_log ORDER BY seq"
    ).fetchall():
        connection.execute("DELETE FROM set_timed WHERE number = ? AND key = ?", (number, key))
        if expires:
            _insert(connection, "set_timed", [(number, key, expires, checksum)])


def _check_whole(connection: sqlite3.Connection, tables: Iterable[str]) -> None:
    """Raise Failed "corrupt" where a page of these tables is damaged: rows may be missing, which the
    checksums of the others do not tell."""
    for table in tables:
        found = connection.execute(f"PRAGMA integrity_check({table})").fetchall()
        if found != [("ok",)]:
            raise Failed(f"the table {table} is damaged", code="corrupt", detail=str(found[:1]))


def _dump(
    connection: sqlite3.Connection, *, is_suspect: bool
) -> tuple[FileHead, dict[str, list[Any]]]:
    """Head and tables of a database; Failed "corrupt" when they are not what was written."""
    tables = {table: connection.execute(f"SELECT * FROM {table}").fetchall() for table in _TABLES}
    named = {row[1] for row in tables["sets"]}
    tables["set_log"] = [row for row in tables["set_log"] if row[1] in named]
    for _, *values, checksum in tables["set_log"]:
        check_row(checksum, *values)
    for table in ("set_held", "classes"):
        for *values, checksum in tables[table]:
            check_row(checksum, *values)
    for table, key, count in (("audit", "id", _AUDIT), ("revisions", "number", _REVISIONS)):
        tables[table] = _newest(connection, table, key, count, is_suspect=is_suspect)
    meta = dict(tables["meta"])
    check_seal(meta, tables["rules"], sorted(tables["attachments"]), sorted(tables["sets"]))
    return FileHead(*read_counts(connection, meta)), {
        name: list(map(_to_json, rows)) for name, rows in tables.items()
    }


def _newest(
    connection: sqlite3.Connection, table: str, key: str, count: int, *, is_suspect: bool
) -> list[Any]:
    """The last rows of a table whose damage is no reason to make no copy."""
    try:
        if is_suspect:
            _check_whole(connection, [table])
        return connection.execute(
            f"SELECT * FROM {table} ORDER BY {key} DESC LIMIT {count}"
        ).fetchall()
    except (sqlite3.Error, Failed):
        return []


def _dump_set(connection: sqlite3.Connection, number: int) -> list[bytes]:
    parts = connection.execute(
        "SELECT kind, part, data FROM set_part WHERE number = ? ORDER BY kind, part", (number,)
    ).fetchall()
    (checksum,) = connection.execute(
        "SELECT arrays FROM set_held WHERE number = ?", (number,)
    ).fetchone()
    check_arrays(number, [(kind, data) for kind, _, data in parts], checksum)
    timed = connection.execute("SELECT * FROM set_timed WHERE number = ?", (number,)).fetchall()
    for row in timed:
        check_row(row[3], *row[:3])
    head = [[row[:2] for row in parts], list(map(_to_json, timed))]
    return [
        b"j" + zlib.compress(_encode(head), 1),
        *(b"b" + zlib.compress(row[2], 1) for row in parts),
    ]


def _decode_part(part: bytes) -> Any:
    content = zlib.decompress(part[1:])
    if part[:1] == b"b":
        return content
    kinds, timed = json.loads(content)
    return kinds, list(map(_from_json, timed))


def _insert(connection: sqlite3.Connection, table: str, rows: list[Any]) -> None:
    if rows:
        places = ", ".join("?" * len(rows[0]))
        connection.executemany(f"INSERT INTO {table} VALUES ({places})", rows)


def _encode(content: Any) -> bytes:
    return json.dumps(content, separators=(",", ":")).encode()


def _to_json(row: tuple[Any, ...]) -> list[Any]:
    """JSON has no bytes: keys of entries become objects."""
    return [{"hex": value.hex()} if isinstance(value, bytes) else value for value in row]


def _from_json(row: list[Any]) -> tuple[Any, ...]:
    return tuple(bytes.fromhex(v["hex"]) if isinstance(v, dict) else v for v in row)
