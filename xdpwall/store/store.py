"""One instance's state folder: what is read of it, and every write, each one transaction."""

from __future__ import annotations

import sqlite3
import zlib
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, closing, suppress
from functools import partial
from pathlib import Path

from xdpwall.errors import ANOTHER_STATE, Conflict, Failed, XdpwallError
from xdpwall.values.author import Author
from xdpwall.values.terms import Counts
from xdpwall.views.events import EventSettings

from . import metrics
from .attachments import AttachmentTable, forget_indexes
from .audit import AuditEntry, AuditTrail, write_audit
from .database import Database
from .database_errors import damaged, newer_store
from .history import RecordedHistory
from .records import Binding, Snapshot
from .revisions import Revisions
from .second_copy import SecondCopy
from .session import Session
from .sets import SetStore
from .statements import write_meta

FILE = "xdpwall.db"
"""In the state folder."""


class Store:
    """One instance's state folder. Callers hold the instance's lock while they write."""

    def __init__(self, state_dir: Path, *, busy_seconds: float = 5.0) -> None:
        path = state_dir / FILE
        self.second_copy = SecondCopy(path)
        self.is_blank = False
        """Whether nothing is known of the state: neither database nor second copy can be read."""
        self._takes_older = self._is_old = self._examined = False
        self._database = Database(path, busy_seconds=busy_seconds, opened=False)
        self._open()
        self.sets = SetStore(self._database)
        """The entries of sets."""
        self._session = Session(self._database, self.sets, self._is_older, self._fall_back)
        self.revisions = Revisions(self._session)
        self.history = RecordedHistory(self._session)
        self.attachments = AttachmentTable(self._session)
        self.audit = AuditTrail(self._database)

    def newest_change(self) -> str | None:
        """The canonical time of the newest change on disk; None when there was none."""
        return self.audit.newest()

    def _open(self) -> None:
        """Open the file; the second copy stands in for one that is gone or damaged."""
        path = self._database.path
        try:
            if not (self.second_copy.exists() and _is_gone(path)):
                self._database.reopen()
                return
            self._stand_in(partial(_gone, path))
        except Failed as error:
            if error.code == "corrupt":
                self._stand_in(partial(damaged, path, error.detail or error.message))
            elif error.code == "newer-store":
                self._stand_in(partial(newer_store, path, error.detail))
            else:
                raise

    def _is_older(self, identity: str | None, transactions: int, mark: int) -> bool:
        return not self._takes_older and self.second_copy.is_later_than(
            identity, transactions, mark
        )

    def _fall_back(self, older: bool) -> None:
        path, damage = self._database.path, self._database.damage
        self._is_old = older
        detail = damage.detail if damage and damage.detail else "wrong content"
        self._stand_in(partial(_older, path) if older else partial(damaged, path, detail))

    def _stand_in(self, fault: Callable[[], XdpwallError]) -> None:
        try:
            self._database.stand_in(fault, self.second_copy.fill)
            self.is_blank = False
        except (XdpwallError, sqlite3.Error, zlib.error, ValueError, LookupError, TypeError):
            self._database.stand_in(partial(_without_copy, fault), None)
            self.is_blank = True

    def fault(self) -> XdpwallError | None:
        """The error that every write meets: the database is damaged, gone, older than it was, or no longer
        the file at its path. Reads are answered from the second copy then, or by the file that is open."""
        return self._database.fault()

    def examine(self, seconds: float = 0.03) -> XdpwallError | None:
        """fault(), after a look for damage, once, for at most so long; a file that was put back in the place
        of one that was gone or damaged is opened."""
        if self._database.stands_in is not None and self._database.has_changed():
            self._open()
            self._examined = False
        if not self._examined and self.fault() is None:
            with suppress(XdpwallError):
                self._database.check(seconds)
            self._examined = True
        self.read()
        return self.fault()

    def follow(self) -> None:
        """For a reader alone: open the file that is at the path, where it is another than the open one."""
        changed = self._database.stands_in is not None and self._database.has_changed()
        if (changed or self.was_moved) and not _is_gone(self.path):
            self._open()

    @property
    def path(self) -> Path:
        """The database."""
        return self._database.path

    @property
    def was_moved(self) -> bool:
        """Whether the file that is open is no longer the one at its path."""
        return self._database.moved() is not None

    @property
    def lacks_changes(self) -> bool:
        """Whether the second copy stands in for a database that is older than it was."""
        return self._is_old

    @property
    def connection(self) -> sqlite3.Connection:
        """The connection of the file that is open."""
        return self._database.connection

    def reopen(self, *, take_older: bool = False) -> None:
        """Open the file that is at the path now; `take_older`: also one that is older than it was."""
        self._takes_older, self._is_old, self._examined = take_older, False, False
        self._open()

    def version(self) -> int:
        """A number that changes when another process has written."""
        return self._database.data_version()

    def alone(self) -> AbstractContextManager[None]:
        """Assume inside it that no other process writes: the instance's lock is held."""
        return self._database.alone()

    def stretch(self) -> None:
        """Lengthen the write-ahead log ahead of time, so that a commit need not."""
        self._database.stretch()

    def synced(self) -> None:
        """Wait for the disk to have what was written without waiting."""
        self._database.synced()

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def read(self) -> Snapshot:
        """The committed snapshot now; from memory when nobody has written since."""
        return self._session.read()

    # -- switch, events, binding -----------------------------------------------------------------
    def set_switch(self, on: bool, *, by: Author, action: str, now: str) -> None:
        """Record whether the firewall filters at all."""
        self._write_meta({"on": "1" if on else "0"}, AuditEntry.of(by, action, now))

    def set_events(self, wanted: EventSettings, *, by: Author, action: str, now: str) -> None:
        """Record which packets become events."""
        self._write_meta({"events": wanted.model_dump_json()}, AuditEntry.of(by, action, now))

    def set_flow_places(self, places: int, *, by: Author, action: str, now: str) -> None:
        """Record how many places a family has in the flow table."""
        self._write_meta({"flow_places": str(places)}, AuditEntry.of(by, action, now))

    def note(self, *, by: Author, action: str, now: str) -> None:
        """Record in the audit trail what changed nothing."""
        with self._session.write() as connection:
            write_audit(connection, AuditEntry.of(by, action, now))

    def bind(self, binding: Binding) -> None:
        """Record the namespace and the boot that the instance belongs to from now on. Of another boot, no
        attachment's interface has the index that it had."""
        with self._session.write() as connection:
            known = connection.execute("SELECT value FROM meta WHERE key = 'boot_id'").fetchone()
            if known not in (None, (binding.boot_id,)):
                forget_indexes(connection)
            write_meta(
                connection,
                {
                    "netns": str(binding.netns),
                    "boot_id": binding.boot_id,
                    "netns_cookie": str(binding.cookie),
                },
            )

    def set_identity(self, identity: str) -> None:
        """Record the instance's id, 32 hexadecimal digits."""
        self._write_meta({"identity": identity})

    # -- counters --------------------------------------------------------------------------------
    def set_baselines(
        self, baselines: Mapping[str, Counts], *, by: Author, action: str, now: str
    ) -> None:
        """Record the counters of these rules at their reset, by rule id."""
        with self._session.write() as connection:
            connection.executemany(
                "UPDATE rules SET base_packets = ?, base_bytes = ? WHERE id = ?",
                [(packets, size, rule_id) for rule_id, (packets, size) in baselines.items()],
            )
            write_audit(connection, AuditEntry.of(by, action, now))

    def clear_baselines(self, identity: str, *, counters: bool = True) -> None:
        """The kernel's maps are gone, so what belongs to them goes: the classes of sets, and with the
        `counters` baselines and carried counts. An instance without an id gets this one."""
        self.sets.class_rows.clear()
        with self._session.write() as connection:
            connection.execute("INSERT OR IGNORE INTO meta VALUES ('identity', ?)", (identity,))
            connection.execute("DELETE FROM classes")
            if not counters:
                return
            connection.execute("DELETE FROM carried")
            connection.execute(
                "UPDATE rules SET base_packets = 0, base_bytes = 0"
                " WHERE base_packets != 0 OR base_bytes != 0"
            )

    def figures(self) -> metrics.Figures:
        """The figures that /metrics adds to the kernel's counters."""
        with self._database.read() as connection:
            return metrics.read_figures(connection)

    @property
    def has_news(self) -> bool:
        """Whether this process has written what the second copy may lack."""
        return self._database.written

    @property
    def last_write(self) -> float:
        """When this process wrote last, on the monotonic clock."""
        return self._database.last_write

    def update_copy(self, *, large: bool = True) -> bool:
        """Bring the second copy to what the database has; whether a large set is left, as in
        SecondCopy.update. From a connection of its own, so that other threads go on. OSError, Failed
        "corrupt"; nothing is done where there is a fault."""
        if self.fault() is not None:
            return False
        self._database.written = False
        try:
            with closing(sqlite3.connect(self.path, isolation_level=None)) as connection:
                return self.second_copy.update(
                    connection, large=large, unless=lambda: self.fault() is not None
                )
        except BaseException as error:
            self._database.written = True
            if isinstance(error, sqlite3.Error):
                raise damaged(self.path, str(error)) from error
            raise

    def lacks_copy(self) -> bool:
        """Whether something was written, not by this process, that the second copy does not have."""
        return not self._database.written and self._session.newer_than(self.second_copy.head())

    def _write_meta(self, values: Mapping[str, str], entry: AuditEntry | None = None) -> None:
        with self._session.write() as connection:
            write_meta(connection, values)
            if entry is not None:
                write_audit(connection, entry)


def _is_gone(path: Path) -> bool:
    try:
        return path.stat().st_size == 0
    except FileNotFoundError:
        return True


def _without_copy(fault: Callable[[], XdpwallError]) -> XdpwallError:
    error = fault()
    if error.code != "newer-store":
        error.hint = (
            "its second copy cannot be read either: put a copy of the folder back, or xdpwall apply FILE "
            "--adopt puts a file's ruleset in the place of what is in force"
        )
    return error


def _gone(path: Path) -> Conflict:
    what = "is empty" if path.exists() else "is gone"
    return Conflict(
        f"{path} {what}, and its second copy is there: nothing was changed, what is attached filters "
        "as before",
        code=ANOTHER_STATE,
        hint="put the file back, or xdpwall repair makes it anew from the second copy",
    )


def _older(path: Path) -> Conflict:
    return Conflict(
        f"{path} lacks changes that were made and that its second copy has: nothing was changed, what "
        "is attached filters as before",
        code=ANOTHER_STATE,
        hint="xdpwall repair takes the second copy's state, xdpwall restore --adopt the older one",
    )
