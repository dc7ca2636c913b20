"""Addresses, routes and what lies below an interface, in this thread's network namespace."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address

from .names import name_text
from .rtnl import rtnl_socket

Address = IPv4Address | IPv6Address

_IFA_F_TEMPORARY, _IFA_F_PERMANENT = 0x01, 0x80
"""The first is IPv6's; of an IPv4 address it says that it is a secondary one."""


@dataclass(frozen=True, slots=True)
class InterfaceAddress:
    """One address of an interface."""

    iface: str
    address: Address
    length: int
    """Of the prefix."""
    lease: bool
    """Whether it ends unless somebody renews it; temporary addresses (RFC 8981) aside."""


@dataclass(frozen=True, slots=True)
class Route:
    """A route: how packets to an address leave."""

    iface: str
    source: Address | None


def interface_addresses() -> list[InterfaceAddress]:
    """Every address that is up, by interface."""
    with rtnl_socket("list the addresses") as ip:
        names = {int(m["index"]): name_text(m.get_attr("IFLA_IFNAME")) for m in ip.get_links()}
        found = []
        for message in ip.get_addr():
            # IFA_ADDRESS is the other end's where the link has two ends.
            text = message.get_attr("IFA_LOCAL") or message.get_attr("IFA_ADDRESS")
            address = ip_address(text)
            flags = int(message.get_attr("IFA_FLAGS") or message["flags"])
            temporary = address.version == 6 and flags & _IFA_F_TEMPORARY
            found.append(
                InterfaceAddress(
                    names.get(int(message["index"]), ""),
                    address,
                    int(message["prefixlen"]),
                    not (flags & _IFA_F_PERMANENT or temporary),
                )
            )
    return found


def routes_to(peers: Iterable[Address]) -> dict[Address, Route]:
    """The route to each, as the kernel would choose it; without those that have none."""
    from pyroute2.netlink.exceptions import NetlinkError

    found = {}
    with rtnl_socket("look up routes") as ip:
        names = {int(m["index"]): name_text(m.get_attr("IFLA_IFNAME")) for m in ip.get_links()}
        for peer in peers:
            with suppress(NetlinkError):  # unreachable
                for message in ip.route("get", dst=str(peer)):
                    index, source = message.get_attr("RTA_OIF"), message.get_attr("RTA_PREFSRC")
                    if index:
                        known = ip_address(source) if source else None
                        found[peer] = Route(names.get(int(index), ""), known)
    return found


def lower_interfaces() -> dict[str, set[str]]:
    """For each interface those that its packets pass below it: ports, parents, and itself."""
    with rtnl_socket("list the interfaces") as ip:
        messages = list(ip.get_links())
    names = {int(m["index"]): name_text(m.get_attr("IFLA_IFNAME")) for m in messages}
    below: dict[str, set[str]] = {name: set() for name in names.values()}
    for message in messages:
        name = names[int(message["index"])]
        details = message.get_attr("IFLA_LINKINFO")
        kind = details.get_attr("IFLA_INFO_KIND") if details else None
        master, parent = message.get_attr("IFLA_MASTER"), message.get_attr("IFLA_LINK")
        if master in names:
            below[names[master]].add(name)
        # A veth's IFLA_LINK is its other end.
        if parent in names and kind != "veth" and message.get_attr("IFLA_LINK_NETNSID") is None:
            below[name].add(names[parent])
    return {name: _closure(name, below) for name in below}


def _closure(name: str, below: dict[str, set[str]]) -> set[str]:
    found: set[str] = set()
    left = [name]
    while left:
        one = left.pop()
        if one not in found:
            found.add(one)
            left += below[one]
    return found
