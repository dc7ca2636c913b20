"""Hear at once that a file was put in the place of another: inotify on its folder."""

from __future__ import annotations

import os
from pathlib import Path

from xdpwall.closing import Closing

from .libc import last_error, libc

# linux/inotify.h
_IN_NONBLOCK, _IN_CLOEXEC = os.O_NONBLOCK, os.O_CLOEXEC
_IN_MOVED_TO = 0x80
_ENOUGH = 1 << 16


class FileWatch(Closing):
    """A watch of one file, which need not exist. Its descriptor is readable when something was heard."""

    def __init__(self, path: Path) -> None:
        """OSError, FileNotFoundError among them where there is no folder."""
        self.descriptor: int = libc().inotify_init1(_IN_NONBLOCK | _IN_CLOEXEC)
        if self.descriptor < 0:
            raise last_error()
        folder = os.fsencode(path.parent)
        if libc().inotify_add_watch(self.descriptor, folder, _IN_MOVED_TO) < 0:
            error = last_error(path.parent)
            os.close(self.descriptor)
            raise error

    def drain(self) -> None:
        """Forget what was heard."""
        try:
            while os.read(self.descriptor, _ENOUGH):
                pass
        except BlockingIOError:
            pass

    def close(self) -> None:
        """End the watch."""
        os.close(self.descriptor)
