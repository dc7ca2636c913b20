"""The composed groups of match fields: what a packet is, where it is, its header.

A composed group has a row for every combination of its fields' classes, and finds one by a sum of
offsets (design: 6 rows to AND, not 13). Each row is described by one packet of its class, so that
what a rule satisfies is asked in one way, for whole rulesets and for one rule that joins.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from xdpwall import abi
from xdpwall.abi import BYTE_HIDDEN, ICMP_HIDDEN, LENGTH_HIDDEN, VLAN_HIDDEN, Feature
from xdpwall.errors import Full
from xdpwall.values.arrays import Array, once

from .columns import ABSENT, FRAGMENTS, Columns
from .generation import NEUTRAL_ROW, Generation, Group, NumberedAttachment

ICMP, TCP, ICMPV6 = 1, 6, 58
OTHER = -2
"""A value that no rule names."""
IP4, IP6, ETHER, LLC, OPAQUE = range(5)
"""enum xw_kind."""
_FAMILY = {IP4: 4, IP6: 6}


def value_classes(low: Array, high: Array, size: int) -> tuple[Array, Array]:
    """Classes of the values 0..size-1 that ranges low..high (ABSENT: none) tell apart.

    Returns each value's class (u16, shape (size,)) and a value of each class. Segments are not
    joined: rules that name the same two ranges are few.
    """
    used = low != ABSENT
    edges = once(np.concatenate([[0], low[used], high[used] + 1]))
    edges = edges[edges < size]
    table = np.zeros(size, dtype="<u2")
    table[edges[1:]] = 1
    return np.cumsum(table, dtype="<u2"), edges


NEUTRAL = (
    "size_row", "sport_row", "sport_hidden", "dport_row", "dport_hidden", "attachment",
    "src_hidden", "dst_hidden", "src6_row", "dst6_row", "src4", "dst4", "src6", "dst6",
    "src_unlisted", "dst_unlisted",
)  # fmt: skip


class UnusedFieldsGroup(Group):
    """Every rule is satisfied by fields that none names: a program may look at them all the same."""

    packed = False

    def __init__(self, generation: Generation, columns: Columns) -> None:
        generation.add_group(self, columns)
        assert self.rows.tolist() == [NEUTRAL_ROW]
        for name in NEUTRAL:
            generation.tables[name] = NEUTRAL_ROW
        for name in ("src", "dst"):
            generation.class_rows[name] = NEUTRAL_ROW

    def satisfied(self, columns: Columns) -> Array:
        return np.ones((1, len(columns)), dtype=bool)

    def admits(self, columns: Columns) -> bool:
        return True


class _Packets(NamedTuple):
    """The packet that describes each row, (k, 1); `hidden` is its protocol, where it has IP."""

    ip: Array
    ether: Array
    opaque: Array
    family: Array
    proto: Array
    hidden: Array
    flags: Array
    icmp: Array
    fragment: Array
    ethertype: Array


class ProtocolGroup(Group):
    """Family, protocol, TCP flags, ICMP type and code, fragment, ethertype."""

    packed = False

    def __init__(self, generation: Generation, columns: Columns) -> None:
        c = columns
        self._kind: list[int] = []
        self._proto: list[int] = []
        self._flags: list[int] = []
        self._icmp: list[int] = []
        self._fragment: list[int] = []
        self._ethertype: list[int] = []
        self._pairs = set(zip(c.flags_want.tolist(), c.flags_mask.tolist(), strict=True))
        self._types = set(
            zip(c.proto.tolist(), c.icmp_first.tolist(), c.icmp_last.tolist(), strict=True)
        )
        self._fragments = bool((c.fragment != 0).any())
        self._named = {
            family: set(c.proto[(c.family == 0) | (c.family == family)].tolist())
            for family in (4, 6)
        }
        first = generation.rows.count
        flags = self._flag_classes(generation, c)
        for kind, table in ((IP4, "proto4"), (IP6, "proto6")):
            generation.tables[table] = first
            self._protocols(generation, c, kind, table, flags, first)
        stride = len(self._kind)
        if self._fragments:
            generation.tables["fragment_stride"] = stride
            for name in ("_kind", "_proto", "_flags", "_icmp", "_ethertype"):
                setattr(self, name, getattr(self, name) * 4)
            self._fragment = [f for f in range(4) for _ in range(stride)]
        self._without_ip(generation, c, first)
        generation.add_group(self, c)

    def _row(self, kind: int, proto: int = OTHER, flags: int = 0, icmp: int = 0,
             ethertype: int = OTHER) -> None:  # fmt: skip
        self._kind.append(kind)
        self._proto.append(proto)
        self._flags.append(flags)
        self._icmp.append(icmp)
        self._fragment.append(0)
        self._ethertype.append(ethertype)

    def _flag_classes(self, generation: Generation, c: Columns) -> list[int]:
        """A flag byte of each class, the hidden one last; one class when no rule names flags."""
        if self._pairs == {(0, ABSENT)} or not len(c):
            return [0]
        pairs = [p for p in self._pairs if p[1] != ABSENT]
        every = np.arange(BYTE_HIDDEN)
        matched = np.stack([(every & mask) == want for want, mask in pairs])
        _, first, table = np.unique(matched, axis=1, return_index=True, return_inverse=True)
        generation.tables["flags"][:BYTE_HIDDEN] = table.ravel()
        generation.tables["flags"][BYTE_HIDDEN] = len(first)
        return [*first.tolist(), BYTE_HIDDEN]

    def _protocols(
        self, generation: Generation, c: Columns, kind: int, table: str, flags: list[int], base: int
    ) -> None:
        offset = generation.tables[table]
        offset[:] = base + len(self._kind)
        self._row(kind)
        named = self._named[_FAMILY[kind]] - {ABSENT}
        if len(flags) > 1:
            named.add(TCP)
        icmp, name = (ICMP, "icmp4") if kind == IP4 else (ICMPV6, "icmp6")
        with_type = (c.proto == icmp) & (c.icmp_first != ABSENT)
        if not with_type.any():
            generation.tables[name] = 0
        for proto in sorted(named):
            offset[proto] = base + len(self._kind)
            if proto == TCP:
                for value in flags:
                    self._row(kind, TCP, flags=value)
            elif proto == icmp and with_type.any():
                low = np.where(with_type, c.icmp_first, ABSENT)
                classes, values = value_classes(low, c.icmp_last, ICMP_HIDDEN)
                generation.tables[name][:ICMP_HIDDEN] = classes
                generation.tables[name][ICMP_HIDDEN] = len(values)
                for value in (*values.tolist(), ICMP_HIDDEN):
                    self._row(kind, icmp, icmp=value)
            else:
                self._row(kind, proto)
        offset[BYTE_HIDDEN] = base + len(self._kind)
        self._row(kind, BYTE_HIDDEN, BYTE_HIDDEN, ICMP_HIDDEN)

    def _without_ip(self, generation: Generation, c: Columns, base: int) -> None:
        """Frames without IP satisfy only rules that name an ethertype."""
        generation.tables["ether_row"] = base + len(self._kind)
        self._row(ETHER)
        for n, ethertype in enumerate(once(c.ethertype[c.ethertype != ABSENT]).tolist(), 1):
            generation.tables["ether"][ethertype] = n
            self._row(ETHER, ethertype=ethertype)
        generation.tables["llc_row"] = base + len(self._kind)
        self._row(LLC)
        # A frame that may or may not be IP: a drop rule matches, whatever it names.
        generation.tables["opaque_row"] = base + len(self._kind)
        self._row(OPAQUE)

    def concerns(self, columns: Columns) -> bool:
        return True  # no rule is about all frames, whatever they are

    def satisfied(self, columns: Columns) -> Array:
        c, named, of = columns, columns.named, self._described
        ip = np.repeat(of.ip, len(c), axis=1)
        if "family" in named:
            ip &= (c.family == 0) | (c.family == of.family)
        if "proto" in named:
            ip &= (c.proto == ABSENT) | (c.proto == of.proto) | (of.hidden & c.drop)
        if "ethertype" in named:
            ip &= (c.ethertype == ABSENT) & ~c.any_frame
        if "tcp_flags" in named:
            ip &= (
                (c.flags_mask == ABSENT)
                | ((of.flags != BYTE_HIDDEN) & ((of.flags & c.flags_mask) == c.flags_want))
                | ((of.flags == BYTE_HIDDEN) & c.drop)
            )
        if "icmp" in named:
            ip &= (
                (c.icmp_first == ABSENT)
                | ((of.icmp != ICMP_HIDDEN) & (c.icmp_first <= of.icmp) & (of.icmp <= c.icmp_last))
                | ((of.icmp == ICMP_HIDDEN) & c.drop)
            )
        if self._fragments:
            ip &= _FRAGMENT_TABLE[of.fragment, c.fragment] | (
                (of.fragment == 3) & (c.drop | (c.fragment == 0))
            )
        answer: Array = ip | (of.opaque & c.drop)
        if "ethertype" in named:
            answer |= (of.ether & (c.ethertype == of.ethertype)) | c.any_frame
        return answer

    @functools.cached_property
    def _described(self) -> _Packets:
        """What satisfied() asks of each row; rows never change."""
        lists = (self._kind, self._proto, self._flags, self._icmp, self._fragment, self._ethertype)
        kind, proto, flags, icmp, fragment, ethertype = (np.array(of)[:, None] for of in lists)
        return _Packets(
            ip=kind <= IP6,
            ether=kind == ETHER,
            opaque=kind == OPAQUE,
            family=np.where(kind == IP4, 4, 6),
            proto=proto,
            hidden=proto == BYTE_HIDDEN,
            flags=flags,
            icmp=icmp,
            fragment=fragment,
            ethertype=ethertype,
        )

    def admits(self, columns: Columns) -> bool:
        # Values one by one: they are of one rule, as a rule.
        c = columns
        families = set(zip(c.values("family"), c.values("proto"), strict=True))
        for family, named in self._named.items():
            for of, proto in families:
                if proto is not None and of in (None, family) and proto not in named:
                    return False
        if not self._fragments and "fragment" in c.named:
            return False
        if not {pair for pair in c.values("tcp_flags") if pair is not None} <= self._pairs:
            return False
        if "icmp" in c.named:
            types = zip(c.proto.tolist(), c.icmp_first.tolist(), c.icmp_last.tolist(), strict=True)
            if not {t for t in types if t[1] != ABSENT} <= self._types:
                return False
        numbers = {value for value in c.values("ethertype") if isinstance(value, int)}
        return numbers <= set(self._ethertype)


def _fragment_table() -> Array:
    """[class of the packet, Match.fragment by code]: is it satisfied?"""
    kinds = {"none": {0}, "any": {1, 2}, "first": {1}, "later": {2}}
    return np.array(
        [[code is None or of in kinds[code] for code in FRAGMENTS] for of in range(3)] + [[0] * 5],
        dtype=bool,
    )


_FRAGMENT_TABLE = _fragment_table()


@dataclass(frozen=True, slots=True)
class _Here:
    """Which rules are about a place, asked once for each different interface."""

    place: NumberedAttachment

    def satisfied(self, columns: Columns) -> Array:
        name = self.place.iface
        answer = columns.different("iface").each(lambda v: (v[1] == name) != v[0], True, bool)
        answer &= (columns.egress == ABSENT) | (columns.egress == self.place.egress)
        return answer


class AttachmentGroup(Group):
    """Interface, direction and VLAN: a run of VLAN classes for each attachment."""

    fields = ("iface", "egress", "vlan")
    packed = False

    def __init__(
        self, generation: Generation, columns: Columns, places: Sequence[NumberedAttachment]
    ) -> None:
        self._places = [_Here(place) for place in places]
        low = columns.vlan
        table, values = value_classes(low, low, abi.VLAN_NONE + 1)
        self._vlans = np.append(values, VLAN_HIDDEN)
        self._known = {ABSENT, *low.tolist()}
        generation.features |= Feature.ATTACHMENT
        generation.tables["attachment"] = 0
        generation.tables["vlan"] = np.append(table, np.uint16(len(values)))
        first = generation.rows.count
        for n, place in enumerate(places):
            generation.tables["attachment"][place.number] = first + n * len(self._vlans)
        generation.add_group(self, columns)

    def satisfied(self, columns: Columns) -> Array:
        c, vlan = columns, self._vlans[:, None]
        on_vlan = (
            (c.vlan == ABSENT)
            | ((vlan != VLAN_HIDDEN) & ((c.vlan == vlan) != (c.vlan_negated != 0)))
            | ((vlan == VLAN_HIDDEN) & c.drop)
        )
        runs = [place.satisfied(c) & on_vlan for place in self._places]
        return np.concatenate(runs) if runs else np.zeros((0, len(c)), dtype=bool)

    def admits(self, columns: Columns) -> bool:
        return set(columns.vlan.tolist()) <= self._known

    @staticmethod
    def wanted(columns: Columns) -> bool:
        """Does any rule name a field of this group?"""
        return not columns.named.isdisjoint(AttachmentGroup.fields)


class SizeGroup(Group):
    """IP length and TTL or hop limit."""

    fields = ("length", "ttl")
    packed = False

    def __init__(self, generation: Generation, columns: Columns) -> None:
        c = columns
        lengths, self._lengths = value_classes(c.length_low, c.length_high, LENGTH_HIDDEN)
        ttls, self._ttls = value_classes(c.ttl_low, c.ttl_high, BYTE_HIDDEN)
        self._lengths = np.append(self._lengths, LENGTH_HIDDEN)
        self._ttls = np.append(self._ttls, BYTE_HIDDEN)
        stride = len(self._ttls)
        if len(self._lengths) * stride > 0xFFFF:
            raise Full(
                f"{len(self._lengths)} different lengths times {stride} different TTLs are too"
                " many",
                code="too-many-combinations",
                hint="at most 65,535 combinations fit; use fewer different values",
            )
        generation.features |= Feature.SIZE
        generation.tables["length"][:LENGTH_HIDDEN] = lengths * np.uint16(stride)
        generation.tables["length"][LENGTH_HIDDEN] = (len(self._lengths) - 1) * stride
        generation.tables["ttl"][:BYTE_HIDDEN] = ttls
        generation.tables["ttl"][BYTE_HIDDEN] = stride - 1
        generation.tables["size_row"] = generation.rows.count
        generation.add_group(self, columns)

    def satisfied(self, columns: Columns) -> Array:
        c = columns
        length = _in_range(self._lengths, LENGTH_HIDDEN, c.length_low, c.length_high, c.drop)
        ttl = _in_range(self._ttls, BYTE_HIDDEN, c.ttl_low, c.ttl_high, c.drop)
        return (length[:, None] & ttl[None]).reshape(-1, len(c))

    def admits(self, columns: Columns) -> bool:
        c = columns
        return _on_edges(self._lengths, LENGTH_HIDDEN, c.length_low, c.length_high) and _on_edges(
            self._ttls, BYTE_HIDDEN, c.ttl_low, c.ttl_high
        )


def _in_range(values: Array, hidden: int, low: Array, high: Array, drop: Array) -> Array:
    value = values[:, None]
    answer: Array = (value != hidden) & (low <= value) & (value <= high)
    answer |= (low == ABSENT) | ((value == hidden) & drop)
    return answer


def _on_edges(values: Array, hidden: int, low: Array, high: Array) -> bool:
    """Do ranges begin and end where classes do? `values` are the first ones of the classes."""
    used = low != ABSENT
    return {*low[used].tolist(), *(high[used] + 1).tolist()} <= {*values.tolist(), hidden}
