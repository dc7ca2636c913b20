"""The SSH session in which a command runs."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from xdpwall.values.session import LoginSession

_PROC = Path("/proc")


def login_session() -> LoginSession | None:
    """The connection of the SSH session in which this command runs, by SSH_CONNECTION of this process or,
    since sudo drops it, of a parent."""
    told = _told()
    if told is None:
        return None
    from xdpwall.values.session import read_session

    return read_session(told)


def _told() -> str | None:
    own = os.environ.get("SSH_CONNECTION")
    if own:
        return own
    process = os.getppid()
    for _ in range(64):
        if process <= 1:
            return None
        found = _environment(process).get("SSH_CONNECTION")
        if found:
            return found
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
