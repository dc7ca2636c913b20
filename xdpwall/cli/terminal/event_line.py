"""A packet event as one line."""

from __future__ import annotations

from xdpwall.views.events import PacketEvent

from .packet_line import packet_words
from .text import escape_controls


def event_words(event: PacketEvent) -> str:
    """`eth0 xdp r2  tcp 192.0.2.1:5555 > 198.51.100.2:22 syn length 60 ttl 64`"""
    by = event.rule or "policy"
    if event.log and event.log != event.rule:
        by += f" (log of {event.log})"
    other = [f"{event.src_mac or '?'} > {event.dst_mac or '?'}", f"{event.bytes} bytes"]
    where = event.iface if event.behind is None else f"{event.iface} ({event.behind})"
    words = [f"{where} {event.place or '-'} {by} ", *packet_words(event, other)]
    if event.packets > 1:
        words.append(f"({event.packets} packets in one)")
    if event.answered:
        words.append("answered")
    if event.malformed:
        words.append("malformed")
    return escape_controls(" ".join(words))
