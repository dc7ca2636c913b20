"""Whether a frame that an XDP program sends back (XDP_TX) arrives: asked of rtnetlink.

A veth puts it into its peer's ring, which the peer empties only with an XDP program in native mode of its
own (veth_xdp_flush() of the kernel). Without one it is dropped, or with GRO on lies there until
something else comes, and nobody is told.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from .link_attributes import each_link, kind_of, link_attributes, number
from .namespaces import id_of_descriptor, namespaces, run_in
from .raw_rtnl import attributes

# linux/if_link.h
_IFLA_LINK, _IFLA_MASTER, _IFLA_LINK_NETNSID, _IFLA_XDP, _IFLA_XDP_ATTACHED = 5, 10, 37, 43, 2
_ATTACHED_NATIVE = (1, 4)
"""XDP_ATTACHED_DRV, and _MULTI, which has a native one as well."""


def peer_receives(index: int) -> bool | None:
    """Whether the peer of that veth takes frames from XDP_TX: None where it is in a network namespace
    that cannot be looked into. True for an interface that is no veth."""
    try:
        told = link_attributes(index)
    except OSError:
        return None
    if kind_of(told) != "veth":
        return True
    peer = number(told.get(_IFLA_LINK))
    if peer is None:
        return None
    there = number(told.get(_IFLA_LINK_NETNSID))
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
    for own, told in each_link():
        if kind_of(told) == "vlan" and (parent := number(told.get(_IFLA_LINK))):
            vlans.add(own)
            above.setdefault(parent, set()).add(own)
        if master := number(told.get(_IFLA_MASTER)):
            above.setdefault(own, set()).add(master)
    seen, waiting = set(), {index}
    while waiting:
        one = waiting.pop()
        if one in vlans:
            return True
        seen.add(one)
        waiting |= above.get(one, set()) - seen
    return False


def _has_native_xdp(index: int) -> bool:
    """Whether an interface of this thread's namespace has an XDP program in native mode; OSError."""
    told = dict(attributes(link_attributes(index).get(_IFLA_XDP, b"")))
    return told.get(_IFLA_XDP_ATTACHED, b"\0")[0] in _ATTACHED_NATIVE


def _id_of(path: Path) -> int | None:
    """The id that this namespace gives to the one at `path`; None without one, or without the right."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        return id_of_descriptor(descriptor)
    finally:
        os.close(descriptor)
