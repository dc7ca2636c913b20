"""List the network interfaces of this thread's namespace."""

from __future__ import annotations

import errno
import os
import socket
import struct
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

from xdpwall.errors import NotFound

from .ethtool import Ethtool
from .names import name_text
from .raw_rtnl import DUMP, ask, attributes
from .rtnl import netlink_error

# ARPHRD_* of linux/if_arp.h, with the names of `ip link`; others are shown as their number.
_LINK_TYPES = {
    1: "ether",
    32: "infiniband",
    512: "ppp",
    768: "ipip",
    769: "tunnel6",
    772: "loopback",
    776: "sit",
    778: "gre",
    801: "ieee802.11",
    803: "ieee802.11/radiotap",
    823: "gre6",
    824: "netlink",
    65534: "none",
}
_IFF_UP = 1
_STATES = ("unknown", "notpresent", "down", "lowerlayerdown", "testing", "dormant", "up")
# linux/rtnetlink.h, linux/if_link.h
_RTM_GETLINK = 18
_ADDRESS, _IFNAME, _MTU, _LINK, _MASTER, _OPERSTATE = 1, 3, 4, 5, 10, 16
_LINKINFO, _EXT_MASK, _LINK_NETNSID, _XDP = 18, 29, 37, 43
_INFO_KIND, _INFO_DATA, _VXLAN_LINK = 1, 2, 3
_XDP_DRV_ID, _XDP_SKB_ID, _XDP_HW_ID = 5, 6, 7
_NO_STATISTICS = 1 << 3  # RTEXT_FILTER_SKIP_STATS
_HEAD = struct.Struct("=BxHiII")
_PAIRS = ("veth", "netkit", "vxcan")
"""The kinds whose IFLA_LINK is the other end, which is not below them."""


@dataclass(frozen=True, slots=True)
class XdpState:
    """The program ids attached at XDP, one field per mode; None where there is none."""

    native: int | None = None
    generic: int | None = None
    offload: int | None = None

    @property
    def ids(self) -> tuple[int, ...]:
        """Every attached program's id."""
        return tuple(i for i in (self.native, self.generic, self.offload) if i is not None)


@dataclass(frozen=True, slots=True)
class LinkInfo:
    """One interface."""

    name: str
    index: int
    state: str
    """operstate in lower case: up, down, unknown, lowerlayerdown, ..."""
    up: bool
    """Whether it is set up (IFF_UP), with or without a carrier."""
    kind: str | None
    """veth, bridge, dummy, vlan, tun, ...; None for a physical interface."""
    link_type: str
    """ether, loopback, none, ...: the link-layer header of its frames."""
    mtu: int
    address: str | None
    master: str | None
    """The bridge or bond that it is a port of."""
    driver: str | None
    xdp: XdpState
    lower: frozenset[int] = frozenset()
    """The indexes of the interfaces below this one, as far as netlink tells: the ports of a bridge
    or bond, the parent of a VLAN, macvlan or vxlan."""


class _Message:
    """One RTM_NEWLINK."""

    def __init__(self, data: bytes) -> None:
        _, self.link_type, self.index, self.flags, _ = _HEAD.unpack_from(data)
        self.named = dict(attributes(data[_HEAD.size :]))
        self.name = name_text(self.named.get(_IFNAME, b""))
        self.details = dict(attributes(self.named.get(_LINKINFO, b"")))
        kind = self.details.get(_INFO_KIND)
        self.kind = None if kind is None else kind.rstrip(b"\0").decode()

    def number(self, attribute: int) -> int:
        """Its value; 0 without the attribute."""
        return _number(self.named.get(attribute))


def links() -> list[LinkInfo]:
    """Every interface, by index."""
    messages = _ask(0, DUMP, "list the interfaces")
    names = {one.index: one.name for one in messages}
    ports: dict[int, set[int]] = {}
    for one in messages:
        if master := one.number(_MASTER):
            ports.setdefault(master, set()).add(one.index)
    with Ethtool() as ethtool:
        found = [_info(one, names, ports, ethtool) for one in messages]
    return sorted(found, key=lambda link: link.index)


def link_at(index: int) -> LinkInfo:
    """The interface with that index, without what is below it; NotFound."""
    (message,) = _ask(index, 0, f"ask for interface {index}")
    master = message.number(_MASTER)
    names: dict[int, str] = {}
    if master:
        with suppress(OSError):  # it has gone
            names[master] = socket.if_indextoname(master)
    with Ethtool() as ethtool:
        return _info(message, names, {}, ethtool)


def _ask(index: int, flags: int, doing: str) -> list[_Message]:
    body = _HEAD.pack(socket.AF_UNSPEC, 0, index, 0, 0)
    body += struct.pack("=HHI", 8, _EXT_MASK, _NO_STATISTICS)
    try:
        return [_Message(data) for data in ask(_RTM_GETLINK, flags, body)]
    except OSError as error:
        raise netlink_error(
            error.errno or 0, os.strerror(error.errno or errno.EIO), doing
        ) from error


def link(name: str) -> LinkInfo:
    """The interface of that name; NotFound (code "no-interface") names those that exist."""
    found = links()
    for one in found:
        if one.name == name:
            return one
    known = ", ".join(one.name for one in found)
    raise NotFound(
        f"no interface {name!r} in this network namespace",
        code="no-interface",
        field="iface",
        value=name,
        hint=f"there are: {known}",
    )


def _info(
    message: _Message, names: Mapping[int, str], ports: Mapping[int, set[int]], ethtool: Ethtool
) -> LinkInfo:
    master, address = message.number(_MASTER), message.named.get(_ADDRESS)
    state = message.named.get(_OPERSTATE, b"\0")[0]
    below = ports.get(message.index, set()) | _parents(message)
    return LinkInfo(
        name=message.name,
        index=message.index,
        state=_STATES[state] if state < len(_STATES) else str(state),
        up=bool(message.flags & _IFF_UP),
        kind=message.kind,
        link_type=_LINK_TYPES.get(message.link_type, str(message.link_type)),
        mtu=message.number(_MTU),
        address=address.hex(":") if address else None,
        master=names.get(master, f"#{master}") if master else None,
        driver=ethtool.driver(message.name),
        xdp=_xdp_state(message),
        lower=frozenset(below),
    )


def _parents(message: _Message) -> set[int]:
    """What an interface was made on top of; in another namespace its index says nothing here."""
    found = set()
    if message.kind not in _PAIRS and _LINK_NETNSID not in message.named:
        found.add(message.number(_LINK))
    if message.kind == "vxlan":
        data = dict(attributes(message.details.get(_INFO_DATA, b"")))
        found.add(_number(data.get(_VXLAN_LINK)))
    return found - {0}


def _xdp_state(message: _Message) -> XdpState:
    ids = dict(attributes(message.named.get(_XDP, b"")))
    return XdpState(
        native=_number(ids.get(_XDP_DRV_ID)) or None,
        generic=_number(ids.get(_XDP_SKB_ID)) or None,
        offload=_number(ids.get(_XDP_HW_ID)) or None,
    )


def _number(value: bytes | None) -> int:
    return int(struct.unpack_from("=I", value)[0]) if value else 0
