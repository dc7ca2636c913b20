"""Enter a network namespace: os.setns() came with Python 3.12."""

from __future__ import annotations

import os
from pathlib import Path

from xdpwall.kernel.libc import last_error, libc

_CLONE_NEWNET = 0x40000000


def enter_netns(path: Path) -> None:
    """Move the calling thread, and only it, into the namespace at `path`. OSError."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        if libc().setns(fd, _CLONE_NEWNET) != 0:
            raise last_error(path)
    finally:
        os.close(fd)
