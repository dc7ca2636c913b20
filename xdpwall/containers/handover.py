"""The file by which the process that asks the engine hands over what it was told.

Written whole and renamed, so that a reader sees one snapshot or another. While the writer lives it holds
a lock on a file beside it: a reader knows by that whether names are kept up to date.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from pydantic import ValidationError

from xdpwall.closing import Closing
from xdpwall.errors import Conflict, Failed
from xdpwall.trusted import open_file
from xdpwall.views.containers import ContainerSnapshot

_MOST_BYTES = 64 << 20


class Handover(Closing):
    """The writer's side. Conflict "running" when another one writes there. `folder` is its own."""

    def __init__(self, path: Path) -> None:
        self._path = path
        path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        self._lock = open_file(_lock_path(path), os.O_RDWR | os.O_CREAT, private=False)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(self._lock)
            raise Conflict(
                f"another process already writes {path}",
                code="running",
                hint="systemctl status xdpwall-containers",
            ) from error
        os.fchmod(self._lock, 0o644)

    def write(self, snapshot: ContainerSnapshot) -> None:
        """Put it in the place of the last one."""
        fresh = self._path.with_suffix(".new")
        fd = open_file(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, private=False)
        with os.fdopen(fd, "w", encoding="utf-8") as file:
            file.write(snapshot.model_dump_json(exclude_defaults=False))
            os.fchmod(fd, 0o644)
        fresh.rename(self._path)

    def close(self) -> None:
        """From now on a reader knows that nothing is kept up to date."""
        os.close(self._lock)


def read_snapshot(path: Path) -> ContainerSnapshot | None:
    """The last snapshot; None where nobody ever wrote one. `complete` is False, with a problem, when its
    writer has gone. Failed when it is not one; Refused "untrusted-file"."""
    try:
        fd = open_file(path, os.O_RDONLY, private=False)
    except FileNotFoundError:
        return None
    with os.fdopen(fd, "rb") as file:
        data = file.read(_MOST_BYTES + 1)
    try:
        if len(data) > _MOST_BYTES:
            raise Failed(f"{path}: more than {_MOST_BYTES >> 20} MB")
        found = ContainerSnapshot.model_validate_json(data)
    except ValidationError as error:
        raise Failed(f"{path}: not what xdpwall container follow writes: {error}") from error
    if _is_written(path):
        return found
    gone = "nobody asks the engine at the moment: systemctl start xdpwall-containers"
    return found.model_copy(update={"complete": False, "problems": [gone, *found.problems]})


def _lock_path(path: Path) -> Path:
    return path.with_suffix(".lock")


def _is_written(path: Path) -> bool:
    try:
        fd = open_file(_lock_path(path), os.O_RDONLY, private=False)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(fd)
    return False
