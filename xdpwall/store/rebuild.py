"""A database made anew from its second copy, and put in the old one's place in one step."""

from __future__ import annotations

import errno
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from xdpwall.errors import Failed, Full, XdpwallError
from xdpwall.sets.timed import TimedEntries
from xdpwall.trusted import open_file, open_folder

from .checked_file import sync_folder
from .database import Database
from .schema import SCHEMA_VERSION
from .sets import SetStore

if TYPE_CHECKING:
    from .store import Store


class Rebuild:
    """Called in this order: save, needed, build, put_set, take_place."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._path = store.path
        self._new = self._path.with_name(f"{self._path.name}.rebuilt")

    def save(self) -> None:
        """Bring the second copy to what can still be read: of a file that was taken away and is open, or of
        one that is damaged in parts."""
        store = self._store
        if store.was_moved:
            os.close(open_folder(self._path.parent, make=0o700))
            with _explained(self._path):
                store.second_copy.update(store.connection)
            return
        if not self._path.exists():
            return
        # Whatever is wrong with it, there is the second copy.
        with (
            suppress(XdpwallError, sqlite3.Error, OSError, ValueError, LookupError, TypeError),
            closing(sqlite3.connect(self._path, isolation_level=None)) as raw,
        ):
            if raw.execute("PRAGMA user_version").fetchone()[0] == SCHEMA_VERSION:
                store.second_copy.update(raw, only_later=True)

    def needed(self) -> bool:
        """Whether the file at the path is not all right as it is, as when it was put back."""
        if not self._store.was_moved:
            return True
        try:
            self._store.reopen()
            return self._store.examine() is not None
        except XdpwallError:
            return True

    def build(self) -> list[int]:
        """Make the new file beside the old one, and return the numbers of sets that it lacks the entries
        of. Failed "no-copy" or "corrupt", Full."""
        self._unlink()
        with _explained(self._path):
            os.close(open_file(self._new, os.O_WRONLY | os.O_CREAT | os.O_EXCL))
            with closing(sqlite3.connect(self._new, isolation_level=None)) as made:
                made.execute("BEGIN")
                self._store.second_copy.fill(made)
                made.execute("COMMIT")
                made.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        with closing(Database(self._new)) as database:
            sets, missing = SetStore(database), []
            with database.read() as connection:
                numbers = [row[0] for row in connection.execute("SELECT number FROM sets")]
            for number in numbers:
                try:
                    sets.read_set(number)
                except Failed:
                    missing.append(number)
                    database.damage = None
        return missing

    def put_set(self, number: int, content: TimedEntries) -> None:
        """Give the new file the entries of a set."""
        with closing(Database(self._new)) as database:
            SetStore(database).write_whole(number, content)

    def take_place(self, reached: Callable[[str], None]) -> str | None:
        """Put the new file in the old one's place; the path at which that is kept, None if there was none.

        Its log goes first: SQLite would take it for the new file's.
        """
        with _explained(self._path):
            with open(self._new, "rb+") as file:
                os.fsync(file.fileno())
            kept = self._move_away(reached)
            self._new.rename(self._path)
            sync_folder(self._path.parent)
        reached("repair-placed")
        return kept

    def set_aside(self) -> None:
        """Move the old file away, and the second copy: neither can be read."""
        with _explained(self._path):
            self._move_away(lambda step: None)
            copy = self._store.second_copy.path
            if copy.exists():
                copy.rename(f"{copy}.damaged")

    def _move_away(self, reached: Callable[[str], None]) -> str | None:
        kept = None
        for suffix in ("-wal", "-shm", ""):
            there = Path(f"{self._path}{suffix}")
            if there.exists() and (suffix or there.stat().st_size):
                there.rename(f"{self._path}.damaged{suffix}")
                kept = f"{self._path}.damaged"
                reached("repair-moved")
        return kept

    def _unlink(self) -> None:
        for suffix in ("", "-wal", "-shm"):
            with suppress(FileNotFoundError):
                Path(f"{self._new}{suffix}").unlink()


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, sqlite3.Error) as error:
        raise _not_made(path, error) from error


def _not_made(path: Path, error: Exception) -> Failed:
    no_room = getattr(error, "errno", 0) in (errno.ENOSPC, errno.EDQUOT) or (
        getattr(error, "sqlite_errorcode", 0) == sqlite3.SQLITE_FULL
    )
    return (Full if no_room else Failed)(
        f"{path} was not made anew: {error}; nothing was changed",
        code="disk-full" if no_room else "store",
        hint=f"make room on the file system of {path.parent}" if no_room else None,
    )
