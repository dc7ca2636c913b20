"""The SSH session in which a command runs."""

from __future__ import annotations

import os
from pathlib import Path

_PROC = Path("/proc")


def session_client() -> str | None:
    """The address of the SSH client whose session this command runs in: SSH_CONNECTION of this process
    or, since sudo drops it, of a parent."""
    own = os.environ.get("SSH_CONNECTION")
    if own:
        return own.split()[0]
    process = os.getppid()
    for _ in range(64):
        if process <= 1:
            return None
        found = _environment(process).get("SSH_CONNECTION")
        if found:
            return found.split()[0]
        process = _parent(process)
    return None


def _environment(process: int) -> dict[str, str]:
    try:
        raw = (_PROC / str(process) / "environ").read_bytes()
    except OSError:
        return {}
    pairs = (item.partition(b"=") for item in raw.split(b"\0") if b"=" in item)
    return {os.fsdecode(name): os.fsdecode(value) for name, _, value in pairs}


def _parent(process: int) -> int:
    try:
        stat = (_PROC / str(process) / "stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return 0
    # The name in parentheses may hold blanks and parentheses of its own.
    return int(stat.rpartition(")")[2].split()[1])
