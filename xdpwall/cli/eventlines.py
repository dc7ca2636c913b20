"""One packet as people read it."""

from __future__ import annotations

from ..views_packets import PacketEvent


def words_of(event: PacketEvent) -> str:
    """`eth0 xdp r2  tcp 192.0.2.1:5555 > 198.51.100.2:22 syn length 60 ttl 64`"""
    by = event.rule or "policy"
    if event.log and event.log != event.rule:
        by += f" (log of {event.log})"
    words = [f"{event.iface} {event.place or '-'} {by} ", *_packet(event)]
    if event.vlan is not None:
        words.append(f"vlan {event.vlan}")
    if event.fragment:
        words.append(f"fragment {event.fragment}")
    if event.packets > 1:
        words.append(f"({event.packets} packets in one)")
    if event.malformed:
        words.append("malformed")
    return " ".join(words)


def _packet(event: PacketEvent) -> list[str]:
    if event.family is None:
        kind = f"ethertype {event.ethertype}" if event.ethertype else "not IP"
        return [kind, f"{event.src_mac or '?'} > {event.dst_mac or '?'}", f"{event.bytes} bytes"]
    proto = str(event.proto) if isinstance(event.proto, str) else f"proto {event.proto}"
    if event.proto is None:
        proto = event.family
    if event.icmp_type is not None:
        proto += f"/{event.icmp_type}" + (f"/{event.icmp_code}" if event.icmp_code else "")
    ends = [_end(event.src, event.sport), ">", _end(event.dst, event.dport)]
    flags = [event.tcp_flags] if event.tcp_flags else []
    rest = [("length", event.length), ("ttl", event.ttl)]
    return [proto, *ends, *flags, *(f"{name} {value}" for name, value in rest if value is not None)]


def _end(address: str | None, port: int | None) -> str:
    if address is None:
        return "?"
    if port is None:
        return address
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
