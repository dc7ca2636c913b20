"""What is asked to be explained: packets in words, or as bytes."""

from __future__ import annotations

from dataclasses import replace

from xdpwall.rule.iface_selector import parse_iface_name, refuse_pattern
from xdpwall.views.explain import PacketInput

from .explain import Asked
from .frame import Frame, build_frame
from .words import read_packet


def asked_of(packet: PacketInput, only: str | None) -> Asked:
    """Read one packet. `only`: the one interface with attachments, which is assumed where none is
    named."""
    if isinstance(packet, str):
        return _in_words(packet, only)
    if packet.iface is not None:
        refuse_pattern("iface", packet.iface)
        parse_iface_name("iface", packet.iface)
    data = bytes.fromhex(packet.data)
    length = len(data) if packet.length is None else packet.length
    iface = packet.iface or only
    assumed = ["iface"] if packet.iface is None and only is not None else []
    return Asked(Frame(data[:length], length), packet.direction, iface, None, assumed)


def _in_words(text: str, only: str | None) -> Asked:
    packet = read_packet(text)
    assumed = list(packet.assumed)
    iface = packet.iface
    if iface is None and only is not None:
        iface = only
        assumed.append("iface")
    shown = replace(packet, iface=iface)
    return Asked(build_frame(packet), packet.direction, iface, shown.text, assumed)
