"""Which network namespace and which boot this is: what an instance is bound to."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path


def netns_inode() -> int:
    """The inode of the calling thread's network namespace."""
    return os.stat("/proc/thread-self/ns/net").st_ino


def boot_id() -> str:
    """The kernel's name for this boot."""
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()


def instance_digest(state_dir: Path, netns: int) -> str:
    """16 hexadecimal digits that name an instance: two that differ are two instances.

    The service tells it by GET /healthz, so that a command knows whom it talks to.
    """
    return hashlib.sha256(f"{os.path.realpath(state_dir)}\0{netns}".encode()).hexdigest()[:16]


def netns_exists(inode: int) -> bool:
    """Whether a process or a mount that can be seen from here keeps that namespace alive."""
    wanted = f"net:[{inode}]"
    try:
        mounts = Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        mounts = ""
    if any(wanted in line.split() for line in mounts.splitlines()):
        return True
    for process in Path("/proc").iterdir():
        if process.name.isdigit():
            try:
                if os.readlink(process / "ns" / "net") == wanted:
                    return True
            except OSError:
                continue
    return False
