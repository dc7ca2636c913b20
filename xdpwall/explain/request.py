"""What is asked to be explained: packets in words, or as bytes."""

from __future__ import annotations

import binascii
from dataclasses import replace

from xdpwall.errors import InvalidInput
from xdpwall.views.explain import PacketInput

from .explain import Asked
from .frame import HEADER, Frame, build_frame
from .words import read_packet


def asked_of(packet: PacketInput, only: str | None) -> Asked:
    """Read one packet. `only`: the one interface with attachments, which is assumed where none is
    named."""
    if isinstance(packet, str):
        return _in_words(packet, only)
    try:
        data = bytes.fromhex(packet.data)
    except (ValueError, binascii.Error) as error:
        raise InvalidInput("data: not hexadecimal", field="data") from error
    if len(data) < HEADER:
        raise InvalidInput(
            f"data: {len(data)} bytes; an Ethernet header alone has {HEADER}", field="data"
        )
    length = len(data) if packet.length is None else packet.length
    if length < len(data):
        raise InvalidInput(
            f"length: {length} is less than the {len(data)} bytes of data", field="length"
        )
    iface = packet.iface or only
    assumed = ["iface"] if packet.iface is None and only is not None else []
    return Asked(Frame(data, length), packet.direction, iface, None, assumed)


def _in_words(text: str, only: str | None) -> Asked:
    packet = read_packet(text)
    assumed = list(packet.assumed)
    iface = packet.iface
    if iface is None and only is not None:
        iface = only
        assumed.append("iface")
    shown = replace(packet, iface=iface)
    return Asked(build_frame(packet), packet.direction, iface, shown.text, assumed)
