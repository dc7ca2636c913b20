"""Packets in the words of rules: for a service here, for a peer elsewhere, for a protocol. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address
from typing import Literal

from xdpwall.rule.known_packet import KnownPacket
from xdpwall.values.protocols import ICMP_TYPES, PROTOCOLS

from .drop_advice import FlowPart, Need

Address = IPv4Address | IPv6Address
Transport = Literal["tcp", "udp"]
Ifaces = frozenset[str] | None

_SYN, _ACK = 0x02, 0x10
_ARP = 0x0806
PINGS = "limit 20/s"
"""More than monitoring sends, and less than a flood."""
A_CLIENTS_PORT = 50_000
"""One of the ports that kernels hand out (RFC 6335: 49152 to 65535)."""


def service(
    kind: Transport,
    port: int,
    name: str,
    *,
    local: Address | None = None,
    families: tuple[int, ...] = (4, 6),
    peer_port: int = A_CLIENTS_PORT,
    ifaces: Ifaces = None,
    group: bool = False,
) -> list[Need]:
    """What comes to a port of this host from anybody's `peer_port`, and its answers. `group`: `local` is of
    many hosts, multicast or broadcast, so that nothing is sent from it."""
    to = f" to {local}" if local else ""
    source = f" from {local}" if local and not group else ""
    arriving = [
        KnownPacket(False, family=f, proto=PROTOCOLS[kind], dst=local, sport=peer_port, dport=port)
        for f in ([local.version] if local else families)
    ]
    leaving = [(one._replace(dst=None) if group else one).answer() for one in arriving]
    acked = " flags ack" if kind == "tcp" else ""
    return [
        Need(
            f"what comes to {name}",
            f"accept {kind}/{port}{to} in",
            _segments(kind, arriving, _SYN, _ACK),
            ifaces,
            any_peer=True,
        ),
        Need(
            f"what {name} answers",
            f"accept {kind}{source} sport {port} out{acked}",
            _segments(kind, leaving, _SYN | _ACK, _ACK),
            ifaces,
            any_peer=True,
            # Answers to forged questions would make flows. (TCP's make none: they are not new.)
            flow="serves" if kind == "udp" else None,
        ),
    ]


def client(
    kind: Transport,
    peer: Address,
    local: Address,
    ports: tuple[int, int],
    name: str,
    ifaces: Ifaces,
) -> list[Need]:
    """One that is connected to a port of this host. `ports`: the peer's, this host's."""
    port = ports[1]
    arriving = KnownPacket(False, None, peer.version, PROTOCOLS[kind], peer, local, *ports)
    acked = " flags ack" if kind == "tcp" else ""
    all_in, all_out = service(kind, port, name, families=(peer.version,))
    return [
        Need(
            f"{peer}, which is connected to {name}",
            f"accept {kind}/{port} from {peer} in",
            _segments(kind, [arriving], _ACK),
            ifaces,
            wider=replace(all_in, any_peer=False, flow="connected"),
            flow="connected",
        ),
        Need(
            f"answers of {name} to {peer}, which is connected",
            f"accept {kind} to {peer} sport {port} out{acked}",
            _segments(kind, [arriving.answer()], _ACK),
            ifaces,
            wider=replace(all_out, any_peer=False, flow="connected"),
            flow="connected",
        ),
    ]


def server(
    kind: Transport,
    peer: Address,
    local: Address | None,
    ports: tuple[int, int],
    name: str,
    ifaces: Ifaces,
    *,
    single: bool = False,
) -> list[Need]:
    """One elsewhere that this host asks. `ports`: the peer's, this host's.

    `single`: one rule for it even where there are many.
    """
    port = ports[0]
    arriving = KnownPacket(False, None, peer.version, PROTOCOLS[kind], peer, local, *ports)
    acked = " flags ack" if kind == "tcp" else ""
    back = _segments(kind, [arriving], _SYN | _ACK, _ACK)
    away = _segments(kind, [arriving.answer()], _SYN, _ACK)
    asks = Need(
        f"packets to {name}", f"accept {kind}/{port} to {peer} out", away, ifaces, flow="asks"
    )
    answers = Need(
        f"answers from {name}",
        f"accept {kind} from {peer} sport {port} in{acked}",
        back,
        ifaces,
        flow="answer",
        asks=asks,
    )
    if single:
        return [answers, asks]
    many = f"{kind.upper()} port {port} of several hosts"
    all_asks = Need(f"packets to {many}", f"accept {kind}/{port} out", _anyone(away), flow="asks")
    all_answers = Need(
        f"answers from {many}",
        f"accept {kind} sport {port} in{acked}",
        _anyone(back),
        flow="answer",
        asks=all_asks,
    )
    return [replace(answers, wider=all_answers), replace(asks, wider=all_asks)]


def protocol(number: int, name: str, families: Iterable[int], ifaces: Ifaces = None) -> list[Need]:
    """A protocol without ports, both ways."""
    found = []
    for egress, words, way in ((False, "what comes by", "in"), (True, "what is sent by", "out")):
        packets = tuple(KnownPacket(egress, family=f, proto=number) for f in families)
        sentence = f"accept proto {number} {way}"
        found.append(Need(f"{words} {name}", sentence, packets, ifaces, any_peer=True))
    return found


def icmp(
    kind: Literal["icmp", "icmpv6"],
    type_name: str,
    words: str,
    ifaces: Ifaces,
    *,
    egress: bool = False,
    code: int | None = None,
    any_peer: bool = True,
    error: bool = False,
) -> Need:
    """One type of ICMP, one way. `error`: about packets of flows, by which it is known."""
    packet = KnownPacket(
        egress,
        family=4 if kind == "icmp" else 6,
        proto=PROTOCOLS[kind],
        icmp_type=ICMP_TYPES[kind][type_name],
        icmp_code=code,
    )
    sentence = f"accept {kind}/{type_name} {'out' if egress else 'in'}"
    flow: FlowPart = "error" if error else None
    return Need(words, sentence, (packet,), ifaces, any_peer=any_peer, flow=flow)


def pings(kind: Literal["icmp", "icmpv6"], words: str, ifaces: Ifaces) -> list[Need]:
    """Echo requests to this host, no more than it takes to be found alive, and its answers."""
    asks = icmp(kind, "echo-request", f"pings of {words}", ifaces)
    return [
        replace(asks, sentence=f"{asks.sentence} {PINGS}"),
        icmp(kind, "echo-reply", f"answers to pings of {words}", ifaces, egress=True),
    ]


def arp(ifaces: Ifaces) -> list[Need]:
    """IPv4's neighbour discovery; one rule for both ways."""
    return [
        Need(
            "ARP, without which IPv4 has no neighbours",
            "accept ethertype arp",
            (KnownPacket(egress, ethertype=_ARP),),
            ifaces,
        )
        for egress in (False, True)
    ]


def loopback() -> list[Need]:
    """What this host says to itself."""
    return [
        Need(
            "what this host says to itself",
            f"accept on lo {way}",
            tuple(KnownPacket(egress, family=f) for f in (4, 6)),
            frozenset({"lo"}),
        )
        for egress, way in ((False, "in"), (True, "out"))
    ]


def _segments(
    kind: Transport, packets: Iterable[KnownPacket], *flags: int
) -> tuple[KnownPacket, ...]:
    if kind == "udp":
        return tuple(packets)
    return tuple(one._replace(tcp_flags=bits) for one in packets for bits in flags)


def _anyone(packets: tuple[KnownPacket, ...]) -> tuple[KnownPacket, ...]:
    return tuple(
        one._replace(dst=None, sport=None) if one.egress else one._replace(src=None, dport=None)
        for one in packets
    )
