"""The instance's lock: one writer among all threads and all processes.

flock(2) excludes processes but not threads of one process, hence the thread lock in front of it.

Whoever waits for it holds the turn, a second lock that everybody takes first: a process that changes
one thing after the other gives way to the one in front of it, and does not take its own lock again.
"""

from __future__ import annotations

import fcntl
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from xdpwall.errors import Conflict, Failed, NeedsPrivileges, XdpwallError
from xdpwall.kernel.os_errors import os_error
from xdpwall.store.database_errors import moved_away
from xdpwall.trusted import open_file, open_folder

_POLL = 0.005
_POLL_IN_TURN = 0.0005
"""Seconds between tries of the one who is next: it is one process, and everybody waits for it."""


class InstanceLock:
    """A lock on a file, re-entrant within a thread. The file is created with mode 0600."""

    def __init__(self, path: Path, *, timeout: float = 30.0) -> None:
        """`timeout` is in seconds; after it `hold` raises Conflict "busy"."""
        self._path = path
        self._timeout = timeout
        self._depth = 0
        self._turn = -1
        self.threads = threading.RLock()
        """Excludes the threads of this process; readers take only this one."""
        self._fd = -1

    @property
    def was_moved(self) -> bool:
        """Whether the file that is open is no longer the one at the path, where others look for it."""
        if self._fd < 0:
            return False
        mine = os.fstat(self._fd)
        try:
            there = os.stat(self._path)
        except OSError:
            return True
        return (mine.st_dev, mine.st_ino) != (there.st_dev, there.st_ino)

    def fault(self) -> XdpwallError | None:
        """The error of a change under a lock that others do not see."""
        return moved_away(self._path, "was taken away") if self.was_moved else None

    def reopen(self) -> None:
        """Take the file that is at the path now, made where there is none."""
        with self.threads:
            os.close(open_folder(self._path.parent, make=0o700))
            self.close()
            self._fd = self._open()

    @contextmanager
    def hold(self, timeout: float | None = None) -> Iterator[None]:
        """Wait for the lock; Conflict when another process keeps it longer than the timeout. The file is
        made or opened when first needed: NeedsPrivileges, Full or Failed."""
        seconds = self._timeout if timeout is None else timeout
        if not self.threads.acquire(timeout=seconds):
            raise self._busy(seconds)
        try:
            if self._depth == 0:
                self._wait(seconds)
            self._depth += 1
            try:
                yield
            finally:
                self._leave()
        finally:
            self.threads.release()

    @contextmanager
    def attempt(self) -> Iterator[bool]:
        """True inside when the lock was free, False when another process holds it."""
        with self.threads:
            got = self._depth > 0 or self._try(self._open())
            if got:
                self._depth += 1
            try:
                yield got
            finally:
                if got:
                    self._leave()

    @property
    def held(self) -> bool:
        """Whether this thread, which holds `threads`, is in the middle of a change."""
        return self._depth > 0

    def close(self) -> None:
        """Close the file, which releases the lock."""
        for fd in (self._fd, self._turn):
            if fd >= 0:
                os.close(fd)
        self._fd = self._turn = -1

    def _leave(self) -> None:
        self._depth -= 1
        if self._depth == 0 and self._fd >= 0:
            fcntl.flock(self._fd, fcntl.LOCK_UN)

    def _open(self) -> int:
        """The lock's file, made or opened when first needed."""
        if self._fd < 0:
            try:
                self._fd = open_file(self._path, os.O_RDWR | os.O_CREAT)
            except PermissionError as error:
                raise NeedsPrivileges(
                    f"{self._path}: permission denied", hint="run as root (sudo)", detail=str(error)
                ) from error
            except OSError as error:
                raise os_error(
                    error.errno or 0, f"{self._path}: cannot make the lock file"
                ) from error
        return self._fd

    def _try(self, fd: int) -> bool:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError as error:
            raise Failed(f"{self._path}: cannot lock", detail=str(error)) from error
        return True

    def _wait(self, seconds: float) -> None:
        # flock has no timeout of its own, and an alarm would be the caller's business.
        deadline = time.monotonic() + seconds
        self._open()
        if self._turn < 0:
            self._turn = self._open_turn()
        try:
            if self._turn >= 0:
                self._poll(self._turn, deadline, _POLL, seconds)
            self._poll(self._fd, deadline, _POLL_IN_TURN, seconds)
        finally:
            if self._turn >= 0:
                fcntl.flock(self._turn, fcntl.LOCK_UN)

    def _poll(self, fd: int, deadline: float, pause: float, seconds: float) -> None:
        while not self._try(fd):
            if time.monotonic() >= deadline:
                raise self._busy(seconds)
            time.sleep(pause)

    def _open_turn(self) -> int:
        """-1 where there can be none, as on a full disk: then the lock is as unfair as flock."""
        path = self._path.with_name(f"{self._path.name}.turn")
        try:
            return open_file(path, os.O_RDWR | os.O_CREAT)
        except OSError:
            return -1

    def _busy(self, seconds: float) -> Conflict:
        return Conflict(
            f"another xdpwall has been changing this instance for {seconds:g} s",
            code="busy",
            hint=f"see who holds {self._path} (fuser -v {self._path}), or try again",
        )
