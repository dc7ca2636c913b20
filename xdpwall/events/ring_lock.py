"""Lock files that say which process reads a ring buffer; the kernel frees them when it ends."""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path

from xdpwall.errors import Refused
from xdpwall.trusted import open_file


def try_lock(path: Path, patience: float = 0.0) -> int | None:
    """Lock the file with flock(2), making it with mode 0600: a descriptor that keeps the lock.

    None when another process still has it after `patience` seconds.
    """
    fd = open_file(path, os.O_RDWR | os.O_CREAT)
    deadline = time.monotonic() + patience
    while True:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                os.close(fd)
                return None
            time.sleep(patience / 10)
        else:
            return fd


def write_owner(fd: int, owner: str) -> None:
    """Write into the locked file who has the lock."""
    os.ftruncate(fd, 0)
    os.pwrite(fd, f"{owner}\n".encode(), 0)


def read_owner(path: Path) -> str | None:
    """Read who has the lock (write_owner); None when it is free."""
    try:
        fd = open_file(path, os.O_RDONLY)
    except (OSError, Refused):
        return None
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return os.read(fd, 256).decode(errors="replace").strip() or None
    else:
        return None
    finally:
        os.close(fd)
