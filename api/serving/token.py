"""The bearer token of TCP clients: state_dir/token, 0600, made at first start."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import tempfile
from pathlib import Path

from xdpwall.api.serving.listen import system_error
from xdpwall.errors import Failed, Refused
from xdpwall.trusted import check_folder, open_file

_TOKEN = re.compile(r"[A-Za-z0-9_-]{32,256}", re.ASCII)


def load_token(state_dir: Path) -> str:
    """The token; made when there is none. Refused when others may read or own the file."""
    path = state_dir / "token"
    try:
        check_folder(state_dir)
        _make(path)
        return _read(path)
    except OSError as error:
        raise system_error(error, str(path)) from error


def _make(path: Path) -> None:
    if os.path.lexists(path):
        return
    # Linked into place when it is whole: a crash leaves no half token, a second start no other.
    fd, half = tempfile.mkstemp(prefix="token.", dir=path.parent)  # mode 0600
    try:
        with os.fdopen(fd, "w", encoding="ascii") as file:
            file.write(secrets.token_urlsafe(32) + "\n")
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(half, path)
    finally:
        os.unlink(half)


def _read(path: Path) -> str:
    fd = open_file(path, os.O_RDONLY, private=False)
    with os.fdopen(fd, encoding="ascii", errors="replace") as file:
        state = os.fstat(file.fileno())
        text = file.read(1024).strip()
    if state.st_mode & 0o077 or state.st_uid not in (0, os.geteuid()):
        raise Refused(
            f"{path}: others may read or own it (mode {state.st_mode & 0o777:o})",
            code="token-exposed",
            hint=f"delete it, and the next start makes a new one: rm {path}",
        )
    if not _TOKEN.fullmatch(text):
        raise Failed(
            f"{path}: holds no token",
            code="bad-token-file",
            hint=f"delete it, and the next start makes a new one: rm {path}",
        )
    return text
