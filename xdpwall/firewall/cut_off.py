"""The connections that a drop rule would cut off: open SSH sessions, and the browser that asks.

A warning before the act, not a proof: it knows port 22 and what /proc/net tells, and says nothing
of rules about sets, flags, lengths and the like, which drop some of a session's packets or none.
"""

from __future__ import annotations

import fcntl
import socket
import struct
from collections.abc import Callable, Collection, Iterable
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

from xdpwall.kernel.net.sockets import ESTABLISHED, PROC_NET, sockets
from xdpwall.rule.known_packet import Address, KnownPacket, matches
from xdpwall.rule.match import Match, match_of
from xdpwall.rule.rule import Rule

SSH = 22
LOOPBACK = "lo"
EVERY_PACKET = "every packet that it covers, an SSH session among them"

_TCP = 6
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

    `attached` gives the interfaces with an attachment; a session over loopback is named only when
    `lo` is one of them.
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
    found = [row for row in sockets(("tcp",), net) if row.state == ESTABLISHED and row.port == SSH]
    names = _interfaces() if found else {}
    return [
        TcpSession(
            f"the SSH session from {row.peer}",
            row.peer,
            row.peer_port,
            row.local,
            SSH,
            interface_of(row.local, names),
        )
        for row in found
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
    if match.iface is not None and one.iface is None:
        if match.iface[1] == LOOPBACK:
            return False
        match = match._replace(iface=None)
    arriving = KnownPacket(
        egress=False,
        iface=one.iface,
        family=one.family,
        proto=_TCP,
        src=one.peer,
        dst=one.local,
        sport=one.port,
        dport=one.local_port,
    )
    return any(matches(match, packet) for packet in (arriving, arriving.answer()))
