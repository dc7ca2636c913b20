"""Read what rtnetlink says of interfaces as attributes, without pyroute2 (0.2 to 0.4 s to import)."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from .raw_rtnl import DUMP, ask, attributes

# linux/rtnetlink.h, linux/if_link.h
_RTM_GETLINK = 18
_IFLA_LINKINFO, _IFLA_EXT_MASK, _IFLA_TARGET_NETNSID = 18, 29, 46
_INFO_KIND = 1
_NO_STATISTICS = 1 << 3  # RTEXT_FILTER_SKIP_STATS
_LINK = struct.Struct("=BxHiII")
Attributes = Mapping[int, bytes]
"""IFLA_... -> its value."""


@dataclass(frozen=True, slots=True)
class LinkMessage:
    """One RTM_NEWLINK."""

    index: int
    link_type: int
    """ARPHRD_*."""
    flags: int
    """IFF_*."""
    told: Attributes


def each_link(netns_id: int | None = None) -> Iterator[tuple[int, Attributes]]:
    """(index, attributes but for statistics) of every interface of this thread's network namespace, or of
    that to which it gives the id `netns_id` (RTM_GETNSID); OSError of the kernel."""
    more = b"" if netns_id is None else struct.pack("=HHi", 8, _IFLA_TARGET_NETNSID, netns_id)
    for message in _ask(0, DUMP, more):
        yield message.index, message.told


def link_attributes(index: int) -> Attributes:
    """Those of one interface; OSError of the kernel, ENODEV without it."""
    return link_message(index).told


def link_messages() -> list[LinkMessage]:
    """Every interface of this thread's network namespace; OSError of the kernel."""
    return list(_ask(0, DUMP))


def link_message(index: int) -> LinkMessage:
    """One interface; OSError of the kernel, ENODEV without it."""
    (message,) = _ask(index, 0)
    return message


def _ask(index: int, flags: int, more: bytes = b"") -> Iterator[LinkMessage]:
    body = _LINK.pack(socket.AF_UNSPEC, 0, index, 0, 0)
    body += struct.pack("=HHI", 8, _IFLA_EXT_MASK, _NO_STATISTICS) + more
    for message in ask(_RTM_GETLINK, flags, body):
        _, link_type, found, state, _ = _LINK.unpack_from(message)
        yield LinkMessage(found, link_type, state, dict(attributes(message, _LINK.size)))


def kind_of(told: Attributes) -> str | None:
    """veth, bridge, vlan, ...; None for a physical interface."""
    named = dict(attributes(told.get(_IFLA_LINKINFO, b"")))
    return named[_INFO_KIND].rstrip(b"\0").decode() if _INFO_KIND in named else None


def number(value: bytes | None) -> int | None:
    """A number of four bytes; None where the attribute is not there."""
    return None if value is None else int(struct.unpack_from("=i", value)[0])
