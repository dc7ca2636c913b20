"""Check paths of pins, with messages where the kernel only gives EPERM or EINVAL."""

from __future__ import annotations

import ctypes
import os
from pathlib import Path

from xdpwall.errors import InvalidInput
from xdpwall.kernel.libc import libc

MOUNT_POINT = Path("/sys/fs/bpf")
_MAGIC = 0xCAFE4A11  # BPF_FS_MAGIC of linux/magic.h


def is_bpffs(path: str | os.PathLike[str]) -> bool:
    """Whether `path` exists and lies on a BPF file system."""
    buffer = (ctypes.c_long * 32)()  # struct statfs: f_type is its first long
    if libc().statfs(os.fsencode(path), buffer) != 0:
        return False
    return (buffer[0] & 0xFFFFFFFF) == _MAGIC


def not_a_bpffs(path: Path) -> InvalidInput:
    """The error for a path on another file system."""
    return InvalidInput(
        f"{path} is not on a BPF file system",
        field="bpffs",
        value=str(path),
        hint=f"choose a folder under {MOUNT_POINT}, or mount -t bpf bpf FOLDER",
    )


def check_name(path: Path) -> None:
    """Raise InvalidInput for a name with a dot, which a bpffs refuses with EPERM."""
    if "." in path.name:
        raise InvalidInput(
            f"{path}: a name in a BPF file system has no dot", field="bpffs", value=str(path)
        )
