"""The SQLite file: its journal mode, transactions, and errors as XdpwallError."""

from __future__ import annotations

import errno
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from xdpwall.errors import Conflict, Failed, Full, NeedsPrivileges, XdpwallError

from .fsync import Syncer
from .schema import MIGRATIONS, SCHEMA_VERSION

_LOG_BYTES = 4 << 20
"""The size at which SQLite restarts the log (wal_autocheckpoint): 1,000 pages."""


_ENVIRONMENT = frozenset(
    (
        sqlite3.SQLITE_PERM,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_INTERRUPT,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_AUTH,
        sqlite3.SQLITE_NOLFS,
    )
)
"""Errors that say nothing about the file's content. Any other does, since the statements are right: a
table that is not there, a row that breaks a constraint, text that is no UTF-8."""


def damaged(path: Path, detail: str) -> Failed:
    """The error of a database whose content is not what was written."""
    return Failed(
        f"{path} is damaged: nothing was changed, what is attached filters as before",
        code="corrupt",
        hint="xdpwall repair puts it right from its second copy",
        detail=detail,
    )


class Database:
    """One connection. Statements run in `transaction` or `read`; both raise only XdpwallError."""

    def __init__(self, path: Path, *, busy_seconds: float = 5.0) -> None:
        """Open or make the file (0600, its folder 0700 when it has to be made)."""
        self.path = path
        self._alone: int | None = None
        self._log = path.with_name(f"{path.name}-wal")
        self._syncer = Syncer(self._log)
        with self._mapped("open"):
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            _make_private(path)
            self._connection = sqlite3.connect(
                path, timeout=busy_seconds, isolation_level=None, check_same_thread=False
            )
        try:
            with self._mapped("open"):
                self._prepare()
        except BaseException:
            self._connection.close()
            raise

    def _prepare(self) -> None:
        execute = self._connection.execute
        log = execute("PRAGMA journal_mode = WAL").fetchone()[0] == "wal"
        # With a write-ahead log, FULL is NORMAL and an fdatasync of the log after each commit. That
        # is done here (Syncer), so that the caller can do something else meanwhile.
        self._synced = not log
        execute(f"PRAGMA synchronous = {'NORMAL' if log else 'FULL'}")
        version = execute("PRAGMA user_version").fetchone()[0]
        if version > SCHEMA_VERSION:
            raise Failed(
                f"{self.path} was written by a newer xdpwall (schema {version}, this one reads "
                f"{SCHEMA_VERSION})",
                code="newer-store",
                hint="upgrade xdpwall, or give another --state-dir",
            )
        if version < SCHEMA_VERSION:
            execute("BEGIN IMMEDIATE")
            try:
                # Two first commands may come here at once: look again under the lock.
                version = execute("PRAGMA user_version").fetchone()[0]
                for script in MIGRATIONS[version:]:
                    for statement in script.split(";\n"):
                        execute(statement)
                execute(f"PRAGMA user_version = {max(version, SCHEMA_VERSION)}")
                execute("COMMIT")
            except BaseException:
                self._rollback()
                raise
            if not self._synced:
                self._syncer.now()

    @contextmanager
    def transaction(self, *, wait: bool = True) -> Iterator[sqlite3.Connection]:
        """All or nothing, on disk when it ends; without `wait` when synced() has returned. Until
        then only a crash of the machine can undo it."""
        with self._mapped("write"):
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                self._rollback()
                raise
            if not self._synced:
                (self._syncer.now if wait else self._syncer.begin)()

    def synced(self) -> None:
        """Wait for the disk to have all of it."""
        with self._mapped("write"):
            self._syncer.wait()

    @contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        """One consistent view for several queries."""
        with self._mapped("read"):
            self._connection.execute("BEGIN")
            try:
                yield self._connection
            finally:
                self._rollback()

    def data_version(self) -> int:
        """A number that changes when another connection has committed (PRAGMA data_version)."""
        if self._alone is not None:
            return self._alone
        with self._mapped("read"):
            return int(self._connection.execute("PRAGMA data_version").fetchone()[0])

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Assume inside it that no other process commits: the caller holds a lock that every writer
        takes. SQLite is then asked for the version once, not twenty times in a change."""
        before, self._alone = self._alone, self.data_version()
        try:
            yield
        finally:
            self._alone = before

    def stretch(self) -> None:
        """Make the write-ahead log as long as it gets before SQLite restarts it, for a process that
        stays: a commit that lengthens the file waits for the file system's journal too."""
        with self._mapped("write"):
            if self._log.exists() and self._log.stat().st_size >= _LOG_BYTES:
                return
            execute = self._connection.execute
            (usual,) = execute("PRAGMA cache_size").fetchone()
            # Pages that the cache cannot hold go into the log at once; the rollback drops them.
            execute("PRAGMA cache_size = 20")
            execute("BEGIN IMMEDIATE")
            try:
                execute("INSERT INTO meta VALUES ('stretch', zeroblob(?))", (_LOG_BYTES,))
            finally:
                self._rollback()
                execute(f"PRAGMA cache_size = {usual}")
            if not self._synced:
                self._syncer.now()

    def close(self) -> None:
        """Close the connection; a second call does nothing."""
        self._syncer.close()
        self._connection.close()

    def _rollback(self) -> None:
        # A full disk makes SQLite roll back by itself; the second time is an error.
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")

    @contextmanager
    def _mapped(self, verb: str) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise self._explain(error, verb) from error
        except PermissionError as error:
            raise NeedsPrivileges(
                f"{self.path}: permission denied", hint="run as root (sudo)", detail=str(error)
            ) from error
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise self._disk_full(str(error)) from error
            raise Failed(
                f"{self.path}: cannot {verb}: {error.strerror}",
                code="store",
                hint="check the folder given by --state-dir (XDPWALL_STATE_DIR)",
                detail=str(error),
            ) from error

    def _explain(self, error: sqlite3.Error, verb: str) -> XdpwallError:
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
        detail = f"{getattr(error, 'sqlite_errorname', 'SQLITE_ERROR')}: {error}"
        if code == sqlite3.SQLITE_FULL or (code == sqlite3.SQLITE_IOERR and self._no_space()):
            return self._disk_full(detail)
        if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            return Conflict(
                f"{self.path}: the database is locked by another process",
                code="busy",
                hint=f"see who has it open (fuser -v {self.path}), or try again",
                detail=detail,
            )
        if code not in _ENVIRONMENT:
            return damaged(self.path, detail)
        readonly = (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_CANTOPEN)
        if code in readonly and os.geteuid() != 0:
            return NeedsPrivileges(
                f"{self.path}: cannot {verb}", hint="run as root (sudo)", detail=detail
            )
        return Failed(f"{self.path}: cannot {verb}: {error}", code="store", detail=detail)

    def _disk_full(self, detail: str) -> Full:
        return Full(
            f"{self.path}: the disk is full; nothing was changed",
            code="disk-full",
            hint=f"make room on the file system of {self.path.parent}",
            detail=detail,
        )

    def _no_space(self) -> bool:
        try:
            return os.statvfs(self.path.parent).f_bavail == 0
        except OSError:
            return False


def _make_private(path: Path) -> None:
    """Make the file, or see to its mode, which SQLite gives its -wal and -shm files too.

    A file that exists is not opened: closing it would drop the locks that another connection of
    this process holds (POSIX), and whoever closes the file next would take the log away under it.
    """
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    except FileExistsError:
        if not os.access(path, os.R_OK | os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path)) from None
        if os.stat(path).st_mode & 0o077:
            os.chmod(path, 0o600)
