"""Interfaces whose other end lies in another network namespace, and which namespace that is.

A container is found by this, never by an address that it may forge: the kernel says of a veth's end
here to which namespace its other end belongs, and of a process in which namespace it is.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterable
from dataclasses import dataclass

from .names import name_text
from .raw_rtnl import DUMP, ask, attributes

# linux/rtnetlink.h, linux/if_link.h, linux/net_namespace.h
_RTM_GETLINK, _RTM_GETNSID = 18, 90
_IFLA_IFNAME, _IFLA_LINK, _IFLA_MASTER, _IFLA_EXT_MASK, _IFLA_LINK_NETNSID = 3, 5, 10, 29, 37
_NETNSA_NSID, _NETNSA_PID = 1, 2
_NO_STATISTICS = 1 << 3  # RTEXT_FILTER_SKIP_STATS
_LINK = struct.Struct("=BxHiII")


@dataclass(frozen=True, slots=True)
class FarLink:
    """An interface here with its other end elsewhere."""

    name: str
    index: int
    namespace: int
    """The id that this network namespace gives to the other one (RTM_GETNSID)."""
    master: str | None
    """The bridge or bond that it is a port of."""


def far_links() -> list[FarLink]:
    """Those of this thread's network namespace; OSError of the kernel."""
    body = _LINK.pack(socket.AF_UNSPEC, 0, 0, 0, 0)
    body += struct.pack("=HHI", 8, _IFLA_EXT_MASK, _NO_STATISTICS)
    names, found = {}, []
    for message in ask(_RTM_GETLINK, DUMP, body):
        _, _, index, _, _ = _LINK.unpack_from(message)
        told = dict(attributes(message[_LINK.size :]))
        names[index] = name_text(told.get(_IFLA_IFNAME, b""))
        if _IFLA_LINK_NETNSID in told and _IFLA_LINK in told:
            (namespace,) = struct.unpack_from("=i", told[_IFLA_LINK_NETNSID])
            master = struct.unpack_from("=I", told[_IFLA_MASTER])[0] if _IFLA_MASTER in told else 0
            found.append((index, namespace, master))
    return [
        FarLink(names[index], index, namespace, names.get(master))
        for index, namespace, master in found
        if namespace >= 0
    ]


def namespace_ids(processes: Iterable[int]) -> dict[int, int]:
    """For each pid of this pid namespace the id of its network namespace here; none for one that has ended,
    that is in this namespace, or to whose namespace nothing leads."""
    found = {}
    for pid in processes:
        body = struct.pack("=Bxxx", socket.AF_UNSPEC) + struct.pack("=HHI", 8, _NETNSA_PID, pid)
        try:
            for message in ask(_RTM_GETNSID, 0, body):
                told = dict(attributes(message[4:]))
                if _NETNSA_NSID in told:
                    (number,) = struct.unpack_from("=i", told[_NETNSA_NSID])
                    if number >= 0:
                        found[pid] = number
        except OSError:  # ESRCH: it has ended
            continue
    return found
