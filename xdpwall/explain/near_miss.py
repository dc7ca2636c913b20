"""In which fields a packet, as the classifier read it, differs from a rule that it does not match. Pure.

A field that cannot be read keeps a packet from an accept and from a count rule, and not from a drop rule.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from typing import NamedTuple

from xdpwall import abi
from xdpwall.events.decode import HEAD, PacketRecord
from xdpwall.rule.iface_selector import NO_RELATIONS, Relations, means
from xdpwall.rule.match import VLAN_NONE, Match, match_of
from xdpwall.rule.rule import Rule
from xdpwall.rule.states import STATES, why_invalid
from xdpwall.values.addresses import Prefix
from xdpwall.values.protocols import ICMP_TYPE_NAMES, PROTOCOL_NAMES, flag_names

Holds = Callable[[str, int, int], bool]
"""Whether the set of that name holds an address: (name, family, address)."""

_IP4, _IP6, _ETHER, _OPAQUE = 0, 1, 2, 4
_PORTS_READ, _PORTS_HIDDEN = 1, 2
_PORTS = (6, 17, 132)
_FRAGMENTS = ("none", "first", "later")
_KINDS = {"any": ("first", "later")}


class _Hidden:
    """In place of a value that cannot be read."""


HIDDEN = _Hidden()
Value = int | str | _Hidden | None


class ReadPacket(NamedTuple):
    """The fields of a packet: a value, HIDDEN, or None where it has no such field."""

    iface: str
    relations: Relations
    egress: bool
    vlan: Value
    ethertype: Value
    family: Value
    src: Value
    dst: Value
    length: Value
    ttl: Value
    fragment: Value
    state: Value
    """None also where no rule asked for it."""
    proto: Value
    sport: Value
    dport: Value
    tcp_flags: Value
    icmp_type: Value
    icmp_code: Value

    def unreadable(self) -> list[str]:
        """The fields that could not be read."""
        return [name for name in self._fields if getattr(self, name) is HIDDEN]

    def why_invalid(self) -> str | None:
        """Why its state is `invalid`; None for any other."""
        if self.state != "invalid":
            return None
        one_end = (self.src, self.sport) == (self.dst, self.dport)
        kind = self.shown("icmp_type")
        return why_invalid(self.shown("proto"), self.shown("tcp_flags"), kind, one_end)

    def shown(self, name: str) -> str | None:
        """A field's value in a rule's words; None: the packet has none."""
        value = getattr(self, name)
        if name == "egress":
            return "egress" if value else "ingress"
        if value is None or value is HIDDEN:
            return None
        if name in ("src", "dst"):
            return str(IPv4Address(value) if self.family == 4 else IPv6Address(value))
        return _shown(self, name, value)


def _shown(packet: ReadPacket, name: str, value: int | str) -> str:
    if name == "vlan":
        return "none" if value == VLAN_NONE else str(value)
    if name == "ethertype":
        return "arp" if value == 0x0806 else f"0x{value:04x}"
    if name == "family":
        return f"ipv{value}"
    if name == "proto":
        return PROTOCOL_NAMES.get(int(value), str(value))
    if name == "tcp_flags":
        return flag_names(int(value)) or "none"
    if name == "icmp_type":
        names = ICMP_TYPE_NAMES["icmp" if packet.family == 4 else "icmpv6"]
        return names.get(int(value), str(value))
    return str(value)


def packet_of(
    record: bytes, iface: str, egress: bool, relations: Relations = NO_RELATIONS
) -> ReadPacket:
    """The packet of an answer's record (dataplane/explaining.py)."""
    r = PacketRecord._make(HEAD.unpack_from(record))
    absent: dict[str, Value] = dict.fromkeys(ReadPacket._fields)
    absent |= {
        "vlan": HIDDEN
        if r.vlan == abi.VLAN_HIDDEN
        else VLAN_NONE
        if r.vlan == abi.VLAN_NONE
        else r.vlan
    }
    if r.kind == _OPAQUE:
        inner = ReadPacket._fields[ReadPacket._fields.index("ethertype") :]
        absent |= dict.fromkeys(inner, HIDDEN)
    elif r.kind == _ETHER:
        absent["ethertype"] = r.ethertype
    elif r.kind in (_IP4, _IP6):
        absent |= _ip_fields(r)
    values = {**absent, "iface": iface, "relations": relations, "egress": egress}
    return ReadPacket(**values)  # type: ignore[arg-type]


def _ip_fields(r: PacketRecord) -> dict[str, Value]:
    size = 4 if r.kind == _IP4 else 16
    found: dict[str, Value] = {
        "ethertype": r.ethertype,
        "family": 4 if r.kind == _IP4 else 6,
        "src": HIDDEN if r.addresses_hidden else int.from_bytes(r.src[:size]),
        "dst": HIDDEN if r.addresses_hidden else int.from_bytes(r.dst[:size]),
        "length": _unless(r.length, abi.LENGTH_HIDDEN),
        "ttl": _unless(r.ttl, abi.BYTE_HIDDEN),
        "state": None if not r.state else STATES[r.state - 1] if r.state <= len(STATES) else HIDDEN,
        "fragment": HIDDEN if r.fragment == len(_FRAGMENTS) else _FRAGMENTS[r.fragment],
        "proto": _unless(r.proto, abi.BYTE_HIDDEN),
    }
    open_proto = found["proto"] is HIDDEN
    if open_proto or r.proto in _PORTS:
        hidden = r.ports == _PORTS_HIDDEN
        for name, port in (("sport", r.sport), ("dport", r.dport)):
            found[name] = HIDDEN if hidden else port if r.ports == _PORTS_READ else None
    if open_proto or r.proto == 6:
        found["tcp_flags"] = _unless(r.flags, abi.BYTE_HIDDEN)
    if open_proto or r.proto == (1 if r.kind == _IP4 else 58):
        hidden = r.icmp == abi.ICMP_HIDDEN
        found["icmp_type"] = HIDDEN if hidden else r.icmp >> 8
        found["icmp_code"] = HIDDEN if hidden else r.icmp & 0xFF
    return found


def _unless(value: int, hidden: int) -> Value:
    return HIDDEN if value == hidden else value


@dataclass(frozen=True, slots=True)
class Difference:
    """A field that keeps a packet from a rule."""

    field: str
    packet: str | None
    """What the packet has there; None: it has no such field, or it cannot be read."""
    unreadable: bool
    rule: str
    """What the rule wants."""


def differences(rule: Rule, packet: ReadPacket, holds: Holds) -> list[Difference]:
    """The fields that keep the packet from the rule; empty when it matches."""
    match = match_of(rule)
    apart, unread = [], []
    for name, answer in _answers(match, packet, holds):
        if answer is False:
            apart.append(name)
        elif answer is None:
            unread.append(name)
    if not apart and rule.action == "drop":
        return []
    return [
        Difference(
            _FIELDS.get(name, name),
            packet.shown(name),
            name in unread,
            _wanted(rule, match, name),
        )
        for name in dict.fromkeys(apart + unread)
    ]


_FIELDS = {"egress": "direction"}
_IMPLIED_BY_SRC = ("iface", "egress")


def _wanted(rule: Rule, match: Match, name: str) -> str:
    """What the rule says of a field, in its own words."""
    value = getattr(rule, _FIELDS.get(name, name))
    if value is None and name in _IMPLIED_BY_SRC:  # of a container, at its own port
        return str(rule.src) if name == "iface" else "ingress"
    if name == "family":
        return f"ipv{match.family}" if match.family is not None else "ipv4 or ipv6"
    if name == "fragment":
        return {True: "true", False: "false"}.get(value, str(value))
    text = str(value)
    return f"not {text[1:]}" if text.startswith("!") else text


def _answers(m: Match, p: ReadPacket, holds: Holds) -> Iterator[tuple[str, bool | None]]:
    """Each field that the rule names, and whether the packet's is what it wants; None: unreadable."""
    if m.iface is not None:
        meant = means(m.iface[1], p.iface, p.relations)
        yield "iface", None if meant is None else meant != m.iface[0]
    if m.egress is not None:
        yield "egress", p.egress == m.egress
    if m.vlan is not None:
        yield "vlan", _equal(p.vlan, m.vlan[1], m.vlan[0])
    if m.ethertype == "any":
        return
    if m.ethertype is not None:
        yield "ethertype", _equal(p.ethertype, m.ethertype)
        return
    if p.family is None:
        yield "family", False
    elif m.family is not None:
        yield "family", _equal(p.family, m.family)
    elif p.family is HIDDEN:
        yield "family", None
    for name, side, in_set in (("src", m.src, m.src_set), ("dst", m.dst, m.dst_set)):
        address = getattr(p, name)
        if side is not None:
            yield name, _inside(side, p.family, address)
        if in_set is not None:
            yield name, _held(in_set, p.family, address, holds)
    yield from _numbers(m, p)


def _numbers(m: Match, p: ReadPacket) -> Iterator[tuple[str, bool | None]]:
    for name, span in (("length", m.length), ("ttl", m.ttl)):
        if span is not None:
            yield name, _within(getattr(p, name), (span,))
    if m.fragment is not None:
        kinds = _KINDS.get(m.fragment, (m.fragment,))
        yield "fragment", None if p.fragment is HIDDEN else p.fragment in kinds
    if m.state is not None and p.state is not None:
        known = isinstance(p.state, str)
        yield "state", bool(m.state >> STATES.index(str(p.state)) & 1) if known else None
    if m.proto is not None:
        yield "proto", _equal(p.proto, m.proto)
    for name, ports in (("sport", m.sport), ("dport", m.dport)):
        if ports is not None:
            yield name, _within(getattr(p, name), ports[1], ports[0])
    for name, number in (("icmp_type", m.icmp_type), ("icmp_code", m.icmp_code)):
        if number is not None:
            yield name, _equal(getattr(p, name), number)
    if m.tcp_flags is not None:
        want, mask = m.tcp_flags
        flags = p.tcp_flags
        yield (
            "tcp_flags",
            None if flags is HIDDEN else isinstance(flags, int) and (flags & mask == want),
        )


def _equal(value: Value, wanted: object, negated: bool = False) -> bool | None:
    if value is HIDDEN:
        return None
    return value is not None and (value == wanted) != negated


def _within(
    value: Value, ranges: tuple[tuple[int, int], ...], negated: bool = False
) -> bool | None:
    if value is HIDDEN:
        return None
    if not isinstance(value, int):
        return False
    return any(first <= value <= last for first, last in ranges) != negated


def _inside(side: tuple[bool, Prefix], family: Value, address: Value) -> bool | None:
    negated, prefix = side
    if family is not HIDDEN and family != prefix.family:
        return False
    if not isinstance(address, int):
        return None if address is HIDDEN else False
    shift = (32 if prefix.family == 4 else 128) - prefix.length
    return (address >> shift == prefix.address >> shift) != negated


def _held(in_set: tuple[bool, str], family: Value, address: Value, holds: Holds) -> bool | None:
    if not isinstance(address, int) or not isinstance(family, int):
        return None if address is HIDDEN else False
    return holds(in_set[1], family, address) != in_set[0]


@dataclass(frozen=True, slots=True)
class NearMiss:
    """A rule that the packet does not match, and why."""

    index: int
    """In the rules' order, from 0."""
    differs: list[Difference]


class Effort:
    """How many more rules are compared with packets in one request: Python takes its time."""

    def __init__(self, rules: int = 500_000) -> None:
        self._left = rules

    def take(self, rules: int) -> bool:
        """Whether so many are still compared."""
        self._left -= rules
        return self._left >= 0


MOST_FIELDS = 2
"""A rule that differs in more is not near."""


def nearest(
    rules: list[tuple[int, Rule]], packet: ReadPacket, holds: Holds, most: int
) -> list[NearMiss]:
    """Of these (index, rule) that do not match the ones that differ least, `most` of them, the last in
    the order first among equals: they stood nearest to what decided."""
    found: list[tuple[int, int, NearMiss]] = []
    for index, rule in rules:
        differs = differences(rule, packet, holds)
        if 0 < len(differs) <= MOST_FIELDS:
            found.append((len(differs), -index, NearMiss(index, differs)))
    found.sort(key=lambda one: one[:2])
    return [one for _, _, one in found[:most]]
