"""Waiting for the disk, now or while something else is done meanwhile."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from queue import SimpleQueue


class Syncer:
    """Makes durable what was written to one file, which may be made anew under its name."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._fd = -1
        self._thread: threading.Thread | None = None
        self._asked: SimpleQueue[int | None] = SimpleQueue()
        self._begun: SimpleQueue[None] = SimpleQueue()
        self._done: SimpleQueue[OSError | None] = SimpleQueue()
        self._waiting = False

    def now(self) -> None:
        """On disk when it returns; OSError."""
        os.fdatasync(self._open())

    def begin(self) -> None:
        """On disk when wait() returns, which has to be called."""
        self.wait()
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="xdpwall-sync", daemon=True)
            self._thread.start()
        self._asked.put(self._open())
        self._waiting = True
        # Without this it might begin only when this thread pauses, and that may be to wait for it.
        self._begun.get()

    def wait(self) -> None:
        """The end of what begin() began, if anything; OSError."""
        if self._waiting:
            self._waiting = False
            if (error := self._done.get()) is not None:
                raise error

    def close(self) -> None:
        """End the thread and close the file."""
        if self._thread is not None:
            self._asked.put(None)
            self._thread.join()
            self._thread = None
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _open(self) -> int:
        if self._fd >= 0 and os.fstat(self._fd).st_nlink == 0:
            os.close(self._fd)
            self._fd = -1
        if self._fd < 0:
            # SQLite keeps its locks on other files: to close this one drops none.
            self._fd = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
        return self._fd

    def _run(self) -> None:
        while (fd := self._asked.get()) is not None:
            self._begun.put(None)
            try:
                os.fdatasync(fd)
                self._done.put(None)
            except OSError as error:
                self._done.put(error)
