"""A packet's headers as one line like tcpdump's, for events and trace."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xdpwall.rule.states import why_invalid

if TYPE_CHECKING:
    from xdpwall.views.drops import Drop
    from xdpwall.views.events import PacketEvent
    from xdpwall.views.packet import PacketFields


def packet_words(packet: PacketEvent | Drop, other: list[str]) -> list[str]:
    """`tcp 192.0.2.1:5555 > 198.51.100.2:22 syn length 60 ttl 64`; `other` where it is not IP."""
    if packet.family is None:
        kind = f"ethertype {packet.ethertype}" if packet.ethertype else "not IP"
        return [kind, *other, *_end_words(packet)]
    proto = str(packet.proto) if isinstance(packet.proto, str) else f"proto {packet.proto}"
    if packet.proto is None:
        proto = packet.family
    if packet.icmp_type is not None:
        proto += f"/{packet.icmp_type}" + (f"/{packet.icmp_code}" if packet.icmp_code else "")
    ends = [_end(packet.src, packet.sport), ">", _end(packet.dst, packet.dport)]
    flags = [packet.tcp_flags] if packet.tcp_flags else []
    numbers = [("length", packet.length), ("ttl", packet.ttl)]
    rest = [f"{name} {value}" for name, value in numbers if value is not None]
    return [proto, *ends, *flags, *rest, *_end_words(packet)]


def _end_words(packet: PacketFields) -> list[str]:
    words = []
    if packet.vlan is not None:
        words.append(f"vlan {packet.vlan}")
    if packet.fragment:
        words.append(f"fragment {packet.fragment}")
    if packet.state:
        words.append(f"state {packet.state}")
    if packet.state == "invalid":
        one_end = (packet.src, packet.sport) == (packet.dst, packet.dport)
        why = why_invalid(packet.proto, packet.tcp_flags, packet.icmp_type, one_end)
        words.append(f"({why})")
    return words


def _end(address: str | None, port: int | None) -> str:
    if address is None:
        return "?"
    if port is None:
        return address
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
