"""Transactions on the store's file, and the snapshot that was read last."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from xdpwall.errors import Failed, XdpwallError
from xdpwall.ruleset.attachment import Attachment
from xdpwall.ruleset.attachment_pattern import parse_patterns
from xdpwall.ruleset.committed import CommittedRuleset
from xdpwall.ruleset.flow_timeouts import FlowTimeouts
from xdpwall.ruleset.index import RuleEntry
from xdpwall.ruleset.policy import Policy
from xdpwall.sets.names import SetRow
from xdpwall.views.events import EventSettings

from .checked_file import FileHead
from .database import Database
from .records import Binding, Pending, Snapshot, Unconfirmed
from .revision_delta import RuleRow, entry_of
from .seal import check_seal, read_counts, seal
from .sets import SetStore


class Session:
    """One process's use of the file: every write but those of sets goes through it."""

    def __init__(
        self,
        database: Database,
        sets: SetStore,
        is_older: Callable[[str | None, int, int], bool],
        fall_back: Callable[[bool], None],
    ) -> None:
        """`is_older` says of seal.read_counts() whether the database is older than it was; `fall_back` lets
        the second copy stand in for a database that is older (True) or damaged."""
        self.database = database
        self.sets = sets
        self._is_older, self._fall_back = is_older, fall_back
        self._own_changes = 0
        self._cached: tuple[tuple[int, int], Snapshot] | None = None
        self._entries: dict[str, tuple[RuleRow, RuleEntry]] = {}

    def read(self) -> Snapshot:
        """The committed snapshot now; from memory when nobody has written since."""
        if self.database.damage and not self.database.stands_in:
            self._fall_back(False)
        try:
            return self._read()
        except Failed:
            if self.database.stands_in or not self.database.damage:
                raise
            self._fall_back(False)
            return self._read()

    def _read(self) -> Snapshot:
        token = self._version()
        if self._cached is None or self._cached[0] != token:
            with self.database.read() as connection:
                snapshot, counts = self._load(connection)
            if not self.database.stands_in and self._is_older(*counts):
                self._fall_back(True)
                return self._read()
            self._cached = (token, snapshot)
        return self._cached[1]

    @contextmanager
    def write(self, *, wait: bool = True) -> Iterator[sqlite3.Connection]:
        """One transaction, which also writes the classes of sets that wait for one."""
        try:
            with self.database.transaction(wait=wait) as connection:
                self.sets.write_class_rows(connection)
                yield connection
                seal(connection)
        finally:
            # Also after an error: when the disk fails at the end, SQLite has the change already.
            self._own_changes += 1
        self.sets.class_rows.clear()

    def remember(self, snapshot: Snapshot) -> None:
        """Take this for the snapshot on disk after our own write, if nobody else wrote."""
        self._cached = (self._version(), snapshot)

    def newer_than(self, head: FileHead | None) -> bool:
        """Whether the database has more than the second copy with this head."""
        with self.database.read() as connection:
            meta = dict(connection.execute("SELECT key, value FROM meta").fetchall())
            identity, transactions, mark = read_counts(connection, meta)
        if head is None:
            return transactions > 0
        known = (head.identity, head.transactions, head.mark)
        return head.identity != identity or (identity, transactions, mark) != known

    # -- inside ----------------------------------------------------------------------------------
    def _version(self) -> tuple[int, int]:
        return self.database.data_version(), self._own_changes

    def _load(self, connection: sqlite3.Connection) -> tuple[Snapshot, tuple[str | None, int, int]]:
        try:
            return self._parse(connection)
        except (ValueError, TypeError, LookupError, ArithmeticError) as error:
            raise _unreadable(error) from error
        except XdpwallError as error:
            if error.code == "corrupt":
                raise
            raise _unreadable(error) from error

    def _parse(
        self, connection: sqlite3.Connection
    ) -> tuple[Snapshot, tuple[str | None, int, int]]:
        meta = dict(connection.execute("SELECT key, value FROM meta").fetchall())
        rows = connection.execute("SELECT * FROM rules ORDER BY rank").fetchall()
        attachments = connection.execute("SELECT * FROM attachments ORDER BY 1, 2").fetchall()
        sets = connection.execute("SELECT * FROM sets ORDER BY 1").fetchall()
        check_seal(meta, rows, attachments, sets)
        pending = connection.execute(
            "SELECT number, action FROM revisions WHERE state = 'pending'"
        ).fetchone()
        ruleset = CommittedRuleset(
            revision=int(meta.get("revision", "0")),
            policy=Policy(**json.loads(meta.get("policy", "{}"))),
            entries=self._entries_of(RuleRow(*row) for row in rows),
            next_number=int(meta.get("next_number", "1")),
            sets=tuple(SetRow(*row) for row in sets),
            timeouts=FlowTimeouts(**json.loads(meta.get("timeouts", "{}"))),
        )
        binding = None
        if "netns" in meta:
            cookie = int(meta.get("netns_cookie", "0"))
            binding = Binding(int(meta["netns"]), meta["boot_id"], cookie)
        snapshot = Snapshot(
            ruleset=ruleset,
            attachments=tuple(sorted((Attachment(*row) for row in attachments), key=_number)),
            on=meta.get("on", "1") == "1",
            binding=binding,
            pending=Pending(*pending) if pending else None,
            events=EventSettings.model_validate_json(meta.get("events", "{}")),
            identity=meta.get("identity"),
            unconfirmed=_unconfirmed(meta.get("unconfirmed")),
            patterns=parse_patterns(meta.get("patterns", "[]")),
            flow_places=int(meta.get("flow_places", "0")),
            given=int(meta.get("given", "0")),
        )
        return snapshot, read_counts(connection, meta)

    def _entries_of(self, rows: Iterable[RuleRow]) -> tuple[RuleEntry, ...]:
        """Entries of rows; those that have not changed since the last time are the same objects."""
        fresh: dict[str, tuple[RuleRow, RuleEntry]] = {}
        for row in rows:
            known = self._entries.get(row.id)
            fresh[row.id] = known if known and known[0] == row else (row, entry_of(row))
        self._entries = fresh
        return tuple(entry for _, entry in fresh.values())


def _unconfirmed(text: str | None) -> Unconfirmed | None:
    try:
        return None if text is None else Unconfirmed.parse(text)
    except (ValueError, TypeError, KeyError) as error:
        raise Failed(
            "the change that waits for its confirmation cannot be read",
            code="corrupt",
            detail=str(error),
        ) from error


def _number(attachment: Attachment) -> int:
    return attachment.number


def _unreadable(error: Exception) -> Failed:
    return Failed("the recorded rules cannot be read", code="corrupt", detail=str(error))
