"""Whether a path can hold a pin, in words where the kernel only says EPERM or EINVAL."""

from __future__ import annotations

import ctypes
import os
from pathlib import Path

from xdpwall.errors import InvalidInput
from xdpwall.kernel.libc import libc

USUAL = Path("/sys/fs/bpf")
_MAGIC = 0xCAFE4A11  # BPF_FS_MAGIC of linux/magic.h


def is_bpffs(path: str | os.PathLike[str]) -> bool:
    """Whether `path` exists and lies on a BPF file system."""
    buffer = (ctypes.c_long * 32)()  # struct statfs: f_type is its first long
    if libc().statfs(os.fsencode(path), buffer) != 0:
        return False
    return (buffer[0] & 0xFFFFFFFF) == _MAGIC


def not_a_bpffs(path: Path) -> InvalidInput:
    return InvalidInput(
        f"{path} is not on a BPF file system",
        field="bpffs",
        value=str(path),
        hint=f"choose a folder under {USUAL}, or mount -t bpf bpf FOLDER",
    )


def check_name(path: Path) -> None:
    """A bpffs refuses names with a dot (with EPERM, which would look like missing privileges)."""
    if "." in path.name:
        raise InvalidInput(
            f"{path}: a name in a BPF file system has no dot", field="bpffs", value=str(path)
        )
