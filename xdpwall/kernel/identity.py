"""As whom this thread opens files: setfsuid(2), for root in the folders of a service's own user.

What root opens by name in a folder of somebody else's, that one may have exchanged for a link to anywhere. As
the folder's owner, root reaches with it what the owner reaches, and what root makes there is the owner's.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

from xdpwall import trusted
from xdpwall.errors import NeedsPrivileges
from xdpwall.kernel.libc import libc

_CAP_DAC_READ_SEARCH = 2  # linux/capability.h
_VERSION_3 = 0x20080522  # _LINUX_CAPABILITY_VERSION_3
_ASK = 0xFFFFFFFF
"""An id that nobody has: setfsuid() changes nothing and answers the present one."""


class _Header(ctypes.Structure):
    _fields_ = [("version", ctypes.c_uint32), ("pid", ctypes.c_int)]


class _Sets(ctypes.Structure):
    _fields_ = [(name, ctypes.c_uint32) for name in ("effective", "permitted", "inheritable")]


def act_as(uid: int, gid: int) -> None:
    """Open and make files as this user, in this thread and those that it starts; programs that it starts
    are root's as before. NeedsPrivileges where the kernel refuses.

    Reading stays allowed everywhere (CAP_DAC_READ_SEARCH): systemd mounts the bpffs for root alone.
    """
    library = libc()
    library.setfsgid(gid)
    library.setfsuid(uid)
    if library.setfsuid(_ASK) != uid or library.setfsgid(_ASK) != gid:
        raise NeedsPrivileges(f"files cannot be opened as uid {uid}", hint="run as root (sudo)")
    trusted.act_for(None if uid == os.geteuid() else (uid, gid))
    _allow_reading()


@contextmanager
def own_rights() -> Iterator[tuple[int, int] | None]:
    """For a moment open files as who this process is; yields the ids that act_as() was given."""
    acting = trusted.acting_for()
    if acting is None:
        with nullcontext():
            yield None
        return
    act_as(os.geteuid(), os.getegid())
    try:
        yield acting
    finally:
        act_as(*acting)


def _allow_reading() -> None:
    """Raise CAP_DAC_READ_SEARCH, which the kernel takes away with the others of file systems."""
    header, sets = _Header(_VERSION_3, 0), (_Sets * 2)()
    library = libc()
    if library.capget(ctypes.byref(header), sets) != 0:
        return
    wanted = 1 << _CAP_DAC_READ_SEARCH & sets[0].permitted
    sets[0].effective |= wanted
    library.capset(ctypes.byref(header), sets)
