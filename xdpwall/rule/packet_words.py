"""The words of one packet that follow its protocol and addresses, as a rule's sentence has them. Pure."""

from __future__ import annotations

from typing import Literal, Protocol

from xdpwall.values.protocols import PROTOCOL_NAMES, flag_names
from xdpwall.values.terms import Direction


class PacketInWords(Protocol):
    """What of a packet is said in the same words by whoever says it; a field that it has not is None."""

    @property
    def iface(self) -> str | None: ...
    @property
    def direction(self) -> Direction: ...
    @property
    def vlan(self) -> int | None: ...
    @property
    def tcp_flags(self) -> int | None: ...
    @property
    def length(self) -> int | None: ...
    @property
    def ttl(self) -> int | None: ...
    @property
    def fragment(self) -> Literal["none", "first", "later"]: ...


def words_after_addresses(packet: PacketInWords) -> list[str]:
    """`on eth1 in vlan 5 flags syn length 60 ttl 64 fragment first`, what there is of it."""
    words = [] if packet.iface is None else ["on", packet.iface]
    words.append("in" if packet.direction == "ingress" else "out")
    if packet.vlan is not None:
        words += ["vlan", str(packet.vlan)]
    if packet.tcp_flags is not None:
        words += ["flags", flag_names(packet.tcp_flags) or "none"]
    if packet.length is not None:
        words += ["length", str(packet.length)]
    if packet.ttl is not None:
        words += ["ttl", str(packet.ttl)]
    if packet.fragment != "none":
        words += ["fragment", packet.fragment]
    return words


def ethertype_word(ethertype: int) -> str:
    """`ethertype 0x88cc`; `llc` for what is the length of such a frame."""
    return "llc" if ethertype < 0x600 else f"ethertype 0x{ethertype:04x}"


def protocol_name(proto: int) -> str:
    """`tcp`; `proto 99` for one without a name."""
    return PROTOCOL_NAMES.get(proto, f"proto {proto}")
