"""The way of packets to an address: the interface of the route, and those above and below it.

By rtnetlink in bytes: a change asks for it, and must not wait for pyroute2.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address

from .link_attributes import each_link, kind_of
from .names import interface_index
from .raw_rtnl import ask, attribute, attributes

Address = IPv4Address | IPv6Address

# linux/rtnetlink.h, linux/if_link.h
_RTM_GETROUTE = 26
_RTA_DST, _RTA_SRC, _RTA_OIF, _RTA_GATEWAY = 1, 2, 4, 5
_IFLA_LINK, _IFLA_MASTER, _IFLA_LINKINFO, _IFLA_LINK_NETNSID = 5, 10, 18, 37
_DATA, _VLAN_ID = 2, 1
# struct rtmsg: family, lengths of destination and source, 5 bytes of what is not asked, flags.
_ROUTE = struct.Struct("=BBB5xI")
_NUMBER = struct.Struct("=i")
_SAME_PACKETS = ("vlan", "macvlan", "macvtap", "ipvlan", "ipvtap")
"""Kinds whose packets are on the interface below as they are, but for a tag; a tunnel's are inside
others there."""


@dataclass(frozen=True, slots=True)
class _Link:
    master: int | None
    below: int | None
    vlan: int | None
    """Of its frames on the interface below."""


@dataclass(frozen=True, slots=True)
class _Hop:
    index: int
    """Of the interface by which packets leave."""
    gateway: Address | None = None


class Paths:
    """Looks routes up, and knows what lies above and below interfaces at the moment when it was made."""

    def __init__(self) -> None:
        """OSError of the kernel."""
        self._links = _links()
        self._routes: dict[tuple[Address, Address, int], _Hop | None] = {}

    def to(self, peer: Address, local: Address, bound: int = 0) -> Mapping[int, int | None]:
        """The indexes of the interfaces that packets to `peer` from `local` pass: that of the route, its
        masters, parents and ports; each with the VLAN id of the packets' tag there. Empty without a
        route. `bound`: the index of the interface that the socket is bound to."""
        hop = self._hop(peer, local, bound)
        return {} if hop is None else self._around(hop.index)

    def neighbor(self, peer: Address, local: Address, bound: int = 0) -> Address:
        """Whose link-layer address packets to `peer` need: the gateway's, or without one the peer's own."""
        hop = self._hop(peer, local, bound)
        return peer if hop is None or hop.gateway is None else hop.gateway

    def _hop(self, peer: Address, local: Address, bound: int) -> _Hop | None:
        key = (peer, local, bound)
        if key not in self._routes:
            self._routes[key] = _route(peer, local, bound or _scope(peer))
        return self._routes[key]

    def _around(self, index: int) -> dict[int, int | None]:
        found: dict[int, int | None] = {}
        left: list[tuple[int, int | None]] = [(index, None)]
        above = self._links.get(index)
        while above is not None and above.master is not None:
            left.append((above.master, None))
            above = self._links.get(above.master)
        while left:
            one, vlan = left.pop()
            link = self._links.get(one)
            if link is None or one in found:
                continue
            found[one] = vlan
            left += [(port, vlan) for port, other in self._links.items() if other.master == one]
            if link.below is not None:
                left.append((link.below, vlan if link.vlan is None else link.vlan))
        return found


def _scope(address: Address) -> int:
    """The index of the interface of a link-local address' scope; 0: it has none."""
    scope = getattr(address, "scope_id", None)
    if scope is None:
        return 0
    for index, name in interface_index():
        if scope in (name, str(index)):
            return index
    return 0


def _route(peer: Address, local: Address, bound: int) -> _Hop | None:
    """The way that the kernel would choose; None: it has none."""
    found = _ask_route(peer, local, bound)
    # Whoever asks may come from an address that this namespace does not have.
    found = _ask_route(peer, None, bound) if found is None else found
    return found if found is not None or not bound else _Hop(bound)


def _ask_route(peer: Address, local: Address | None, bound: int) -> _Hop | None:
    family = socket.AF_INET if peer.version == 4 else socket.AF_INET6
    bits = peer.max_prefixlen
    body = _ROUTE.pack(family, bits, 0 if local is None else bits, 0)
    body += attribute(_RTA_DST, peer.packed)
    if local is not None:
        body += attribute(_RTA_SRC, local.packed)
    if bound:
        body += attribute(_RTA_OIF, _NUMBER.pack(bound))
    try:
        (answer, *_) = ask(_RTM_GETROUTE, 0, body)
    except OSError:
        return None
    told = dict(attributes(answer[_ROUTE.size :]))
    if _RTA_OIF not in told:
        return None
    gateway = told.get(_RTA_GATEWAY)
    return _Hop(
        int(_NUMBER.unpack(told[_RTA_OIF])[0]), None if gateway is None else ip_address(gateway)
    )


def _links() -> dict[int, _Link]:
    found = {}
    for index, told in each_link():
        info = dict(attributes(told.get(_IFLA_LINKINFO, b"")))
        kind = kind_of(told)
        data = dict(attributes(info.get(_DATA, b"")))
        same = kind in _SAME_PACKETS and _IFLA_LINK_NETNSID not in told
        found[index] = _Link(
            _index(told.get(_IFLA_MASTER)),
            _index(told.get(_IFLA_LINK)) if same else None,
            struct.unpack("=H", data[_VLAN_ID])[0] if kind == "vlan" and _VLAN_ID in data else None,
        )
    return found


def _index(value: bytes | None) -> int | None:
    return None if value is None else int(_NUMBER.unpack(value)[0]) or None
