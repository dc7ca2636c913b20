"""An owned descriptor of a map or a program: closed by `with`, by close() or by the
garbage collector."""

from __future__ import annotations

import ctypes
import errno
import os
import weakref
from abc import abstractmethod
from pathlib import Path
from typing import ClassVar, Self

from xdpwall.closing import Closing
from xdpwall.errors import Failed

from .libbpf import ObjectGetOpts, check, lib
from .pin_path import check_name, is_bpffs, not_a_bpffs

_BY_ID = (
    "that takes CAP_SYS_ADMIN, which a service of its own user does without; root can, past the "
    "service: the same command with --socket /run/xdpwall/none.sock"
)
_READ_ONLY = 1 << 3  # BPF_F_RDONLY of linux/bpf.h


class Handle(Closing):
    """Owner of a descriptor, which keeps the kernel's map or program alive."""

    kind: ClassVar[str]  # "map" or "prog", as in the descriptor's link anon_inode:bpf-map

    def __init__(self, fd: int) -> None:
        """Take `fd` over: it is closed with this object, and also when this raises Failed."""
        self._fd = fd
        self._closer = weakref.finalize(self, os.close, fd)
        try:
            link = os.readlink(f"/proc/self/fd/{fd}")
        except OSError:
            link = ""  # no /proc: the kind cannot be checked
        if link and not link.endswith(f"bpf-{self.kind}"):
            self._closer()
            raise Failed(f"not a BPF {self.kind}: {link.removeprefix('anon_inode:')}")

    @property
    def memory(self) -> int:
        """The bytes of kernel memory that it takes, as the kernel tells; before Linux 6.4 those of a map are
        an estimate."""
        with open(f"/proc/self/fdinfo/{self.fileno()}", encoding="ascii") as lines:
            for line in lines:
                name, _, value = line.partition(":")
                if name == "memlock":
                    return int(value)
        return 0

    @classmethod
    def open_pinned(cls, path: str | os.PathLike[str]) -> Self:
        """Open the pin at `path`: NotFound when there is none, Failed when it is of another kind."""
        result = lib().bpf_obj_get(os.fsencode(path))
        if result == -errno.EROFS:
            return cls._open_read_only(path)
        if result < 0 and os.path.exists(path) and not is_bpffs(path):
            raise not_a_bpffs(Path(path))
        return cls(check(result, f"{os.fspath(path)}: cannot be opened"))

    @classmethod
    def _open_read_only(cls, path: str | os.PathLike[str]) -> Self:
        """Open a pin on a bpffs that is mounted read-only: by the id of what it names, since the
        descriptor that the kernel gives there may not write."""
        options = ObjectGetOpts(sz=ctypes.sizeof(ObjectGetOpts), file_flags=_READ_ONLY)
        result = lib().bpf_obj_get_opts(os.fsencode(path), ctypes.byref(options))
        with cls(check(result, f"{os.fspath(path)}: cannot be opened")) as narrow:
            return cls.open_id(narrow.id)

    @property
    @abstractmethod
    def id(self) -> int:
        """The kernel's number of it, never given twice in a boot."""

    @classmethod
    def open_id(cls, number: int) -> Self:
        """Open by the kernel's id: NotFound when it is gone, NeedsPrivileges without
        CAP_SYS_ADMIN (the other capabilities do not allow it)."""
        result = getattr(lib(), f"bpf_{cls.kind}_get_fd_by_id")(number)
        hint = _BY_ID if result == -errno.EPERM else None
        return cls(check(result, f"BPF {cls.kind} {number} cannot be opened", hint=hint))

    def fileno(self) -> int:
        """The descriptor, still owned by this object. Failed when closed."""
        if not self._closer.alive:
            raise Failed(f"this BPF {self.kind} is closed")
        return self._fd

    @property
    def closed(self) -> bool:
        return not self._closer.alive

    def duplicate(self) -> Self:
        """Another descriptor of the same, to be closed by itself."""
        return type(self)(os.dup(self.fileno()))

    def pin(self, path: str | os.PathLike[str]) -> None:
        """Pin at `path` in a bpffs: Conflict when the name is taken, InvalidInput for a dot."""
        target = Path(path)
        check_name(target)
        result = lib().bpf_obj_pin(self.fileno(), os.fsencode(target))
        if result < 0 and target.parent.exists() and not is_bpffs(target.parent):
            raise not_a_bpffs(target.parent)
        check(result, f"{target}: cannot be pinned")

    def close(self) -> None:
        """Close the descriptor; may be called again."""
        self._closer()
