"""The network namespace and the boot that an instance is bound to."""

from __future__ import annotations

import functools
import hashlib
import os
import socket
import sys
from pathlib import Path

_SO_NETNS_COOKIE = 71  # asm-generic/socket.h, since Linux 5.14


def netns_inode() -> int:
    """The inode of the calling thread's network namespace."""
    return os.stat("/proc/thread-self/ns/net").st_ino


@functools.cache
def boot_id() -> str:
    """The kernel's UUID of this boot."""
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()


def instance_digest(state_dir: Path, netns: int) -> str:
    """16 hexadecimal digits that identify an instance.

    GET /healthz returns them, so that a command can tell which instance a service is for.
    """
    return hashlib.sha256(f"{os.path.realpath(state_dir)}\0{netns}".encode()).hexdigest()[:16]


def netns_cookie() -> int:
    """The netns cookie of the calling thread's namespace, unique in a boot (inodes are reused)."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as asked:
        return _cookie_of(asked)


def _cookie_of(asked: socket.socket) -> int:
    return int.from_bytes(asked.getsockopt(socket.SOL_SOCKET, _SO_NETNS_COOKIE, 8), sys.byteorder)


class CurrentNamespace:
    """The namespace of the calling thread, cached.

    An open socket keeps its namespace alive, so that the inode is not reused: while one is held, an
    equal inode means an equal cookie.
    """

    def __init__(self) -> None:
        self._held: tuple[int, int, socket.socket] | None = None

    def netns(self) -> tuple[int, int]:
        """Return (inode, cookie)."""
        inode = netns_inode()
        if self._held is None or self._held[0] != inode:
            self.close()
            asked = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            self._held = (inode, _cookie_of(asked), asked)
        return self._held[:2]

    def close(self) -> None:
        """Close the socket; the next netns() opens one again."""
        if self._held is not None:
            self._held[2].close()
            self._held = None


def netns_exists(inode: int, cookie: int = 0) -> bool:
    """Whether a process or a mount visible from here keeps that namespace alive.

    With a cookie, a later namespace with the same inode does not count, where we may enter it.
    """
    from xdpwall.kernel.net.namespaces import namespaces

    return any(
        cookie in (0, _cookie_at(found.path) or cookie)
        for found in namespaces()
        if found.inode == inode
    )


def _cookie_at(path: Path) -> int | None:
    """Read the cookie of another namespace in a thread that enters it; None when it may not."""
    from xdpwall.kernel.net.namespaces import run_in

    try:
        return run_in(path, netns_cookie)
    except OSError:
        return None
