"""Folders and files that nobody but root, or whoever runs this, can exchange.

Root must not open, make, truncate or chmod what a stranger has put there: a symbolic link in a
folder of his leads anywhere. A path is walked from the root, each part opened in the one before:
each folder and link on it must be of somebody trusted, and nobody else may write there.
"""

from __future__ import annotations

import errno
import os
import stat
from collections import deque
from contextlib import suppress
from pathlib import Path

from xdpwall.errors import Refused

_FOLDER = os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC
_MOST_LINKS = 40
_acting: tuple[int, int] | None = None
FOLDER, FILE = "untrusted-folder", "untrusted-file"
"""Codes of Refused."""


def open_folder(path: Path, *, make: int | None = None, shared: bool = False) -> int:
    """Open an absolute path: a descriptor for `dir_fd`. Refused "untrusted-folder", OSError.

    `make`: the mode of the folder if it has to be made, whatever the umask allows; those above it are
    made with 0755. `shared`: others may make names of their own in it, as in /tmp.
    """
    here, seen, links = os.open("/", _FOLDER), Path("/"), 0
    try:
        parts = deque(path.parts[1:])
        _check_folder(os.fstat(here), seen, shared=bool(parts) or shared)
        while parts:
            part = parts.popleft()
            fd = _open_part(here, part, make if not parts else 0o755, making=make is not None)
            try:
                state = os.fstat(fd)
                if stat.S_ISLNK(state.st_mode):
                    links += 1
                    if links > _MOST_LINKS:
                        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(path))
                    _check_owner(state, seen / part, FOLDER)
                    target = Path(os.readlink("", dir_fd=fd))
                    parts.extendleft(reversed(target.parts))
                    if target.is_absolute():
                        parts.popleft()
                        os.close(here)
                        here, seen = os.open("/", _FOLDER), Path("/")
                    continue
                if not stat.S_ISDIR(state.st_mode):
                    raise OSError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(seen / part))
                seen = seen.parent if part == ".." else seen / part
                _check_folder(state, seen, shared=bool(parts) or shared)
                here, fd = fd, here
            finally:
                os.close(fd)
        return here
    except BaseException:
        os.close(here)
        raise


def check_folder(path: Path, *, make: int | None = None, shared: bool = False) -> None:
    """Check as open_folder() does; one that is not there is nobody's yet."""
    with suppress(FileNotFoundError):
        os.close(open_folder(path, make=make, shared=shared))


def open_file(path: Path, flags: int, *, private: bool = True) -> int:
    """Open or make (0600) a file in a folder that has to be trusted. Refused, OSError. `private`: a mode
    that lets others in is taken back."""
    folder = open_folder(path.parent)
    try:
        return _open_checked(folder, path, flags, private)
    finally:
        os.close(folder)


def check_file(path: Path) -> None:
    """Check a file that others of this process may have open with locks: it is not opened for reading
    or writing, since to close it would drop those. A mode that lets others in is taken back."""
    folder = open_folder(path.parent)
    try:
        fd = os.open(path.name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
        try:
            state = os.fstat(fd)
            _check_file(state, path)
            if state.st_mode & 0o077:
                os.chmod(f"/proc/self/fd/{fd}", 0o600)
        finally:
            os.close(fd)
    except FileNotFoundError:
        pass
    finally:
        os.close(folder)


def act_for(ids: tuple[int, int] | None) -> None:
    """Trust this user and group too, as whom root opens files from now on (kernel/identity.py)."""
    global _acting
    _acting = ids


def acting_for() -> tuple[int, int] | None:
    """The user and group that act_for() was given last."""
    return _acting


def _open_part(folder: int, part: str, mode: int | None, *, making: bool) -> int:
    flags = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        return os.open(part, flags, dir_fd=folder)
    except FileNotFoundError:
        if not making or mode is None:
            raise
        with suppress(FileExistsError):
            os.mkdir(part, mode, dir_fd=folder)
        return os.open(part, flags, dir_fd=folder)


def _open_checked(folder: int, path: Path, flags: int, private: bool) -> int:
    # Not blocking: a named pipe would wait for its other end.
    flags |= os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
    try:
        fd = os.open(path.name, flags, 0o600, dir_fd=folder)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENXIO):
            raise _not_a_file(path) from error
        raise
    try:
        state = os.fstat(fd)
        _check_file(state, path)
        if private and state.st_mode & 0o077 and state.st_uid == os.geteuid():
            os.fchmod(fd, 0o600)
    except BaseException:
        os.close(fd)
        raise
    return fd


def _check_file(state: os.stat_result, path: Path) -> None:
    if not stat.S_ISREG(state.st_mode):
        raise _not_a_file(path)
    _check_owner(state, path, FILE)


def _not_a_file(path: Path) -> Refused:
    return Refused(
        f"{path} is no regular file: xdpwall opens no link, pipe or device in its place",
        code=FILE,
        hint=f"see who put it there (ls -l {path}), and remove it",
    )


def _check_folder(state: os.stat_result, path: Path, *, shared: bool) -> None:
    _check_owner(state, path, FOLDER)
    others = state.st_mode & (0o002 if state.st_gid == 0 else 0o022)
    if others and not (shared and state.st_mode & stat.S_ISVTX):
        raise Refused(
            f"{path} may be written by others (mode {stat.S_IMODE(state.st_mode):04o}): they could "
            "exchange what xdpwall opens there",
            code=FOLDER,
            value=str(path),
            hint=f"chmod go-w {path}, or give another folder",
        )


def _check_owner(state: os.stat_result, path: Path, code: str) -> None:
    if state.st_uid in (0, os.geteuid()) or (_acting and state.st_uid == _acting[0]):
        return
    wanted = "root" if os.geteuid() == 0 else "root or whoever runs this"
    raise Refused(
        f"{path} belongs to uid {state.st_uid}: whoever owns it could exchange what xdpwall opens "
        f"there; wanted {wanted}",
        code=code,
        value=str(path),
        hint=f"look at what is there, then chown root {path}; or give another folder",
    )
