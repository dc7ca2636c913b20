"""The token of an earlier release, state_dir/token: kept as a hash from now on, and the file removed."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

from xdpwall.api.serving.listen import system_error
from xdpwall.errors import Failed, Refused
from xdpwall.trusted import check_folder, open_file

_TOKEN = re.compile(r"[A-Za-z0-9_-]{32,256}", re.ASCII)


def take_over_token(state_dir: Path, keep: Callable[[str], None]) -> bool:
    """Give `keep` the token in the file, and remove the file; False where there is none. Refused when
    others may read or own it, Failed "bad-token-file"."""
    path = state_dir / "token"
    try:
        check_folder(state_dir)
        if not os.path.lexists(path):
            return False
        keep(_read(path))
        os.unlink(path)
    except OSError as error:
        raise system_error(error, str(path)) from error
    return True


def _read(path: Path) -> str:
    fd = open_file(path, os.O_RDONLY, private=False)
    with os.fdopen(fd, encoding="ascii", errors="replace") as file:
        state = os.fstat(file.fileno())
        text = file.read(1024).strip()
    hint = f"remove it: rm {path}; and make another: xdpwall token add NAME --role ROLE"
    if state.st_mode & 0o077 or state.st_uid not in (0, os.geteuid()):
        raise Refused(
            f"{path}: others may read or own it (mode {state.st_mode & 0o777:o})",
            code="token-exposed",
            hint=hint,
        )
    if not _TOKEN.fullmatch(text):
        raise Failed(f"{path}: holds no token", code="bad-token-file", hint=hint)
    return text
