"""List the network interfaces of this thread's namespace."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from xdpwall.errors import NotFound

from .ethtool import Ethtool
from .names import name_text
from .rtnl import rtnl_socket

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
    with rtnl_socket("list the interfaces") as ip:
        messages = list(ip.get_links())
    names = {int(m["index"]): name_text(m.get_attr("IFLA_IFNAME")) for m in messages}
    ports: dict[int, set[int]] = {}
    for m in messages:
        if master := m.get_attr("IFLA_MASTER"):
            ports.setdefault(int(master), set()).add(int(m["index"]))
    with Ethtool() as ethtool:
        found = [_info(m, names, ports, ethtool) for m in messages]
    return sorted(found, key=lambda link: link.index)


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
    message: Any, names: Mapping[int, str], ports: Mapping[int, set[int]], ethtool: Ethtool
) -> LinkInfo:
    name = name_text(message.get_attr("IFLA_IFNAME"))
    link_type = int(message["ifi_type"])
    details = message.get_attr("IFLA_LINKINFO")
    kind = details.get_attr("IFLA_INFO_KIND") if details else None
    master = message.get_attr("IFLA_MASTER")
    return LinkInfo(
        name=name,
        index=int(message["index"]),
        state=str(message.get_attr("IFLA_OPERSTATE") or "unknown").lower(),
        up=bool(int(message["flags"]) & _IFF_UP),
        kind=kind,
        link_type=_LINK_TYPES.get(link_type, str(link_type)),
        mtu=int(message.get_attr("IFLA_MTU") or 0),
        address=message.get_attr("IFLA_ADDRESS"),
        master=names.get(int(master), f"#{master}") if master else None,
        driver=ethtool.driver(name),
        xdp=xdp_state(message),
        lower=frozenset(ports.get(int(message["index"]), set()) | _parents(message, kind, details)),
    )


def _parents(message: Any, kind: str | None, details: Any) -> set[int]:
    """What an interface was made on top of; in another namespace its index says nothing here."""
    found = set()
    if kind not in _PAIRS and message.get_attr("IFLA_LINK_NETNSID") is None:
        found.add(message.get_attr("IFLA_LINK"))
    if kind == "vxlan" and (data := details.get_attr("IFLA_INFO_DATA")):
        found.add(data.get_attr("IFLA_VXLAN_LINK"))
    return {int(one) for one in found if one}


def xdp_state(message: Any) -> XdpState:
    """The XDP programs in an RTM_NEWLINK message."""
    nested = message.get_attr("IFLA_XDP")
    if not nested:
        return XdpState()
    return XdpState(
        native=nested.get_attr("IFLA_XDP_DRV_PROG_ID"),
        generic=nested.get_attr("IFLA_XDP_SKB_PROG_ID"),
        offload=nested.get_attr("IFLA_XDP_HW_PROG_ID"),
    )
