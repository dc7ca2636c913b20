"""The connections that a drop rule would cut off: open SSH sessions, and the browser that asks.

A warning before the act, not a proof: it knows port 22 and what /proc/net tells, and says nothing
of rules about sets, flags, lengths and the like, which drop some of a session's packets or none.
"""

from __future__ import annotations

import fcntl
import socket
import struct
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path

from xdpwall.rule.match import Match, match_of
from xdpwall.rule.rule import Rule
from xdpwall.values.addresses import Prefix
from xdpwall.values.ranges import Ranges

Address = IPv4Address | IPv6Address

SSH = 22
PROC_NET = Path("/proc/net")
LOOPBACK = "lo"
EVERY_PACKET = "every packet that it covers, an SSH session among them"

_TCP = 6
_ESTABLISHED = "01"
_SIOCGIFADDR = 0x8915


@dataclass(frozen=True, slots=True)
class TcpSession:
    """One TCP connection to this host; `iface` None where it is not known."""

    who: str
    peer: Address
    port: int
    local: Address
    local_port: int
    iface: str | None

    @property
    def family(self) -> int:
        """4 or 6."""
        return self.peer.version


def cut_off(
    rule: Rule, sessions: Iterable[TcpSession], attached: Callable[[], Collection[str]]
) -> list[str]:
    """Name, in words, the sessions that the rule would drop.

    `attached` tells the interfaces that packets are judged on; what comes over loopback is not
    dropped before that is one of them.
    """
    if rule.action != "drop" or not rule.enabled:
        return []
    match = match_of(rule)
    if match._replace(iface=None, egress=None, family=None) == Match():
        return [EVERY_PACKET]
    lost = [one for one in sessions if _covers(match, one)]
    if any(one.iface == LOOPBACK for one in lost) and LOOPBACK not in attached():
        lost = [one for one in lost if one.iface != LOOPBACK]
    return list(dict.fromkeys(one.who for one in lost))


def ssh_sessions(net: Path = PROC_NET) -> list[TcpSession]:
    """The SSH connections that are established now; empty where /proc/net cannot be read."""
    found = []
    for name in ("tcp", "tcp6"):
        with suppress(OSError):
            found += list(_read((net / name).read_text("ascii")))
    names = _interfaces() if found else {}
    return [
        TcpSession(
            f"the SSH session from {peer}", peer, port, local, SSH, interface_of(local, names)
        )
        for peer, port, local in found
    ]


def browser_connection(
    client: tuple[str, int] | None, server: tuple[str, int | None] | None
) -> list[TcpSession]:
    """The connection by which a request came; none for the unix socket."""
    if client is None or server is None or server[1] is None:
        return []
    peer, local = ip_address(client[0]), ip_address(server[0])
    who = f"this browser, at {peer}"
    return [TcpSession(who, peer, client[1], local, server[1], interface_of(local, {}))]


def interface_of(local: Address, names: dict[Address, str]) -> str | None:
    """The interface that has a local address; None where it is not known."""
    return LOOPBACK if local.is_loopback else names.get(local)


def _read(table: str) -> Iterator[tuple[Address, int, Address]]:
    for line in table.splitlines()[1:]:
        _, local, peer, state, *_ = line.split()
        if state == _ESTABLISHED and int(local.partition(":")[2], 16) == SSH:
            yield _address(peer), int(peer.partition(":")[2], 16), _address(local)


def _address(text: str) -> Address:
    """From 32-bit words in the host's order, as /proc/net prints them."""
    digits = text.partition(":")[0]
    words = [int(digits[i : i + 8], 16) for i in range(0, len(digits), 8)]
    address = ip_address(struct.pack(f"={len(words)}I", *words))
    return getattr(address, "ipv4_mapped", None) or address


def _interfaces() -> dict[Address, str]:
    """First IPv4 and every IPv6 address of each interface."""
    found: dict[Address, str] = {}
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asker:
        for _, name in socket.if_nameindex():
            with suppress(OSError):  # it has none
                answer = fcntl.ioctl(asker, _SIOCGIFADDR, struct.pack("256s", name.encode()))
                found[ip_address(answer[20:24])] = name
    with suppress(OSError):
        for line in (PROC_NET / "if_inet6").read_text("ascii").splitlines():
            digits, *_, name = line.split()
            found[ip_address(bytes.fromhex(digits))] = name
    return found


def _covers(match: Match, one: TcpSession) -> bool:
    """Whether the rule drops the session's packets, in or out."""
    partly = (match.ethertype, match.src_set, match.dst_set, match.tcp_flags, match.vlan)
    rarely = (match.length, match.ttl, match.fragment, match.icmp_type, match.icmp_code)
    if any(field is not None for field in (*partly, *rarely)):
        return False
    if match.proto not in (None, _TCP) or match.family not in (None, one.family):
        return False
    if match.iface is not None and not _passes(match.iface, one.iface):
        return False
    ends = ((one.peer, one.port), (one.local, one.local_port))
    for egress, (source, target) in ((False, ends), (True, ends[::-1])):
        if match.egress in (None, egress) and (
            _inside(match.src, source[0])
            and _inside(match.dst, target[0])
            and _listed(match.sport, source[1])
            and _listed(match.dport, target[1])
        ):
            return True
    return False


def _passes(wanted: tuple[bool, str], iface: str | None) -> bool:
    negated, name = wanted
    return name != LOOPBACK if iface is None else (name == iface) != negated


def _inside(wanted: tuple[bool, Prefix] | None, address: Address) -> bool:
    if wanted is None:
        return True
    negated, prefix = wanted
    if prefix.family != address.version:
        return False
    shift = address.max_prefixlen - prefix.length
    return (int(address) >> shift == prefix.address >> shift) != negated


def _listed(wanted: tuple[bool, Ranges] | None, port: int) -> bool:
    if wanted is None:
        return True
    negated, ranges = wanted
    return any(first <= port <= last for first, last in ranges) != negated
