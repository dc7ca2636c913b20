"""List the network interfaces of this thread's namespace."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from xdpwall.errors import NotFound

from .ethtool import Ethtool
from .link_attributes import Attributes, LinkMessage, kind_of, link_message, link_messages, number
from .names import name_text
from .raw_rtnl import attributes
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
# linux/if_link.h
_ADDRESS, _IFNAME, _MTU, _LINK, _MASTER, _OPERSTATE = 1, 3, 4, 5, 10, 16
_LINKINFO, _LINK_NETNSID, _XDP = 18, 37, 43
_INFO_DATA, _VXLAN_LINK = 2, 3
_XDP_DRV_ID, _XDP_SKB_ID, _XDP_HW_ID = 5, 6, 7
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


def links() -> list[LinkInfo]:
    """Every interface, by index."""
    with _explained("list the interfaces"):
        messages = link_messages()
    names = {one.index: _name(one) for one in messages}
    ports: dict[int, set[int]] = {}
    for one in messages:
        if master := number(one.told.get(_MASTER)):
            ports.setdefault(master, set()).add(one.index)
    with Ethtool() as ethtool:
        found = [_info(one, names, ports, ethtool) for one in messages]
    return sorted(found, key=lambda link: link.index)


def link_at(index: int) -> LinkInfo:
    """The interface with that index, without what is below it; NotFound."""
    with _explained(f"ask for interface {index}"):
        message = link_message(index)
    names: dict[int, str] = {}
    if master := number(message.told.get(_MASTER)):
        with suppress(OSError):  # it has gone
            names[master] = socket.if_indextoname(master)
    with Ethtool() as ethtool:
        return _info(message, names, {}, ethtool)


def xdp_state_at(index: int) -> XdpState:
    """The XDP programs of the interface with that index; NotFound."""
    with _explained(f"ask for interface {index}"):
        return _xdp_state(link_message(index).told)


@contextmanager
def _explained(doing: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        code = error.errno or errno.EIO
        raise netlink_error(code, os.strerror(code), doing) from error


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


def _name(message: LinkMessage) -> str:
    return name_text(message.told.get(_IFNAME, b""))


def _info(
    message: LinkMessage, names: Mapping[int, str], ports: Mapping[int, set[int]], ethtool: Ethtool
) -> LinkInfo:
    told, name = message.told, _name(message)
    master, address = number(told.get(_MASTER)), told.get(_ADDRESS)
    state = told.get(_OPERSTATE, b"\0")[0]
    return LinkInfo(
        name=name,
        index=message.index,
        state=_STATES[state] if state < len(_STATES) else str(state),
        up=bool(message.flags & _IFF_UP),
        kind=kind_of(told),
        link_type=_LINK_TYPES.get(message.link_type, str(message.link_type)),
        mtu=number(told.get(_MTU)) or 0,
        address=address.hex(":") if address else None,
        master=names.get(master, f"#{master}") if master else None,
        driver=ethtool.driver(name),
        xdp=_xdp_state(told),
        lower=frozenset(ports.get(message.index, set()) | _parents(told)),
    )


def _parents(told: Attributes) -> set[int]:
    """What an interface was made on top of; in another namespace its index says nothing here."""
    found: set[int | None] = set()
    kind = kind_of(told)
    if kind not in _PAIRS and _LINK_NETNSID not in told:
        found.add(number(told.get(_LINK)))
    if kind == "vxlan":
        details = dict(attributes(told.get(_LINKINFO, b"")))
        data = dict(attributes(details.get(_INFO_DATA, b"")))
        found.add(number(data.get(_VXLAN_LINK)))
    return {one for one in found if one}


def _xdp_state(told: Attributes) -> XdpState:
    ids = dict(attributes(told.get(_XDP, b"")))
    return XdpState(
        native=number(ids.get(_XDP_DRV_ID)) or None,
        generic=number(ids.get(_XDP_SKB_ID)) or None,
        offload=number(ids.get(_XDP_HW_ID)) or None,
    )
