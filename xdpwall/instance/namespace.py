"""Which network namespace and which boot this is: what an instance is bound to."""

from __future__ import annotations

import functools
import hashlib
import os
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

_SO_NETNS_COOKIE = 71  # asm-generic/socket.h, since Linux 5.14


def netns_inode() -> int:
    """The inode of the calling thread's network namespace."""
    return os.stat("/proc/thread-self/ns/net").st_ino


@functools.cache
def boot_id() -> str:
    """The kernel's name for this boot."""
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()


def instance_digest(state_dir: Path, netns: int) -> str:
    """16 hexadecimal digits that name an instance: two that differ are two instances.

    The service tells it by GET /healthz, so that a command knows whom it talks to.
    """
    return hashlib.sha256(f"{os.path.realpath(state_dir)}\0{netns}".encode()).hexdigest()[:16]


def netns_cookie() -> int:
    """The kernel's number of the calling thread's namespace, unique in a boot (inodes are given
    away again when a namespace has gone)."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as asked:
        return _cookie_of(asked)


def _cookie_of(asked: socket.socket) -> int:
    return int.from_bytes(asked.getsockopt(socket.SOL_SOCKET, _SO_NETNS_COOKIE, 8), sys.byteorder)


class CurrentNamespace:
    """Where the calling thread is, for who asks again and again: half of the answer is kept.

    A socket that was opened in a namespace keeps it alive. So while one is held, its inode is given
    to no other namespace, and the same inode means the same cookie.
    """

    def __init__(self) -> None:
        self._held: tuple[int, int, socket.socket] | None = None

    def netns(self) -> tuple[int, int]:
        """(inode, cookie)"""
        inode = netns_inode()
        if self._held is None or self._held[0] != inode:
            self.close()
            asked = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            self._held = (inode, _cookie_of(asked), asked)
        return self._held[:2]

    def close(self) -> None:
        """Let the namespace go; the next question holds one again."""
        if self._held is not None:
            self._held[2].close()
            self._held = None


def netns_exists(inode: int, cookie: int = 0) -> bool:
    """Whether a process or a mount that can be seen from here keeps that namespace alive.

    With a cookie, a namespace that was given the same inode later is told apart, where we may
    enter it to ask.
    """
    return any(cookie in (0, _cookie_at(path) or cookie) for path in _holders(inode))


def _holders(inode: int) -> Iterator[Path]:
    """Paths under which the namespace of that inode can be opened."""
    wanted = f"net:[{inode}]"
    try:
        mounts = Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        mounts = ""
    for line in mounts.splitlines():
        fields = line.split()
        if wanted in fields:
            yield Path(fields[4])
    for process in Path("/proc").iterdir():
        if process.name.isdigit():
            try:
                if os.readlink(process / "ns" / "net") == wanted:
                    yield process / "ns" / "net"
            except OSError:
                continue


def _cookie_at(path: Path) -> int | None:
    """The cookie of another namespace, asked by a thread that enters it; None when it may not."""
    from xdpwall.kernel.net.enter_netns import enter_netns

    found: list[int] = []

    def ask() -> None:
        with suppress(OSError):
            enter_netns(path)
            found.append(netns_cookie())

    thread = threading.Thread(target=ask)
    thread.start()
    thread.join()
    return found[0] if found else None
