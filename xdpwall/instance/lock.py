"""The instance's lock: one writer among all threads and all processes.

flock(2) excludes processes but not threads of one process, hence the thread lock in front of it.
"""

from __future__ import annotations

import fcntl
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from xdpwall.errors import Conflict, Failed, NeedsPrivileges

_POLL = 0.005


class InstanceLock:
    """A lock on a file, re-entrant within a thread. The file is created with mode 0600."""

    def __init__(self, path: Path, *, timeout: float = 30.0) -> None:
        """`timeout` is in seconds; after it `hold` raises Conflict "busy"."""
        self._path = path
        self._timeout = timeout
        self._depth = 0
        self.threads = threading.RLock()
        """Excludes the threads of this process; readers take only this one."""
        try:
            self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except PermissionError as error:
            raise NeedsPrivileges(
                f"{path}: permission denied", hint="run as root (sudo)", detail=str(error)
            ) from error
        except OSError as error:
            raise Failed(f"{path}: cannot make the lock file", detail=str(error)) from error

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Wait for the lock; Conflict when another process keeps it longer than the timeout."""
        if not self.threads.acquire(timeout=self._timeout):
            raise self._busy()
        try:
            if self._depth == 0:
                self._wait()
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
            got = self._depth > 0 or self._try()
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
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _leave(self) -> None:
        self._depth -= 1
        if self._depth == 0 and self._fd >= 0:
            fcntl.flock(self._fd, fcntl.LOCK_UN)

    def _try(self) -> bool:
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError as error:
            raise Failed(f"{self._path}: cannot lock", detail=str(error)) from error
        return True

    def _wait(self) -> None:
        # flock has no timeout of its own, and an alarm would be the caller's business.
        deadline = time.monotonic() + self._timeout
        while not self._try():
            if time.monotonic() >= deadline:
                raise self._busy()
            time.sleep(_POLL)

    def _busy(self) -> Conflict:
        return Conflict(
            f"another xdpwall has been changing this instance for {self._timeout:g} s",
            code="busy",
            hint=f"see who holds {self._path} (fuser -v {self._path}), or try again",
        )
