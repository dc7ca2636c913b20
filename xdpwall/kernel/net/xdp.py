"""Attach, swap, detach and query XDP programs by netlink.

A program attached this way outlives the process. The other way, a bpf_link, ties it to a pinned
file; netlink gets EBUSY while a link holds the hook.
"""

from __future__ import annotations

import os
import socket
import struct
from typing import Literal

from xdpwall.errors import Conflict

from .links import XdpState, xdp_state_at
from .raw_rtnl import attribute, change
from .rtnl import interface_name, netlink_error

Mode = Literal["native", "generic"]
BELOW_XDP = "below-xdp"
"""The code of the Conflict that the kernel makes of any change below an interface with XDP."""

# linux/rtnetlink.h, linux/if_link.h
_RTM_SETLINK = 19
_IFLA_XDP, _XDP_FD, _XDP_FLAGS, _XDP_EXPECTED_FD = 43, 1, 3, 8
_NLA_F_NESTED = 1 << 15
_IF_NOEXIST = 1
_MODES = {"generic": 2, "native": 4}
_REPLACE = 16


def xdp_query(index: int) -> XdpState:
    """The attached programs; NotFound when no interface has that index."""
    return xdp_state_at(index)


def xdp_attach(
    index: int,
    fd: int,
    mode: Mode,
    *,
    expected_fd: int | None = None,
    if_noexist: bool = True,
) -> None:
    """Attach the program behind `fd`, or swap it in atomically for that behind `expected_fd`.

    Without `expected_fd` and with `if_noexist` an occupied hook is a Conflict; without both, any
    program in this mode is replaced. Unsupported has the driver's own words.
    """
    flags = _MODES[mode]
    if expected_fd is not None:
        flags |= _REPLACE
    elif if_noexist:
        flags |= _IF_NOEXIST
    _set(f"attach XDP ({mode}) to {interface_name(index)}", index, fd, flags, expected_fd)


def xdp_detach(index: int, mode: Mode, expected_fd: int | None = None) -> None:
    """Detach the program, only if it is that behind `expected_fd` when given."""
    flags = _MODES[mode] | (0 if expected_fd is None else _REPLACE)
    _set(f"detach XDP ({mode}) from {interface_name(index)}", index, -1, flags, expected_fd)


def xdp_is_held(index: int, mode: Mode, fd: int) -> bool:
    """Whether the kernel refuses every change here, since an interface above has an XDP program.

    Asked by replacing the program behind `fd` by itself, or none (-1) by none: no driver is called.
    """
    try:
        _set(f"ask {interface_name(index)}", index, fd, _MODES[mode] | _REPLACE, fd)
    except Conflict as error:
        return error.code == BELOW_XDP
    return False


def _set(doing: str, index: int, fd: int, flags: int, expected_fd: int | None) -> None:
    nested = attribute(_XDP_FD, struct.pack("=i", fd))
    nested += attribute(_XDP_FLAGS, struct.pack("=I", flags))
    if expected_fd is not None:
        nested += attribute(_XDP_EXPECTED_FD, struct.pack("=i", expected_fd))
    body = struct.pack("=BxHiII", socket.AF_UNSPEC, 0, index, 0, 0)
    try:
        change(_RTM_SETLINK, body + attribute(_IFLA_XDP | _NLA_F_NESTED, nested))
    except OSError as error:
        code = error.errno or 0
        raised = netlink_error(code, error.strerror or os.strerror(code), doing)
        if not isinstance(raised, Conflict) or "upper device" not in raised.message:
            raise raised from error
        raise Conflict(  # dev_xdp_attach() of the kernel
            raised.message,
            code=BELOW_XDP,
            hint="detach from the interface above first: `ip link` names it (master, or NAME@PARENT)",
            detail=raised.detail,
        ) from error
