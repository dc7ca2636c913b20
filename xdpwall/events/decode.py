"""Decode the records of the ring buffer into events. Pure.

A record is abi.EVENT: the packet as the classifier saw it, then the frame's first bytes.
"""

from __future__ import annotations

import builtins
import struct
from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address
from typing import Any, Literal, NamedTuple

from xdpwall import abi
from xdpwall.rule.states import STATES
from xdpwall.values.protocols import ICMP_TYPE_NAMES, PROTOCOL_NAMES, flag_names
from xdpwall.values.terms import Place
from xdpwall.values.times import epoch_ns_text
from xdpwall.views.events import PacketEvent

HEAD = struct.Struct("<QQ7I16s16s8H7B5x")
"""Everything in front of the frame's bytes."""

_IP4, _IP6 = 0, 1
_ETHER = 2
_OPAQUE = 4
_PORTS_READ = 1
_DROP, _ANSWERED = 1, 8
_TAGS = (b"\x81\x00", b"\x88\xa8", b"\x91\x00")
_HEADER = 14
_FRAGMENTS: tuple[Literal["first", "later"] | None, ...] = (None, "first", "later", None)


class PacketRecord(NamedTuple):
    """struct xw_event without its padding and the frame's bytes."""

    time: int
    revision: int
    number: int
    slot: int
    log: int
    packets: int
    bytes: int
    length: int
    icmp: int
    src: builtins.bytes
    dst: builtins.bytes
    sport: int
    dport: int
    proto: int
    flags: int
    ttl: int
    vlan: int
    ethertype: int
    captured: int
    kind: int
    fragment: int
    ports: int
    addresses_hidden: int
    malformed: int
    decision: int
    state: int


UNKNOWN = "?"
"""The id of a rule that is no longer known; None would mean that no rule decided."""

AttachmentName = tuple[str, Place | None]
"""An interface's name, and the place of the attachment on it."""


class Decoder:
    """Decodes and counts the records of one reader."""

    def __init__(
        self, where: Callable[[int], AttachmentName], rule: Callable[[int, int], str | None]
    ) -> None:
        """`where(number)` of an attachment; `rule(slot, revision)` is a rule's id."""
        self._attachment_of = where
        self._rule_of = rule
        self._count = 0

    def decode(self, record: bytes, boot: int) -> PacketEvent:
        """One record; `boot` is the time of boot, in ns since 1970."""
        self._count += 1
        r = PacketRecord._make(HEAD.unpack_from(record))
        data = record[HEAD.size : HEAD.size + r.captured]
        iface, place = self._attachment_of(r.number)
        found: dict[str, Any] = {
            "n": self._count,
            "time": epoch_ns_text(boot + r.time),
            "iface": iface,
            "place": place,
            "direction": place and ("egress" if place == "tc-egress" else "ingress"),
            "verdict": "drop" if r.decision & _DROP else "pass",
            "rule": self._name(r.slot, r.revision),
            "log": self._name(r.log, r.revision),
            "revision": r.revision,
            "answered": True if r.decision & _ANSWERED else None,
            "packets": r.packets,
            "bytes": r.bytes,
            "malformed": bool(r.malformed),
            **_ethernet(data, r.vlan),
        }
        if r.kind != _OPAQUE and r.ethertype >= 0x0600:
            found["ethertype"] = "arp" if r.ethertype == 0x0806 else f"0x{r.ethertype:04x}"
        if r.kind in (_IP4, _IP6):
            found |= _layers(r)
            found |= {
                "length": _unless(r.length, abi.LENGTH_HIDDEN),
                "ttl": _unless(r.ttl, abi.BYTE_HIDDEN),
                "fragment": _FRAGMENTS[r.fragment & 3],
            }
            if 0 < r.state <= len(STATES):
                found["state"] = STATES[r.state - 1]
            if not r.addresses_hidden:
                found |= {"src": _address(r.kind, r.src), "dst": _address(r.kind, r.dst)}
            if r.ports == _PORTS_READ:
                found |= {"sport": r.sport, "dport": r.dport}
        return PacketEvent.model_construct(**found)

    def _name(self, slot: int, revision: int) -> str | None:
        return (self._rule_of(slot - 1, revision) or UNKNOWN) if slot else None


def _ethernet(data: bytes, vlan: int) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if len(data) >= _HEADER:
        found = {"dst_mac": data[:6].hex(":"), "src_mac": data[6:12].hex(":")}
        if len(data) > _HEADER:
            found["data"] = data.hex()
    if vlan < abi.VLAN_NONE:
        found["vlan"] = vlan
        # The driver may have taken off more than one tag; `vlan` is the outer one.
        found["stripped"] = data[12:14] not in _TAGS or (
            len(data) >= 16 and int.from_bytes(data[14:16]) & 0xFFF != vlan
        )
    return found


def _layers(r: PacketRecord) -> dict[str, Any]:
    found: dict[str, Any] = {"family": "ipv6" if r.kind == _IP6 else "ipv4"}
    if r.proto == abi.BYTE_HIDDEN:
        return found
    found["proto"] = name = PROTOCOL_NAMES.get(r.proto, r.proto)
    if name == "tcp" and r.flags != abi.BYTE_HIDDEN:
        found["tcp_flags"] = flag_names(r.flags)
    if name == ("icmpv6" if r.kind == _IP6 else "icmp") and r.icmp != abi.ICMP_HIDDEN:
        kind = r.icmp >> 8
        found["icmp_type"] = ICMP_TYPE_NAMES[name].get(kind, kind)
        found["icmp_code"] = r.icmp & 0xFF
    return found


def _address(kind: int, raw: bytes) -> str:
    return str(IPv6Address(raw)) if kind == _IP6 else str(IPv4Address(raw[:4]))


def _unless(value: int, hidden: int) -> int | None:
    return None if value == hidden else value
