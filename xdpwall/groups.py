"""The composed groups of match fields: what a packet is, where it is, its header, its ports.

A composed group's row is a sum of offsets: the rows of every combination of its fields' classes
stand one after the other (design: 6 rows to AND, not 13).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from . import layout
from .errors import Full
from .generation import Draft, Place
from .layout import BYTE_HIDDEN, ICMP_HIDDEN, LENGTH_HIDDEN, Feature
from .match import VLAN_NONE, Ranges
from .vectors import Field, classes_of, sweep

ICMP, TCP, ICMPV6 = 1, 6, 58


def what(d: Draft) -> None:
    """Family, protocol, TCP flags, ICMP type and code, fragment, ethertype."""
    any_frame = d.select(lambda m: m.ethertype == "any")
    fragment = _fragment_vectors(d)
    runs: list[int] = []  # rows before the fragment is looked at
    first = len(d.rows.vectors)
    for family, table, icmp in ((4, "proto4", ICMP), (6, "proto6", ICMPV6)):
        family_rules = any_frame | d.select(
            lambda m, family=family: m.ethertype is None and m.family in (None, family)  # type: ignore[misc]
        )
        d.tables[table] = [first + n for n in _protocols(d, family_rules, icmp, runs)]
    stride = len(runs)
    if len(set(fragment)) > 1:
        d.tables["fragment_stride"] = stride
        d.rows.run(run & wanted for wanted in fragment for run in runs)
    else:
        d.rows.run(runs)
    _ethertypes(d, any_frame)


def _fragment_vectors(d: Draft) -> list[int]:
    """One vector for each of layout.FRAGMENT_CLASSES."""
    f = d.field(lambda m: m.fragment is not None)
    satisfied = {"none": ("none",), "first": ("any", "first"), "later": ("any", "later")}
    vectors = [
        f.free | d.select(lambda m, kinds=kinds: m.fragment in kinds)  # type: ignore[misc]
        for kinds in satisfied.values()
    ]
    return [*vectors, f.hidden]


def _protocols(d: Draft, family_rules: int, icmp: int, runs: list[int]) -> list[int]:
    """Appends this family's rows to `runs`; the offset of each protocol, hidden last."""
    f = d.field(lambda m: m.proto is not None)
    named: dict[int, int] = {}
    for i, entry in enumerate(d.entries):
        if entry.match.proto is not None:
            named[entry.match.proto] = named.get(entry.match.proto, 0) | 1 << i
    offsets: dict[int, int] = {}
    answer = []
    for proto in range(BYTE_HIDDEN):
        vector = family_rules & (f.free | named.get(proto, 0))
        if proto == TCP:
            answer.append(len(runs))
            runs.extend(vector & sub for sub in _flags(d))
        elif proto == icmp:
            answer.append(len(runs))
            runs.extend(vector & sub for sub in _icmp(d, "icmp4" if icmp == ICMP else "icmp6"))
        else:
            answer.append(_shared(vector, offsets, runs))
    answer.append(_shared(family_rules & f.hidden, offsets, runs))
    return answer


def _shared(vector: int, offsets: dict[int, int], runs: list[int]) -> int:
    if vector not in offsets:
        offsets[vector] = len(runs)
        runs.append(vector)
    return offsets[vector]


def _flags(d: Draft) -> list[int]:
    """TCP flag classes, among rules about TCP."""
    f = d.field(lambda m: m.tcp_flags is not None)
    pairs: dict[tuple[int, int], int] = {}
    for i, entry in enumerate(d.entries):
        if entry.match.tcp_flags is not None:
            pairs[entry.match.tcp_flags] = pairs.get(entry.match.tcp_flags, 0) | 1 << i
    vectors = []
    for flags in range(BYTE_HIDDEN):
        vector = f.free
        for (want, mask), rules in pairs.items():
            if flags & mask == want:
                vector |= rules
        vectors.append(vector)
    d.tables["flags"], classes = classes_of([*vectors, f.hidden])
    return classes


def _icmp(d: Draft, table: str) -> list[int]:
    """ICMP type and code classes: a type is a range of 256 (type, code) pairs."""
    f = d.field(lambda m: m.icmp_type is not None)
    terms: list[tuple[int, bool, Ranges]] = []
    for i, entry in enumerate(d.entries):
        m = entry.match
        if m.icmp_type is None or m.proto != (ICMP if table == "icmp4" else ICMPV6):
            continue
        first = m.icmp_type << 8 | (m.icmp_code or 0)
        last = first if m.icmp_code is not None else first | 0xFF
        terms.append((1 << i, False, ((first, last),)))
    classes, vectors = sweep(f.free, terms, ICMP_HIDDEN)
    d.tables[table][:ICMP_HIDDEN] = classes
    d.tables[table][ICMP_HIDDEN] = len(vectors)
    return [*vectors, f.hidden]


def _ethertypes(d: Draft, any_frame: int) -> None:
    """Frames without IP satisfy only rules that name an ethertype."""
    named: dict[int, int] = {}
    for i, entry in enumerate(d.entries):
        if isinstance(entry.match.ethertype, int):
            named[entry.match.ethertype] = named.get(entry.match.ethertype, 0) | 1 << i
    d.tables["ether_row"] = d.rows.run([any_frame])
    for n, (ethertype, rules) in enumerate(sorted(named.items()), start=1):
        d.tables["ether"][ethertype] = n
        d.rows.run([any_frame | rules])
    d.tables["llc_row"] = d.rows.add(any_frame)
    # A frame that may or may not be IP: a drop rule matches, whatever it names.
    d.tables["opaque_row"] = d.rows.add(any_frame | d.drops)


def where(d: Draft, places: Sequence[Place]) -> None:
    """Interface, direction and VLAN."""
    if not d.select(lambda m: m.iface is not None or m.egress is not None or m.vlan is not None):
        return
    d.features |= Feature.WHERE
    d.tables["attachment"] = 0
    vlan, vlan_vectors = _vlans(d)
    d.tables["vlan"] = vlan
    first_row: dict[int, int] = {}
    for place in places:
        here = d.select(lambda m, place=place: _is_here(m.iface, m.egress, place))  # type: ignore[misc]
        if here not in first_row:
            first_row[here] = d.rows.run(here & v for v in vlan_vectors)
        d.tables["attachment"][place.number] = first_row[here]


def _is_here(iface: tuple[bool, str] | None, egress: bool | None, place: Place) -> bool:
    if egress is not None and egress != place.egress:
        return False
    return iface is None or (iface[1] == place.iface) != iface[0]


def _vlans(d: Draft) -> tuple[np.ndarray, list[int]]:
    """The class of each VLAN id, then untagged, then hidden."""
    f = d.field(lambda m: m.vlan is not None)
    terms: list[tuple[int, bool, Ranges]] = []
    for i, entry in enumerate(d.entries):
        if entry.match.vlan is not None:
            negated, value = entry.match.vlan
            index = layout.VLAN_NONE if value == VLAN_NONE else value
            terms.append((1 << i, negated, ((index, index),)))
    classes, vectors = sweep(f.free, terms, layout.VLAN_NONE + 1)
    return np.append(classes, np.uint16(len(vectors))), [*vectors, f.hidden]


def header(d: Draft) -> None:
    """IP length and TTL or hop limit."""
    if not d.select(lambda m: m.length is not None or m.ttl is not None):
        return
    d.features |= Feature.HEADER
    length = d.field(lambda m: m.length is not None)
    ttl = d.field(lambda m: m.ttl is not None)
    lengths, length_vectors = sweep(
        length.free,
        [(1 << i, False, (e.match.length,)) for i, e in enumerate(d.entries) if e.match.length],
        LENGTH_HIDDEN,
    )
    ttls, ttl_vectors = sweep(
        ttl.free,
        [(1 << i, False, (e.match.ttl,)) for i, e in enumerate(d.entries) if e.match.ttl],
        BYTE_HIDDEN,
    )
    length_vectors.append(length.hidden)
    ttl_vectors.append(ttl.hidden)
    stride = len(ttl_vectors)
    if len(length_vectors) * stride > 0xFFFF:
        raise Full(
            f"{len(length_vectors)} different lengths times {stride} different TTLs are too many",
            code="too-many-combinations",
            hint="at most 65,535 combinations fit; use fewer different values",
        )
    d.tables["length"][:LENGTH_HIDDEN] = lengths * stride
    d.tables["length"][LENGTH_HIDDEN] = (len(length_vectors) - 1) * stride
    d.tables["ttl"][:BYTE_HIDDEN] = ttls
    d.tables["ttl"][BYTE_HIDDEN] = stride - 1
    d.tables["header_row"] = d.rows.run(a & b for a in length_vectors for b in ttl_vectors)


def ports(d: Draft) -> None:
    """Source and destination ports. Protocols without ports skip the row: what() excludes them."""
    _port(d, "sport", d.field(lambda m: m.sport is not None), Feature.SPORT)
    _port(d, "dport", d.field(lambda m: m.dport is not None), Feature.DPORT)


def _port(d: Draft, name: str, f: Field, feature: Feature) -> None:
    if not f.users:
        return
    d.features |= feature
    terms = [
        (1 << i, *value)
        for i, e in enumerate(d.entries)
        if (value := getattr(e.match, name)) is not None
    ]
    d.tables[name], vectors = sweep(f.free, terms, 65536)
    d.tables[f"{name}_row"] = d.rows.run(vectors)
    d.tables[f"{name}_hidden"] = d.rows.add(f.hidden)
