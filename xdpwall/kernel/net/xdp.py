"""Attach, swap, detach and query XDP programs by netlink.

A program attached this way outlives the process. The other way, a bpf_link, ties it to a pinned
file; netlink gets EBUSY while a link holds the hook.
"""

from __future__ import annotations

from typing import Literal

from xdpwall.errors import Conflict

from .links import XdpState, link_at
from .rtnl import interface_name, rtnl_socket

Mode = Literal["native", "generic"]
BELOW_XDP = "below-xdp"
"""The code of the Conflict that the kernel makes of any change below an interface with XDP."""

_IF_NOEXIST = 1
_MODES = {"generic": 2, "native": 4}
_REPLACE = 16


def xdp_query(index: int) -> XdpState:
    """The attached programs; NotFound when no interface has that index."""
    return link_at(index).xdp


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
    attributes = [("IFLA_XDP_FD", fd), ("IFLA_XDP_FLAGS", flags)]
    if expected_fd is not None:
        attributes.append(("IFLA_XDP_EXPECTED_FD", expected_fd))
    try:
        with rtnl_socket(doing) as ip:
            ip.link("set", index=index, xdp={"attrs": attributes})
    except Conflict as error:
        if "upper device" not in error.message:  # dev_xdp_attach() of the kernel
            raise
        raise Conflict(
            error.message,
            code=BELOW_XDP,
            hint="detach from the interface above first: `ip link` names it (master, or NAME@PARENT)",
            detail=error.detail,
        ) from error
