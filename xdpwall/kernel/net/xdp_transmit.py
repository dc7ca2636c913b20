"""Whether a frame that an XDP program sends back (XDP_TX) arrives: asked of rtnetlink.

A veth puts it into its peer's ring, which the peer empties only with an XDP program in native mode of its
own (veth_xdp_flush() of the kernel). Without one it is dropped, or with GRO on lies there until
something else comes, and nobody is told.
"""

from __future__ import annotations

import os
import socket
import struct
from contextlib import suppress
from pathlib import Path

from .namespaces import namespaces, run_in
from .raw_rtnl import DUMP, ask, attributes

# linux/rtnetlink.h, linux/if_link.h, linux/net_namespace.h
_RTM_GETLINK, _RTM_GETNSID = 18, 90
_IFLA_LINK, _IFLA_MASTER, _IFLA_LINKINFO = 5, 10, 18
_IFLA_LINK_NETNSID, _IFLA_XDP, _IFLA_XDP_ATTACHED, _INFO_KIND = 37, 43, 2, 1
_ATTACHED_NATIVE = (1, 4)
"""XDP_ATTACHED_DRV, and _MULTI, which has a native one as well."""
_NETNSA_NSID, _NETNSA_FD = 1, 3
_LINK = struct.Struct("=BxHiII")


def peer_receives(index: int) -> bool | None:
    """Whether the peer of that veth takes frames from XDP_TX: None where it is in a network namespace
    that cannot be looked into. True for an interface that is no veth."""
    try:
        told = _link(index)
    except OSError:
        return None
    if _kind(told) != b"veth":
        return True
    peer = _number(told.get(_IFLA_LINK))
    if peer is None:
        return None
    there = _number(told.get(_IFLA_LINK_NETNSID))
    with suppress(OSError):
        if there is None:
            return _has_native_xdp(peer)
        for found in namespaces():
            if _id_of(found.path) == there:
                return run_in(found.path, lambda: _has_native_xdp(peer))
    return None


def has_vlan_above(index: int) -> bool:
    """Whether a VLAN interface of this namespace stands on that one, or on its bridge or bond."""
    above: dict[int, set[int]] = {}
    vlans = set()
    for message in ask(_RTM_GETLINK, DUMP, _LINK.pack(socket.AF_UNSPEC, 0, 0, 0, 0)):
        own = _LINK.unpack_from(message)[2]
        told = dict(attributes(message[_LINK.size :]))
        if _kind(told) == b"vlan" and (parent := _number(told.get(_IFLA_LINK))):
            vlans.add(own)
            above.setdefault(parent, set()).add(own)
        if master := _number(told.get(_IFLA_MASTER)):
            above.setdefault(own, set()).add(master)
    seen, waiting = set(), {index}
    while waiting:
        one = waiting.pop()
        if one in vlans:
            return True
        seen.add(one)
        waiting |= above.get(one, set()) - seen
    return False


def _link(index: int) -> dict[int, bytes]:
    (message,) = ask(_RTM_GETLINK, 0, _LINK.pack(socket.AF_UNSPEC, 0, index, 0, 0))
    return dict(attributes(message[_LINK.size :]))


def _kind(told: dict[int, bytes]) -> bytes:
    return dict(attributes(told.get(_IFLA_LINKINFO, b""))).get(_INFO_KIND, b"").rstrip(b"\0")


def _has_native_xdp(index: int) -> bool:
    """Whether an interface of this thread's namespace has an XDP program in native mode; OSError."""
    told = dict(attributes(_link(index).get(_IFLA_XDP, b"")))
    return told.get(_IFLA_XDP_ATTACHED, b"\0")[0] in _ATTACHED_NATIVE


def _id_of(path: Path) -> int | None:
    """The id that this namespace gives to the one at `path`; None without one, or without the right."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        body = struct.pack("=Bxxx", 0) + struct.pack("=HHI", 8, _NETNSA_FD, descriptor)
        (message,) = ask(_RTM_GETNSID, 0, body)
        return _number(dict(attributes(message[4:])).get(_NETNSA_NSID))
    except OSError:
        return None
    finally:
        os.close(descriptor)


def _number(value: bytes | None) -> int | None:
    return None if value is None else int(struct.unpack_from("=i", value)[0])
