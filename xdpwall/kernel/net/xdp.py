"""Attach, swap, detach and query XDP programs by netlink.

A program attached this way outlives the process. The other way, a bpf_link, ties it to a pinned
file; netlink gets EBUSY while a link holds the hook.
"""

from __future__ import annotations

from typing import Literal

from .links import XdpState, xdp_state
from .rtnl import interface_name, rtnl_socket

Mode = Literal["native", "generic"]

_IF_NOEXIST = 1
_MODES = {"generic": 2, "native": 4}
_REPLACE = 16


def xdp_query(index: int) -> XdpState:
    """The attached programs; NotFound when no interface has that index."""
    with rtnl_socket(f"ask {interface_name(index)} for its XDP program") as ip:
        return xdp_state(ip.link("get", index=index)[0])


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


def _set(doing: str, index: int, fd: int, flags: int, expected_fd: int | None) -> None:
    attributes = [("IFLA_XDP_FD", fd), ("IFLA_XDP_FLAGS", flags)]
    if expected_fd is not None:
        attributes.append(("IFLA_XDP_EXPECTED_FD", expected_fd))
    with rtnl_socket(doing) as ip:
        ip.link("set", index=index, xdp={"attrs": attributes})
