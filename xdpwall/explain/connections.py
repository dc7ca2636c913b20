"""TCP connections as packets: what each sends and gets, as frames to be run and as fields that are known. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address
from typing import Literal

from xdpwall.rule.known_packet import KnownPacket
from xdpwall.rule.match import match_of
from xdpwall.rule.rule import Rule

from .frame import Frame, build_frame
from .words import ICMP, TCP, AskedPacket

Address = IPv4Address | IPv6Address
Whose = Literal["own", "login", "other"]

SYN, SYN_ACK, ACK, PUSH = 0x02, 0x12, 0x10, 0x18
_ARP = 0x0806
_SOLICITATION, _ADVERTISEMENT = _NEIGHBOR = (135, 136)
"""ICMPv6 neighbor solicitation and advertisement (RFC 4861)."""
_SOLICITED_NODE = int(IPv6Address("ff02::1:ff00:0"))
"""The multicast group of all addresses with the same last 24 bits, where one whose link-layer address is
not known is asked for (RFC 4291, section 2.7.1)."""
_TTL, _NEIGHBOR_TTL = 64, 255
_OVER_IP = {4: 20, 6: 40}
_BARE, _OPENING = 32, 40
"""Bytes of TCP with a timestamp and nothing else, and of one that opens a connection, as Linux sends them."""
FULL = 1500
"""Bytes of a full packet with its IP header."""
_LONGEST = 65535
"""Bytes of segments that are met as one packet (GSO, GRO)."""
_MOST_LENGTHS = 64


@dataclass(frozen=True, slots=True)
class GuardedConnection:
    """One connection of this host."""

    peer: Address
    peer_port: int
    local: Address
    local_port: int
    whose: Whose
    inbound: bool
    """The peer made it: it sends SYN, and could make it again."""
    user: str | None = None
    """Who is logged in from there, where that is known."""
    bound: int = 0
    """The index of the interface that its socket is bound to; 0: none."""
    neighbor: Address | None = None
    """Whose link-layer address its packets need; None: the peer's own."""

    @property
    def words(self) -> str:
        """For a sentence about it."""
        ends = f"from {self.peer} port {self.peer_port} to {self.local} port {self.local_port}"
        if self.whose == "own":
            return f"your own connection {ends}"
        if self.whose == "login":
            who = f"{self.user}, logged in there" if self.user else "who is logged in there"
            return f"the connection {ends} ({who})"
        return ends


def known_packets(connection: GuardedConnection) -> Iterator[KnownPacket]:
    """Its packets in both directions, and those without which it ends within minutes."""
    family = connection.peer.version
    arriving = KnownPacket(
        egress=False,
        family=family,
        proto=TCP,
        src=connection.peer,
        dst=connection.local,
        sport=connection.peer_port,
        dport=connection.local_port,
    )
    sent = [arriving, arriving.answer()]
    yield from sent
    if connection.local.is_loopback or connection.peer == connection.local:
        yield from (one._replace(egress=not one.egress) for one in sent)
    if connection.whose == "other":
        return
    for egress in (False, True):
        if family == 4:
            yield KnownPacket(egress=egress, ethertype=_ARP)
        else:
            for kind in _NEIGHBOR:
                yield KnownPacket(
                    egress=egress, family=6, proto=ICMP[6], icmp_type=kind, icmp_code=0
                )


def packets_of(connection: GuardedConnection, lengths: Sequence[int] = ()) -> list[AskedPacket]:
    """The packets to be run: of a connection of somebody else's an acknowledgement and data; else also
    its opening, data of other `lengths` (of the IP packet), and what finds the neighbour."""
    found = []
    for egress in (False, True):
        opening = (SYN_ACK if egress else SYN) if connection.inbound else None
        flags = [(ACK, _BARE, None), (PUSH, _BARE, FULL)]
        if connection.whose != "other":
            flags += [(PUSH, _BARE, length) for length in lengths]
            flags += [(opening, _OPENING, None)] if opening is not None else []
        found += [_tcp(connection, egress, *one) for one in flags]
        if connection.whose != "other":
            found += _neighbor(connection, egress)
    return found


def _tcp(
    connection: GuardedConnection, egress: bool, flags: int, size: int, length: int | None
) -> AskedPacket:
    family: Literal[4, 6] = 4 if connection.peer.version == 4 else 6
    ends = [
        (int(connection.peer), connection.peer_port),
        (int(connection.local), connection.local_port),
    ]
    (src, sport), (dst, dport) = reversed(ends) if egress else ends
    return AskedPacket(
        direction="egress" if egress else "ingress",
        family=family,
        proto=TCP,
        src=src,
        dst=dst,
        sport=sport,
        dport=dport,
        tcp_flags=flags,
        length=length or _OVER_IP[family] + size,
        ttl=_TTL,
    )


def _neighbor(connection: GuardedConnection, egress: bool) -> list[AskedPacket]:
    direction: Literal["ingress", "egress"] = "egress" if egress else "ingress"
    if connection.peer.version == 4:
        return [AskedPacket(direction=direction, ethertype=_ARP)]
    ends = [int(connection.neighbor or connection.peer), int(connection.local)]
    src, dst = reversed(ends) if egress else ends
    group = _SOLICITED_NODE | dst & 0xFFFFFF
    asked = ((_SOLICITATION, group), (_SOLICITATION, dst), (_ADVERTISEMENT, dst))
    return [
        AskedPacket(
            direction=direction,
            family=6,
            proto=ICMP[6],
            src=src,
            dst=to,
            icmp_type=kind,
            icmp_code=0,
            ttl=_NEIGHBOR_TTL,
        )
        for kind, to in asked
    ]


def lengths_told_apart(rules: Iterable[Rule]) -> list[int]:
    """Lengths of IP packets, one of each kind that rules tell apart, among those that TCP has, its
    segments merged or not."""
    least = _OVER_IP[4] + _BARE
    found: set[int] = set()
    for rule in rules:
        if rule.length is None or not rule.enabled:
            continue
        span = match_of(rule).length
        if span is not None:
            found.update(n for n in (max(span[0], least), span[1] + 1) if least <= n <= _LONGEST)
        if len(found) >= _MOST_LENGTHS:
            break
    return sorted(found)


@lru_cache(maxsize=1 << 12)
def frame_of(packet: AskedPacket, vlan: int | None) -> Frame:
    """The packet's frame, with a tag where `vlan` is one."""
    return build_frame(replace(packet, vlan=vlan))


def is_tcp(packet: AskedPacket) -> bool:
    """Whether it is one of the connection's own."""
    return packet.proto == TCP
