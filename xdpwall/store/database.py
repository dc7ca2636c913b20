"""The SQLite file: its journal mode, transactions, and errors as XdpwallError."""

from __future__ import annotations

import errno
import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from xdpwall.errors import Failed, NeedsPrivileges, XdpwallError
from xdpwall.kernel.os_errors import os_error
from xdpwall.trusted import check_file, open_file, open_folder

from .database_errors import damaged, disk_full, explain_sqlite, moved_away, newer_store
from .fsync import Syncer
from .schema import MIGRATIONS, SCHEMA_VERSION, has_known_tables, migrate

_LOG_BYTES = 4 << 20
"""The size at which SQLite restarts the log (wal_autocheckpoint): 1,000 pages."""


_SMALL = 4 << 20
"""Bytes of a file that is looked at to the last, which takes a few milliseconds."""
_LAST_SCHEMA = 1000
"""What no release will reach."""


class Database:
    """One connection. Statements run in `transaction` or `read`; both raise only XdpwallError."""

    def __init__(self, path: Path, *, busy_seconds: float = 5.0, opened: bool = True) -> None:
        """Open or make the file (0600, its folder 0700 when it has to be made). Without `opened` the file
        is left alone, and stand_in() must follow."""
        self.path = path
        self.stands_in: Callable[[], XdpwallError] | None = None
        """Makes the error of every write, where something else stands in for the file."""
        self.damage: XdpwallError | None = None
        """The error of the damage that was met last."""
        self.written = False
        """Whether this process has committed anything since the second copy was made."""
        self.last_write = 0.0
        """When, on the monotonic clock."""
        self._busy_seconds = busy_seconds
        self._alone: int | None = None
        self._log = path.with_name(f"{path.name}-wal")
        self._syncer = Syncer(self._log)
        self._files: dict[Path, tuple[int, int]] = {}
        self._turn = 0
        self._left: tuple[int, ...] | None = None
        self._connection = self._open() if opened else sqlite3.connect(":memory:")

    def _open(self) -> sqlite3.Connection:
        path = self.path
        with self._mapped("open"):
            os.close(open_folder(path.parent, make=0o700))
            _make_private(path)
            self._connection = sqlite3.connect(
                path,
                timeout=self._busy_seconds,
                isolation_level=None,
                check_same_thread=False,
            )
        try:
            with self._mapped("open"):
                self._prepare()
                self._files = {one: _file_id(one) for one in (path, self._log) if one.exists()}
        except BaseException:
            self._connection.close()
            raise
        return self._connection

    def stand_in(
        self,
        fault: Callable[[], XdpwallError],
        fill: Callable[[sqlite3.Connection], None] | None,
    ) -> None:
        """From now on answer from memory, filled by `fill`, and refuse every write with what `fault`
        makes. The file is left alone."""
        memory = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        memory.execute("BEGIN")
        if fill is None:
            migrate(memory, MIGRATIONS)
        else:
            fill(memory)
        memory.execute("COMMIT")
        self._use(memory)
        self.stands_in = fault
        self._left = self._state()

    def has_changed(self) -> bool:
        """Whether the file that something stands in for is another than it was then."""
        return self._left != self._state()

    def _state(self) -> tuple[int, ...] | None:
        try:
            state = os.stat(self.path)
        except OSError:
            return None
        return state.st_dev, state.st_ino, state.st_size, state.st_mtime_ns

    def reopen(self) -> None:
        """Open the file that is at the path now."""
        self._connection.close()
        self._syncer.close()
        self._use(self._open())
        self.stands_in = self.damage = None

    def _use(self, connection: sqlite3.Connection) -> None:
        if connection is not self._connection:
            self._connection.close()
        self._connection = connection
        self._turn += 1
        if self._alone is not None:
            self._alone = None
            self._alone = self.data_version()

    def fault(self) -> XdpwallError | None:
        """The error that every write meets, None where all is well as far as is known."""
        return self.stands_in() if self.stands_in else self.damage or self.moved()

    def moved(self) -> XdpwallError | None:
        """The error of a write when the file or its log is no longer the one at its path, which a few
        stat(2) tell."""
        if self.stands_in is not None:
            return None
        for path, known in self._files.items():
            try:
                there = _file_id(path)
            except OSError:
                return moved_away(path, "was deleted")
            if there != known:
                return moved_away(path, "was replaced by another")
        return None

    def check(self, seconds: float) -> None:
        """Look at the structure of the file; of a large one for at most so many seconds of the processor,
        and not at its indexes. Failed "corrupt"."""
        small = os.stat(self.path).st_size <= _SMALL
        ends = time.thread_time() + seconds
        with self._mapped("read"):
            execute = self._connection.execute
            if not small:
                self._connection.set_progress_handler(lambda: time.thread_time() > ends, 1000)
            try:
                pragma = "integrity_check" if small else "quick_check"
                found = execute(f"PRAGMA {pragma}(1)").fetchall()
            except sqlite3.OperationalError as error:
                if getattr(error, "sqlite_errorcode", 0) != sqlite3.SQLITE_INTERRUPT:
                    raise
                return
            finally:
                self._connection.set_progress_handler(None, 0)
            if found != [("ok",)]:
                raise Failed(str(found[0][0]) if found else "no answer", code="corrupt")

    @property
    def connection(self) -> sqlite3.Connection:
        """The connection itself, for the second copy; nothing else runs on it meanwhile."""
        return self._connection

    def _prepare(self) -> None:
        execute = self._connection.execute
        log = execute("PRAGMA journal_mode = WAL").fetchone()[0] == "wal"
        # With a write-ahead log, FULL is NORMAL and an fdatasync of the log after each commit. That
        # is done here (Syncer), so that the caller can do something else meanwhile.
        self._synced = not log
        execute("PRAGMA cell_size_check = ON")
        execute(f"PRAGMA synchronous = {'NORMAL' if log else 'FULL'}")
        version = execute("PRAGMA user_version").fetchone()[0]
        if not 0 <= version < _LAST_SCHEMA:
            raise damaged(self.path, f"schema {version}")
        if version > SCHEMA_VERSION:
            if has_known_tables(self._connection):  # and the number in the file's header is damaged
                raise damaged(self.path, f"schema {version}")
            raise newer_store(self.path, f"schema {version}")
        if version < SCHEMA_VERSION:
            execute("BEGIN IMMEDIATE")
            try:
                # Two first commands may come here at once: look again under the lock.
                version = execute("PRAGMA user_version").fetchone()[0]
                migrate(self._connection, MIGRATIONS[version:])
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
        refused = self.fault()
        if refused is not None:
            raise refused
        with self._mapped("write"):
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
                self.written, self.last_write = True, time.monotonic()
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
            version = int(self._connection.execute("PRAGMA data_version").fetchone()[0])
        return version + (self._turn << 40)

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
        if self.fault() is not None:
            return
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
            explained = explain_sqlite(self.path, error, verb)
            if explained.code == "corrupt":
                self.damage = explained
            raise explained from error
        except Failed as error:
            if error.code != "corrupt" or error is self.damage:
                raise
            self.damage = damaged(self.path, error.message)
            raise self.damage from error
        except PermissionError as error:
            raise NeedsPrivileges(
                f"{self.path}: permission denied", hint="run as root (sudo)", detail=str(error)
            ) from error
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise disk_full(self.path, str(error)) from error
            if error.errno in (errno.EROFS, errno.EMFILE, errno.ENFILE):
                raise os_error(error.errno, f"{self.path}: cannot {verb}") from error
            raise Failed(
                f"{self.path}: cannot {verb}: {error.strerror}",
                code="store",
                hint="check the folder given by --state-dir (XDPWALL_STATE_DIR)",
                detail=str(error),
            ) from error


def _file_id(path: Path) -> tuple[int, int]:
    state = os.stat(path)
    return state.st_dev, state.st_ino


def _make_private(path: Path) -> None:
    """Make the file, or see to its mode, which SQLite gives its -wal and -shm files too.

    A file that exists is not opened: closing it would drop the locks that another connection of
    this process holds (POSIX), and whoever closes the file next would take the log away under it.
    """
    try:
        os.close(open_file(path, os.O_RDWR | os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        # SQLite opens them by name, and would follow a symbolic link.
        for suffix in ("", "-wal", "-shm", "-journal"):
            check_file(path.with_name(path.name + suffix))
        if not os.access(path, os.R_OK | os.W_OK):
            if os.statvfs(path).f_flag & os.ST_RDONLY:
                raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(path)) from None
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path)) from None
