"""What this host takes and sends now, read from its sockets, addresses, resolvers and groups.

Not seen: what it forwards (containers, routing), what comes and goes between two looks, sockets of
other protocols such as SCTP, and UDP sockets of programs on ports that the kernel hands out, which
are taken for those of clients.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network, IPv6Address, ip_address, ip_interface
from pathlib import Path

from xdpwall.kernel.net.addresses import (
    InterfaceAddress,
    Route,
    interface_addresses,
    lower_interfaces,
    routes_to,
)
from xdpwall.kernel.net.links import links
from xdpwall.kernel.net.sockets import (
    CLOSE_WAIT,
    ESTABLISHED,
    LISTEN,
    SYN_SENT,
    SocketRow,
    joined_groups,
    sockets,
)

from . import host_needs
from .drop_advice import Need

Address = IPv4Address | IPv6Address

RESOLV_CONF = (Path("/etc/resolv.conf"), Path("/run/systemd/resolve/resolv.conf"))
"""The second holds whom systemd-resolved asks, where the first names only itself."""
_RESOLVERS = 3
"""resolv.conf(5): so many are asked."""
_HANDED_OUT = Path("/proc/sys/net/ipv4/ip_local_port_range")
_NEVER_PRUNED = IPv4Network("224.0.0.0/24")
"""Snooping switches forward it unasked: RFC 4541 section 2.1.2."""

_NAMES = {
    ("tcp", 22): "SSH",
    ("tcp", 53): "DNS",
    ("udp", 53): "DNS",
    ("udp", 67): "the DHCP server",
    ("udp", 68): "the DHCP client",
    ("udp", 123): "NTP",
    ("udp", 500): "IKE",
    ("udp", 546): "the DHCPv6 client",
    ("udp", 547): "the DHCPv6 server",
    ("udp", 4500): "IPsec through NAT",
    ("udp", 5353): "multicast DNS",
    ("udp", 51820): "WireGuard",
}
_DHCP_CLIENTS = (68, 546)
"""UDP ports of those whose own address is about to change."""
_PEER_PORTS = {67: 68, 68: 67, 546: 547, 547: 546, 123: 123, 500: 500, 4500: 4500, 5353: 5353}
"""UDP ports whose peers have no port that was handed out."""
_PROTOCOLS = {2: "IGMP", 4: "IPIP", 41: "IPv6 in IPv4", 47: "GRE", 50: "IPsec ESP", 51: "IPsec AH"}
_PROTOCOLS |= {88: "EIGRP", 89: "OSPF", 103: "PIM", 112: "VRRP"}
_TUNNELS = {"gre": 47, "gretap": 47, "erspan": 47, "ipip": 4, "sit": 41}
_JUDGED_ELSEWHERE = frozenset({1, 6, 17, 58, 255})
"""Raw sockets that are no service of their own: ping, captures, IPPROTO_RAW."""
_DISCOVERY = (
    ("router-advertisement", False),
    ("neighbor-solicitation", False),
    ("neighbor-advertisement", False),
    ("mld-listener-query", False),
    ("router-solicitation", True),
    ("neighbor-solicitation", True),
    ("neighbor-advertisement", True),
    ("mld2-listener-report", True),
)
"""RFC 4861 and RFC 3810, as far as a host takes (False) and sends (True) them."""
_OPEN = (ESTABLISHED, SYN_SENT, CLOSE_WAIT)
_LOOKED_UP = 500
"""Peers whose route is looked up."""


def host_needs_now() -> list[Need]:
    """What a drop policy would take from this host; what dies late first."""
    addresses = [one for one in interface_addresses() if not one.address.is_loopback]
    return _Host(addresses, lower_interfaces(), list(sockets())).needs()


class _Host:
    """One look at the host."""

    def __init__(
        self,
        addresses: list[InterfaceAddress],
        below: dict[str, set[str]],
        rows: list[SocketRow],
    ) -> None:
        self._addresses = addresses
        self._below = below
        self._rows = [row for row in rows if not row.local.is_loopback]
        self._listening = {r.port for r in self._rows if r.kind == "tcp" and r.state == LISTEN}
        self._resolvers = _resolvers()
        peers = [row.peer for row in self._rows if _has_peer(row)]
        asked = [*self._resolvers, *dict.fromkeys(peers)][:_LOOKED_UP]
        self._routes: dict[Address, Route] = routes_to(asked)

    def needs(self) -> list[Need]:
        """In the order in which they are told."""
        return [
            *host_needs.loopback(),
            *self._leases(),
            *self._name_servers(),
            *self._errors_and_neighbours(),
            *self._listeners(),
            *self._connections(),
            *self._protocols(),
            *host_needs.pings("icmp", "this host (IPv4)", self._with(_is_four)),
            *host_needs.pings("icmpv6", "this host (IPv6)", self._with(_is_six)),
        ]

    def _leases(self) -> list[Need]:
        """Addresses that end; a DHCPv6 server gives single ones (RFC 8415), routers prefixes."""
        found = []
        for one in self._addresses:
            if one.lease and (one.address.version == 4 or one.length == 128):
                port = 68 if one.address.version == 4 else 546
                found += self._dhcp(port, self._at(one.iface))
        return found

    def _dhcp(self, port: int, ifaces: host_needs.Ifaces) -> list[Need]:
        name = _name("udp", port)
        family = 4 if port == 68 else 6
        back, away = host_needs.service(
            "udp", port, name, families=(family,), peer_port=_PEER_PORTS[port], ifaces=ifaces
        )
        # Its answers come from elsewhere than was asked: no flow tells them.
        asked = f"accept udp/{port} sport {_PEER_PORTS[port]} in"
        return [
            replace(back, words=f"answers to {name}, which the lease needs", sentence=asked),
            replace(away, words=f"requests of {name}, which the lease needs", flow=None),
        ]

    def _name_servers(self) -> list[Need]:
        found = []
        port, _ = _handed_out()
        for one in self._resolvers:
            where, source = self._way(one)
            if where is not None:
                for kind in ("udp", "tcp"):
                    name = f"the resolver {one}" + (" over TCP" if kind == "tcp" else "")
                    found += host_needs.server(
                        "udp" if kind == "udp" else "tcp",
                        one,
                        source,
                        (53, port),
                        name,
                        where or None,
                        single=True,
                    )
        return found

    def _errors_and_neighbours(self) -> list[Need]:
        four, six = self._with(_is_four), self._with(_is_six)
        far = self._with(lambda a: a.version == 6 and not a.is_link_local)
        words = "the ICMP errors of path MTU discovery"
        found = [
            host_needs.icmp(
                "icmp",
                "destination-unreachable",
                f"{words} (IPv4)",
                four,
                code=4,
                any_peer=False,
                error=True,
            ),
            host_needs.icmp(
                "icmpv6", "packet-too-big", f"{words} (IPv6)", far, any_peer=False, error=True
            ),
            *host_needs.arp(four),
        ]
        for name, egress in _DISCOVERY:
            way = "sent" if egress else "received"
            words = f"IPv6 neighbour and listener discovery: {name}, {way}"
            found.append(host_needs.icmp("icmpv6", name, words, six, egress=egress))
        return found

    def _listeners(self) -> list[Need]:
        found = []
        low, high = _handed_out()
        for row in self._rows:
            # A UDP socket on a port that was handed out is a client's, unless it is the kernel's.
            handed_out = low <= row.port <= high and row.inode and row.port != 51820
            if row.kind == "tcp" and row.state == LISTEN:
                found += self._listener("tcp", row)
            elif row.kind == "udp" and not _has_peer(row) and row.port and not handed_out:
                found += self._listener("udp", row)
        return found

    def _listener(self, kind: host_needs.Transport, row: SocketRow) -> list[Need]:
        if kind == "udp" and row.port in _DHCP_CLIENTS:
            return self._dhcp(row.port, self._of(row.local))
        found = host_needs.service(
            kind,
            row.port,
            _name(kind, row.port),
            local=None if row.local.is_unspecified or row.local.is_link_local else row.local,
            # One on :: takes both, unless IPV6_V6ONLY says otherwise.
            families=(4,) if row.local.version == 4 else (6, 4),
            peer_port=_PEER_PORTS.get(row.port if kind == "udp" else 0, host_needs.A_CLIENTS_PORT),
            ifaces=self._of(row.local),
            group=self._is_group(row.local),
        )
        if kind == "udp" and row.port in (500, 4500):
            found += host_needs.protocol(50, _PROTOCOLS[50], (row.local.version,))
        return found

    def _connections(self) -> list[Need]:
        found: dict[Need, None] = {}
        for row in self._rows:
            if row.kind == "raw" or not _has_peer(row):
                continue
            if row.kind == "tcp" and row.state not in _OPEN:
                continue
            where, _ = self._way(row.peer)
            if where is None:
                continue
            ports = row.peer_port, row.port
            if row.kind == "tcp" and row.port in self._listening:
                name = _name("tcp", row.port)
                more = host_needs.client("tcp", row.peer, row.local, ports, name, where or None)
            else:
                name = f"{row.peer}, {row.kind.upper()} port {row.peer_port}"
                kind: host_needs.Transport = "tcp" if row.kind == "tcp" else "udp"
                more = host_needs.server(kind, row.peer, row.local, ports, name, where or None)
            found.update(dict.fromkeys(more))
        return list(found)

    def _protocols(self) -> list[Need]:
        found: list[Need] = []
        for row in self._rows:
            if row.kind == "raw" and row.port not in _JUDGED_ELSEWHERE:
                name = _PROTOCOLS.get(row.port, f"protocol {row.port}")
                found += host_needs.protocol(row.port, name, (row.local.version,))
        for link in links():
            if link.up and link.kind in _TUNNELS:
                number = _TUNNELS[link.kind]
                found += host_needs.protocol(number, f"{_PROTOCOLS[number]} ({link.name})", (4,))
        groups = {iface for iface, group in joined_groups() if group not in _NEVER_PRUNED}
        for iface in sorted(groups - {"lo"}):
            words = "IGMP, without which snooping switches forget this host's groups"
            found += host_needs.protocol(2, words, (4,), self._at(iface))
        return found

    # -- where -----------------------------------------------------------------------------------
    def _at(self, iface: str) -> frozenset[str]:
        return frozenset(self._below.get(iface, {iface}))

    def _of(self, local: Address) -> host_needs.Ifaces:
        """Where packets to an address of this host come in; None where that is anywhere."""
        names = [one.iface for one in self._addresses if one.address == local]
        return frozenset().union(*map(self._at, names)) if names else None

    def _is_group(self, local: Address) -> bool:
        """Whether an address to which a socket is bound is of many hosts: multicast, or broadcast."""
        return (
            local.is_multicast
            or int(local) == 0xFFFFFFFF
            or any(
                one.length < 31 and ip_interface(f"{one.address}/{one.length}").network[-1] == local
                for one in self._addresses
                if one.address.version == local.version == 4
            )
        )

    def _with(self, wanted: Callable[[Address], bool]) -> frozenset[str]:
        names = {one.iface for one in self._addresses if wanted(one.address)}
        return frozenset().union(*map(self._at, names))

    def _way(self, peer: Address) -> tuple[frozenset[str] | None, Address | None]:
        """The interfaces by which packets go to a peer, empty for any, None where none do."""
        if peer.is_link_local or peer.is_multicast:
            return frozenset(), None
        route = self._routes.get(peer)
        return (None, None) if route is None else (self._at(route.iface), route.source)


def _is_four(address: Address) -> bool:
    return address.version == 4


def _is_six(address: Address) -> bool:
    return address.version == 6


def _has_peer(row: SocketRow) -> bool:
    return row.peer_port != 0


def _name(kind: str, port: int) -> str:
    number = f"{kind.upper()} port {port}"
    known = _NAMES.get((kind, port))
    return f"{known} ({number})" if known else number


def _resolvers() -> list[Address]:
    """Those that are asked, in their order; loopback ones aside."""
    found: dict[Address, None] = {}
    for path in RESOLV_CONF:
        listed: list[Address] = []
        with suppress(OSError):
            for line in path.read_text("utf-8", "replace").splitlines():
                words = line.split()
                if len(words) > 1 and words[0] == "nameserver":
                    with suppress(ValueError):
                        listed.append(ip_address(words[1].partition("%")[0]))
        found |= dict.fromkeys(one for one in listed[:_RESOLVERS] if not one.is_loopback)
        if listed and not any(one.is_loopback for one in listed):
            break
    return list(found)


def _handed_out() -> tuple[int, int]:
    """First and last port that the kernel hands out; its own default where it does not say."""
    try:
        low, high = _HANDED_OUT.read_text("ascii").split()
    except OSError:
        return 32768, 60999
    return int(low), int(high)
