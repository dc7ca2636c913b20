"""The group of fields that say what a frame carries: family, protocol, flags, types. Pure."""

from __future__ import annotations

import functools
from typing import NamedTuple

import numpy as np

from xdpwall.abi import BYTE_HIDDEN, ICMP_HIDDEN
from xdpwall.values.arrays import Array, sorted_unique

from .columns import ABSENT, FRAGMENTS, Columns
from .generation import Generation, Group
from .value_classes import value_classes

ICMP, TCP, ICMPV6 = 1, 6, 58
OTHER = -2
"""A protocol or ethertype that no rule names."""
IP4, IP6, ETHER, LLC, OPAQUE = range(5)
"""enum xw_kind."""
_FAMILY = {IP4: 4, IP6: 6}


class _Packets(NamedTuple):
    """A packet of each row's class, as columns of shape (k, 1)."""

    ip: Array
    """Whether it is IPv4 or IPv6; `ether` and `opaque` are about enum xw_kind too."""
    ether: Array
    opaque: Array
    family: Array
    proto: Array
    proto_hidden: Array
    """Whether it is IP whose protocol cannot be read."""
    flags: Array
    icmp: Array
    fragment: Array
    ethertype: Array


class ProtocolGroup(Group):
    """Family, protocol, TCP flags, ICMP type and code, fragment, ethertype: a composed group.

    Each row is described by one packet of its class (_Packets), so that satisfied() is the same
    expression for a whole ruleset and for one more rule.
    """

    packed = False

    def __init__(self, generation: Generation, columns: Columns) -> None:
        c = columns
        self._kind: list[int] = []
        self._proto: list[int] = []
        self._flags: list[int] = []
        self._icmp: list[int] = []
        self._fragment: list[int] = []
        self._ethertype: list[int] = []
        self._flag_pairs = set(zip(c.flags_want.tolist(), c.flags_mask.tolist(), strict=True))
        self._icmp_types = set(
            zip(c.proto.tolist(), c.icmp_first.tolist(), c.icmp_last.tolist(), strict=True)
        )
        self._has_fragments = bool((c.fragment != 0).any())
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
        if self._has_fragments:
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
        """Fill the table `flags`; returns a flag byte of each class, BYTE_HIDDEN last, or just 0 when no
        rule names flags."""
        if self._flag_pairs == {(0, ABSENT)} or not len(c):
            return [0]
        pairs = [p for p in self._flag_pairs if p[1] != ABSENT]
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
        """Add the rows of frames without IP, which satisfy only rules that name an ethertype."""
        generation.tables["ether_row"] = base + len(self._kind)
        self._row(ETHER)
        for n, ethertype in enumerate(
            sorted_unique(c.ethertype[c.ethertype != ABSENT]).tolist(), 1
        ):
            generation.tables["ether"][ethertype] = n
            self._row(ETHER, ethertype=ethertype)
        generation.tables["llc_row"] = base + len(self._kind)
        self._row(LLC)
        # The frame may or may not be IP. Rules that drop are satisfied, whatever they name.
        generation.tables["opaque_row"] = base + len(self._kind)
        self._row(OPAQUE)

    def concerns(self, columns: Columns) -> bool:
        return True  # a rule that names no field matches IP alone, and so not every row

    def satisfied(self, columns: Columns) -> Array:
        c, named, packet = columns, columns.named_fields, self._packets
        ip = np.repeat(packet.ip, len(c), axis=1)
        if "family" in named:
            ip &= (c.family == 0) | (c.family == packet.family)
        if "proto" in named:
            ip &= (c.proto == ABSENT) | (c.proto == packet.proto) | (packet.proto_hidden & c.drop)
        if "ethertype" in named:
            ip &= (c.ethertype == ABSENT) & ~c.any_frame
        if "tcp_flags" in named:
            ip &= (
                (c.flags_mask == ABSENT)
                | ((packet.flags != BYTE_HIDDEN) & ((packet.flags & c.flags_mask) == c.flags_want))
                | ((packet.flags == BYTE_HIDDEN) & c.drop)
            )
        if "icmp" in named:
            ip &= (
                (c.icmp_first == ABSENT)
                | (
                    (packet.icmp != ICMP_HIDDEN)
                    & (c.icmp_first <= packet.icmp)
                    & (packet.icmp <= c.icmp_last)
                )
                | ((packet.icmp == ICMP_HIDDEN) & c.drop)
            )
        if self._has_fragments:
            ip &= _FRAGMENT_TABLE[packet.fragment, c.fragment] | (
                (packet.fragment == 3) & (c.drop | (c.fragment == 0))
            )
        satisfied: Array = ip | (packet.opaque & c.drop)
        if "ethertype" in named:
            satisfied |= (packet.ether & (c.ethertype == packet.ethertype)) | c.any_frame
        return satisfied

    @functools.cached_property
    def _packets(self) -> _Packets:
        """For satisfied(). The rows never change."""
        lists = (self._kind, self._proto, self._flags, self._icmp, self._fragment, self._ethertype)
        kind, proto, flags, icmp, fragment, ethertype = (np.array(of)[:, None] for of in lists)
        return _Packets(
            ip=kind <= IP6,
            ether=kind == ETHER,
            opaque=kind == OPAQUE,
            family=np.where(kind == IP4, 4, 6),
            proto=proto,
            proto_hidden=proto == BYTE_HIDDEN,
            flags=flags,
            icmp=icmp,
            fragment=fragment,
            ethertype=ethertype,
        )

    def can_add(self, columns: Columns) -> bool:
        # In plain Python: there is seldom more than one rule.
        c = columns
        families = set(zip(c.values("family"), c.values("proto"), strict=True))
        for family, named in self._named.items():
            for of, proto in families:
                if proto is not None and of in (None, family) and proto not in named:
                    return False
        if not self._has_fragments and "fragment" in c.named_fields:
            return False
        if not {pair for pair in c.values("tcp_flags") if pair is not None} <= self._flag_pairs:
            return False
        if "icmp" in c.named_fields:
            types = zip(c.proto.tolist(), c.icmp_first.tolist(), c.icmp_last.tolist(), strict=True)
            if not {t for t in types if t[1] != ABSENT} <= self._icmp_types:
                return False
        numbers = {value for value in c.values("ethertype") if isinstance(value, int)}
        return numbers <= set(self._ethertype)


def _fragment_table() -> Array:
    """bool [enum xw_fragment, index into FRAGMENTS]: whether the packet satisfies the rule. For a hidden
    one, satisfied() decides."""
    kinds = {"none": {0}, "any": {1, 2}, "first": {1}, "later": {2}}
    return np.array(
        [[code is None or of in kinds[code] for code in FRAGMENTS] for of in range(3)] + [[0] * 5],
        dtype=bool,
    )


_FRAGMENT_TABLE = _fragment_table()
