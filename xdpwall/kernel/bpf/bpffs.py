"""The BPF file system: mount, make folders, rename, remove pins. Also: wait for a grace period."""

from __future__ import annotations

import ctypes
import errno
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from xdpwall.errors import InvalidInput, Unsupported, XdpwallError
from xdpwall.kernel.identity import own_rights
from xdpwall.kernel.libc import libc
from xdpwall.kernel.os_errors import os_error
from xdpwall.trusted import check_folder

from .map_info import MapType
from .maps import Map, create_map
from .pin_path import MOUNT_POINT, check_name, is_bpffs, not_a_bpffs

_AT_FDCWD, _RENAME_EXCHANGE = -100, 2  # linux/fcntl.h, linux/fs.h
_MOUNT_FLAGS = 2 | 4 | 8  # MS_NOSUID, MS_NODEV, MS_NOEXEC of sys/mount.h


def ensure_mounted(path: str | os.PathLike[str]) -> Path:
    """Make the folder `path` (0700) on a bpffs and return it.

    Mounts one at /sys/fs/bpf when `path` lies there and nothing is mounted yet. InvalidInput when
    `path` is somewhere else on another file system; NeedsPrivileges when it may not be made;
    Unsupported when the kernel has no bpffs.
    """
    folder = Path(path)
    if not folder.is_absolute():
        raise InvalidInput(
            f"bpffs must be an absolute path, got {str(folder)!r}", field="bpffs", value=str(folder)
        )
    # os.path.exists: an unreadable folder counts as absent, and mkdir then says why.
    existing = next(p for p in (folder, *folder.parents) if os.path.exists(p))
    if not is_bpffs(existing):
        if not folder.is_relative_to(MOUNT_POINT):
            raise not_a_bpffs(existing)
        _mount(MOUNT_POINT)
    for part in reversed((folder, *folder.parents)):
        if not os.path.exists(part):
            check_name(part)
            _make(part)
    if not folder.is_dir():
        raise InvalidInput(f"{folder} is not a folder", field="bpffs", value=str(folder))
    if not is_bpffs(folder):  # something else is mounted below
        raise not_a_bpffs(folder)
    check_trusted(folder)
    return folder


def check_trusted(folder: Path) -> None:
    """Refused "untrusted-folder" where somebody else could exchange the pins in it."""
    try:
        check_folder(folder)
    except OSError as error:
        raise _failed(error, f"{folder}: cannot be opened") from error


def _mount(target: Path) -> None:
    result = libc().mount(b"bpf", os.fsencode(target), b"bpf", _MOUNT_FLAGS, b"mode=0700")
    if result == 0:
        return
    number = ctypes.get_errno()
    if number in (errno.ENODEV, errno.ENOENT):
        raise Unsupported(
            f"this kernel cannot mount a BPF file system at {target}",
            hint="it needs CONFIG_BPF_SYSCALL, and sysfs at /sys",
            detail=os_error(number, "").detail,
        )
    raise os_error(number, f"no BPF file system at {target}, and it cannot be mounted")


def _make(folder: Path) -> None:
    try:
        with _rights_in(folder.parent) as owner:
            folder.mkdir(mode=0o700, exist_ok=True)
            if owner is not None:
                os.chown(folder, *owner)
    except OSError as error:
        raise _failed(error, f"{folder}: cannot be made") from error


@contextmanager
def _rights_in(parent: Path) -> Iterator[tuple[int, int] | None]:
    """What is to be done to names in a folder of root's, the bpffs's own, root does with its own rights: the
    user as whom it opens files, which this yields, may not. In that user's folders it has but the user's."""
    if os.stat(parent).st_uid != 0:
        yield None
        return
    with own_rights() as owner:
        yield owner


def pin_names(folder: str | os.PathLike[str]) -> list[str]:
    """The names in the folder, sorted; empty when it does not exist."""
    try:
        return sorted(os.listdir(folder))
    except FileNotFoundError:
        return []
    except OSError as error:
        raise _failed(error, f"{os.fspath(folder)}: cannot be listed") from error


def pin_inodes(folder: str | os.PathLike[str]) -> dict[str, int]:
    """The names in the folder, sorted, each with the number of its inode: a pin keeps it when it is renamed,
    and another one has another; empty when the folder does not exist."""
    try:
        with os.scandir(folder) as entries:
            return dict(sorted((entry.name, entry.inode()) for entry in entries))
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise _failed(error, f"{os.fspath(folder)}: cannot be listed") from error


def pin_numbers(folder: str | os.PathLike[str], prefix: str) -> list[int]:
    """Every number n with a name `prefix`n in the folder, in any order."""
    found = (name.removeprefix(prefix) for name in pin_names(folder) if name.startswith(prefix))
    return [int(number) for number in found if number.isdigit()]


def rename(source: str | os.PathLike[str], target: str | os.PathLike[str]) -> None:
    """Rename atomically within one bpffs; a pin at `target` is replaced."""
    check_name(Path(target))
    try:
        os.rename(source, target)
    except OSError as error:
        raise _failed(error, f"{os.fspath(source)}: cannot be renamed") from error


def exchange(one: str | os.PathLike[str], other: str | os.PathLike[str]) -> None:
    """Give two folders of one bpffs each other's name, at once (Linux 5.16)."""
    first, second = os.fsencode(one), os.fsencode(other)
    with _rights_in(Path(one).parent):
        if libc().renameat2(_AT_FDCWD, first, _AT_FDCWD, second, _RENAME_EXCHANGE):
            raise os_error(ctypes.get_errno(), f"{one} and {other}: cannot be exchanged")


def unlink(path: str | os.PathLike[str]) -> bool:
    """Remove a pin; False when there was none."""
    try:
        os.unlink(path)
    except FileNotFoundError:
        return False
    except OSError as error:
        if error.errno == errno.EROFS and not os.path.lexists(path):
            return False  # read-only is what the kernel looks at first
        raise _failed(error, f"{os.fspath(path)}: cannot be removed") from error
    return True


def remove_tree(folder: str | os.PathLike[str]) -> None:
    """Remove `folder` with every pin below it; no error when it does not exist."""
    path = Path(folder)
    for name in pin_names(path):
        entry = path / name
        if entry.is_dir() and not entry.is_symlink():
            remove_tree(entry)
        else:
            unlink(entry)
    try:
        with _rights_in(path.parent):
            path.rmdir()
    except FileNotFoundError:
        return
    except OSError as error:
        if error.errno == errno.EROFS and not os.path.lexists(path):
            return  # as in unlink()
        raise _failed(error, f"{path}: cannot be removed") from error


def _failed(error: OSError, message: str) -> XdpwallError:
    return os_error(error.errno or errno.EIO, message)


_grace_lock = threading.Lock()
_grace_maps: tuple[Map, Map] | None = None


def wait_grace_period() -> None:
    """Wait until every program that ran when this was called has returned (8 to 30 ms).

    The kernel waits for one RCU grace period after each update of a map of maps; that is the only
    documented way to ask for one from user space that holds on any number of CPUs.
    """
    global _grace_maps
    with _grace_lock:
        if _grace_maps is None:
            inner = create_map(MapType.ARRAY, "xw_grace_in", 4, 4, 1)
            outer = create_map(MapType.ARRAY_OF_MAPS, "xw_grace", 4, 4, 1, inner=inner)
            _grace_maps = outer, inner
        outer, inner = _grace_maps
    outer.update(bytes(4), inner.fileno().to_bytes(4, "little"))
