"""fdatasync of a file, waited for at once or later."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from xdpwall.kernel.fdatasync import BackgroundFdatasync


class Syncer:
    """Syncs one file, which may be replaced by a new one of the same name."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._fd = -1
        self._disk = BackgroundFdatasync()
        self._waiting = False

    def now(self) -> None:
        """Sync the file and wait; OSError."""
        os.fdatasync(self._open())

    def begin(self) -> None:
        """Begin to sync; wait() must follow. OSError."""
        self.wait()
        self._disk.begin(self._open())
        self._waiting = True

    def wait(self) -> None:
        """Wait for the sync that begin() began, if any; OSError."""
        if self._waiting:
            try:
                self._disk.wait()
            except OSError:
                self._waiting = False
                raise
            self._waiting = False  # not after Ctrl-C: it goes on, and close() has to wait for it

    def close(self) -> None:
        """Close the file."""
        with suppress(OSError):
            self.wait()
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _open(self) -> int:
        if self._fd >= 0 and os.fstat(self._fd).st_nlink == 0:
            os.close(self._fd)
            self._fd = -1
        if self._fd < 0:
            # SQLite keeps its locks on other files: to close this one drops none. POSIX wants it
            # writable to be synced.
            self._fd = os.open(self._path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
        return self._fd
