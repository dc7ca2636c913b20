"""All frames of one kind as a product of fields, and which rules meet in it. Pure.

A rule is a box: some values of each field. What no frame can be is a box too, that of a pseudo rule: a
TCP packet of 20 bytes, an IPv6 packet whose upper protocol is an extension header.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Literal

import numpy as np

from xdpwall.rule.match import VLAN_NONE, Match
from xdpwall.values.addresses import Prefix
from xdpwall.values.arrays import Array
from xdpwall.values.ranges import Ranges

from .dimension import Dimension, Spans, intersect, runs_of
from .interface_kinds import InterfaceKind, interface_kinds
from .members import Members
from .states import impossible_states

Kind = Literal["ipv4", "ipv6", "other"]
KINDS: tuple[Kind, ...] = ("ipv4", "ipv6", "other")
"""Packets of the two families, and frames that are not IP."""

UNTAGGED = 4096
"""The value of `vlan` for a frame without a tag."""
FRAGMENTS = ("none", "first", "later")
"""The values of `fragment`."""

MOST_RUNS = 1000
"""Of neighbouring addresses in a set, up to which its contents are taken into account."""

_FRAGMENTS: dict[str, Spans] = {
    "none": ((0, 0),),
    "any": ((1, 2),),
    "first": ((1, 1),),
    "later": ((2, 2),),
}
_HEADERS = {6: 20, 17: 8, 132: 12, 1: 8, 58: 8}
"""Bytes of a whole header of the upper layer, by protocol."""
_EXTENSIONS: Spans = ((0, 0), (43, 44), (51, 51), (60, 60), (135, 135), (139, 140))
"""IPv6 next headers that are no upper protocol (IANA, "IPv6 Extension Header Types")."""
_TAGS_AND_IP: Spans = tuple((n, n) for n in (0x0800, 0x8100, 0x86DD, 0x88A8, 0x9100))
_SIZES = {
    "direction": 2,
    "vlan": UNTAGGED + 1,
    "ethertype": 1 << 16,
    "proto": 256,
    "flags": 256,
    "icmp": 1 << 16,
    "fragment": 3,
    "state": 5,
    "sport": 1 << 16,
    "dport": 1 << 16,
    "length": 40 + (1 << 16),
    "ttl": 256,
}
_USUAL = {
    "vlan": UNTAGGED,
    "ethertype": 0x88B5,  # local experimental (IEEE 802)
    "proto": 6,
    "flags": 2,
    "icmp": 8 << 8,
    "sport": 40000,
    "dport": 9,
    "length": 100,
    "ttl": 64,
}
_USUAL_ADDRESS: dict[str, int] = {
    "ipv4": 198 << 24 | 51 << 16 | 100 << 8 | 1,
    "ipv6": 0x20010DB8 << 96 | 1,
}
"""Of the blocks for documentation (RFC 5737, RFC 3849)."""

_WHOLE_ICMPV6: dict[str, Spans] = {"proto": ((58, 58),), "fragment": ((0, 0),)}
DISCOVERY: tuple[dict[str, Spans], ...] = (
    _WHOLE_ICMPV6 | {"icmp": ((133 << 8, 137 << 8 | 255),), "ttl": ((255, 255),)},
    _WHOLE_ICMPV6
    | {"icmp": ((130 << 8, 132 << 8 | 255), (143 << 8, 143 << 8 | 255)), "ttl": ((1, 1),)},
)
"""Neighbour discovery and multicast listener discovery, which a drop policy may spare."""


class Space:
    """The frames of one kind. Rules are numbered as in `matches`, the pseudo rules after them."""

    def __init__(self, kind: Kind, matches: Sequence[Match], members: Members) -> None:
        self.kind = kind
        self.interfaces = interface_kinds(match.iface[1] for match in matches if match.iface)
        """By value of `iface`; the last one is what no rule means."""
        self.here = [_is_about(match, kind) for match in matches]
        """By rule: whether it is about frames of this kind."""
        boxes = [
            _box(match, kind, self.interfaces) if here else {}
            for match, here in zip(matches, self.here, strict=True)
        ]
        pseudo = _impossible(kind)
        named = dict.fromkeys(name for box in boxes for name in box)
        if kind != "other" and "state" in named:
            pseudo += impossible_states(kind, fragments="fragment" in named)
        if kind != "other":
            pseudo += _members_apart([name for name in named if "@" in name], kind, members)
        self.impossible = sum(1 << len(boxes) + n for n in range(len(pseudo)))
        """The bits of the pseudo rules."""
        self.present = sum(1 << n for n, here in enumerate(self.here) if here) | self.impossible
        """The bits of the rules that are about frames of this kind, and of the pseudo rules."""
        self.named = frozenset(name for box in boxes for name in box)
        """The fields that some rule names."""
        self.usual_address = _USUAL_ADDRESS.get(kind, 0)
        boxes += pseudo
        fields = dict.fromkeys(name for box in boxes for name in box)
        self.dimensions = [
            Dimension(
                name,
                self._size(name, members),
                [box.get(name) for box in boxes],
                usual=self.usual_address if name in ("src", "dst") else _USUAL.get(name, 0),
            )
            for name in fields
        ]

    def _size(self, name: str, members: Members) -> int:
        if name == "iface":
            return len(self.interfaces)
        if name in ("src", "dst"):
            return 1 << (32 if self.kind == "ipv4" else 128)
        if "@" in name:  # an address is in the set (value 1) or not
            return 1 + members.any_of(name.partition("@")[2], 4 if self.kind == "ipv4" else 6)
        return _SIZES[name]

    def box(self, rule: int) -> list[Spans]:
        """The classes that a rule accepts, by dimension."""
        return [dimension.accepted(rule) for dimension in self.dimensions]

    def limited(self, box: Sequence[Spans], values: Mapping[str, Spans]) -> list[Spans]:
        """The part of a box with these values, of fields that some rule names."""
        return [
            intersect(spans, dimension.classes(values[dimension.name]))
            if dimension.name in values
            else spans
            for dimension, spans in zip(self.dimensions, box, strict=True)
        ]

    @cached_property
    def overlapping(self) -> Array:
        """(rules and pseudo rules, words) u64: bit j of row i is set where some frame is in both."""
        return self._combined([d.overlapping() for d in self.dimensions])

    @cached_property
    def covering(self) -> Array:
        """(rules and pseudo rules, words) u64: bit j of row i is set where rule j has all frames of i."""
        return self._combined([d.covering() for d in self.dimensions])

    def _combined(self, tables: list[Array]) -> Array:
        found: Array = tables[0][self.dimensions[0].kind_of]
        for dimension, table in zip(self.dimensions[1:], tables[1:], strict=True):
            found &= table[dimension.kind_of]
        present = self.present.to_bytes(found.shape[1] * 8, "little")
        found &= np.frombuffer(present, "<u8")
        return found


def _is_about(match: Match, kind: Kind) -> bool:
    if match.ethertype is not None and match.ethertype != "any":
        return kind == "other"
    if kind == "other":
        return match.ethertype == "any"
    return match.family in (None, 4 if kind == "ipv4" else 6)


def _box(match: Match, kind: Kind, interfaces: Sequence[InterfaceKind]) -> dict[str, Spans]:
    """The values that a rule accepts, of the fields that it names. All other fields take any."""
    box: dict[str, Spans] = {}
    if match.iface is not None:
        negated, selector = match.iface
        box["iface"] = runs_of(
            [n for n, one in enumerate(interfaces) if one.is_meant(selector) != negated]
        )
    if match.egress is not None:
        box["direction"] = ((int(match.egress), int(match.egress)),)
    if match.vlan is not None:
        negated, number = match.vlan
        at = UNTAGGED if number == VLAN_NONE else number
        box["vlan"] = _complement(((at, at),), UNTAGGED) if negated else ((at, at),)
    if kind == "other":
        if isinstance(match.ethertype, int):
            box["ethertype"] = ((match.ethertype, match.ethertype),)
        return box
    if match.proto is not None:
        box["proto"] = ((match.proto, match.proto),)
    for name, prefix, members in (
        ("src", match.src, match.src_set),
        ("dst", match.dst, match.dst_set),
    ):
        if prefix is not None:
            box[name] = _addresses(*prefix)
        if members is not None:
            negated, held = members
            box[f"{name}@{held}"] = ((0, 0),) if negated else ((1, 1),)
    for name, ports in (("sport", match.sport), ("dport", match.dport)):
        if ports is not None:
            box[name] = _ports(*ports)
    if match.icmp_type is not None:
        code = match.icmp_code
        first = match.icmp_type << 8
        box["icmp"] = ((first, first | 0xFF),) if code is None else ((first | code, first | code),)
    if match.tcp_flags is not None:
        want, mask = match.tcp_flags
        box["flags"] = runs_of([flags for flags in range(256) if flags & mask == want])
    if match.state is not None:
        box["state"] = runs_of([n for n in range(_SIZES["state"]) if match.state >> n & 1])
    if match.fragment is not None:
        box["fragment"] = _FRAGMENTS[match.fragment]
    for name, span in (("length", match.length), ("ttl", match.ttl)):
        if span is not None:
            first, last = span
            box[name] = ((first, min(last, _SIZES[name] - 1)),)
    return box


def _impossible(kind: Kind) -> list[dict[str, Spans]]:
    """Boxes in which no frame is that can be read whole."""
    if kind == "other":
        return [{"ethertype": _TAGS_AND_IP}]
    header = 20 if kind == "ipv4" else 40
    boxes: list[dict[str, Spans]] = [{"length": ((0, header - 1),)}]
    for proto, size in _HEADERS.items():
        boxes.append({"proto": ((proto, proto),), "length": ((0, header + size - 1),)})
    if kind == "ipv4":
        boxes.append({"length": ((1 << 16, _SIZES["length"] - 1),)})
    else:
        boxes.append({"proto": _EXTENSIONS})
    return boxes


def _members_apart(fields: Sequence[str], kind: Kind, members: Members) -> list[dict[str, Spans]]:
    """For each use of a set, `src@name`: an address of it that is not in it, and the reverse. Of sets
    with many entries nothing is said: any address may be in them or not."""
    family: Literal[4, 6] = 4 if kind == "ipv4" else 6
    boxes: list[dict[str, Spans]] = []
    for field in fields:
        side, _, name = field.partition("@")
        runs = members.runs(name, family)
        if runs is not None and len(runs) <= MOST_RUNS:
            boxes.append({side: runs, field: ((0, 0),)})
            others = _complement(runs, (1 << (32 if family == 4 else 128)) - 1)
            boxes.append({side: others, field: ((1, 1),)})
    return boxes


def _addresses(negated: bool, prefix: Prefix) -> Spans:
    bits = 32 if prefix.family == 4 else 128
    span = (prefix.address, prefix.address | (1 << bits - prefix.length) - 1)
    return _complement((span,), (1 << bits) - 1) if negated else (span,)


def _ports(negated: bool, ranges: Ranges) -> Spans:
    spans = tuple(sorted(ranges))
    return _complement(spans, 0xFFFF) if negated else spans


def _complement(spans: Spans, last: int) -> Spans:
    """All values from 0 to `last` but these."""
    found, at = [], 0
    for first, end in spans:
        if first > at:
            found.append((at, first - 1))
        at = end + 1
    if at <= last:
        found.append((at, last))
    return tuple(found)
