"""A rule's match fields in numbers, for the compiler and the reference classifier.

Rule keeps fields as people read them; these are the same fields, parsed. Pure.
"""

from __future__ import annotations

from functools import lru_cache
from socket import AF_INET, AF_INET6, inet_pton
from typing import Any, Literal, NamedTuple

from xdpwall.values.addresses import CONTAINER, Prefix, set_use
from xdpwall.values.inputs import split_negation
from xdpwall.values.protocols import PROTOCOLS, icmp_type_number
from xdpwall.values.ranges import Ranges, parse_ranges
from xdpwall.values.rates import Rate, rate_of

from .fields import parse_flags
from .rule import Rule
from .states import state_bits

VLAN_NONE = -1
"""The value of `vlan: none` in Match.vlan."""


class Match(NamedTuple):
    """A rule's match. None means any; in each (negated, value) pair, negated is the field's `!`.

    A negated prefix is about its own family only. `iface` is matched by the compiler against the
    attachments' names, and ports:docker0 against what the interfaces are (rule/iface_selector.py).
    """

    iface: tuple[bool, str] | None = None
    egress: bool | None = None
    ethertype: int | Literal["any"] | None = None
    family: Literal[4, 6] | None = None
    """Given, or implied by icmp, icmpv6 or an address."""
    proto: int | None = None
    src: tuple[bool, Prefix] | None = None
    dst: tuple[bool, Prefix] | None = None
    src_set: tuple[bool, str] | None = None
    """(negated, the set's name); `src` is None then. A negated set is about both families. A container's
    addresses are a set that is called container:NAME, of which the compiler is told (compiler/containers.py)."""
    dst_set: tuple[bool, str] | None = None
    sport: tuple[bool, Ranges] | None = None
    dport: tuple[bool, Ranges] | None = None
    icmp_type: int | None = None
    icmp_code: int | None = None
    tcp_flags: tuple[int, int] | None = None
    """(want, mask) of the flag byte: fin 1, syn 2, rst 4, psh 8, ack 16, urg 32, ece 64, cwr 128."""
    vlan: tuple[bool, int] | None = None
    length: tuple[int, int] | None = None
    ttl: tuple[int, int] | None = None
    fragment: Literal["any", "first", "later", "none"] | None = None
    """`true` is any, `false` is none."""
    rate: tuple[bool, Rate] | None = None
    """(it is `over`, the rate)"""
    state: int | None = None
    """The states that it accepts, as bits: states.STATES."""


def match_of(rule: Rule) -> Match:
    """The match of a canonical rule; remembered in the rule, since a ruleset is compiled often."""
    return rule.numbers(_numbers_of)


def _numbers_of(rule: Rule) -> Match:
    mine = rule.__dict__
    src, dst, sport, dport = mine["src"], mine["dst"], mine["sport"], mine["dport"]
    proto, kind, iface = mine["proto"], mine["icmp_type"], mine["iface"]
    direction, ethertype = mine["direction"], mine["ethertype"]
    flags, vlan, fragment = mine["tcp_flags"], mine["vlan"], mine["fragment"]
    length, ttl, state = mine["length"], mine["ttl"], mine["state"]
    source = target = from_set = to_set = None
    if src is not None:
        source, from_set = _side("src", src)
        if from_set is not None and from_set[1].startswith(CONTAINER):
            iface, direction = src, "ingress"
    if dst is not None:
        target, to_set = _side("dst", dst)
    side = source or target
    family = side[1].family if side else _IMPLIED.get(proto) or _FAMILIES[mine["family"]]
    # In the order of the fields: by their names it takes twice as long.
    return Match._make(
        (
            None if iface is None else split_negation(iface),
            None if direction is None else direction == "egress",
            None if ethertype is None else _ethertype(ethertype),
            family,
            PROTOCOLS[proto] if isinstance(proto, str) else proto,
            source,
            target,
            from_set,
            to_set,
            None if sport is None else _ranges(sport),
            None if dport is None else _ranges(dport),
            None if kind is None else icmp_type_number(str(proto), kind),
            mine["icmp_code"],
            None if flags is None else parse_flags(flags),
            None if vlan is None else _vlan(str(vlan)),
            None if length is None else _span(length),
            None if ttl is None else _span(ttl),
            None if fragment is None else _fragment(fragment),
            None if mine["limit"] is None and mine["over"] is None else _rate(mine),
            None if state is None else state_bits(state),
        )
    )


def _side(field: str, text: str) -> tuple[tuple[bool, Prefix] | None, tuple[bool, str] | None]:
    if "@" in text:
        return None, set_use(field, text)
    if text.startswith(CONTAINER):
        return None, (False, text)
    return _prefix(text), None


_FAMILIES: dict[str | None, Literal[4, 6] | None] = {None: None, "ipv4": 4, "ipv6": 6}


_IMPLIED: dict[object, Literal[4, 6]] = {"icmp": 4, "icmpv6": 6}


def _rate(mine: dict[str, Any]) -> tuple[bool, Rate]:
    over = mine["over"] is not None
    return over, rate_of(mine["over" if over else "limit"])


def _ethertype(text: str) -> int | Literal["any"]:
    if text == "any":
        return "any"
    return 0x0806 if text == "arp" else int(text, 16)


@lru_cache(maxsize=1 << 14)
def _prefix(text: str) -> tuple[bool, Prefix]:
    negated = text[0] == "!"
    address, slash, length = (text[1:] if negated else text).partition("/")
    if ":" in address:
        number = int.from_bytes(inet_pton(AF_INET6, address), "big")
        return negated, Prefix(6, number, int(length) if slash else 128)
    number = int.from_bytes(inet_pton(AF_INET, address), "big")
    return negated, Prefix(4, number, int(length) if slash else 32)


@lru_cache(maxsize=4096)
def _ranges(text: str) -> tuple[bool, Ranges]:
    if text.isdecimal():
        port = int(text)
        return False, ((port, port),)
    return parse_ranges("port", text)


def _vlan(text: str) -> tuple[bool, int]:
    negated, body = split_negation(text)
    return negated, VLAN_NONE if body == "none" else int(body)


def _span(value: int | str) -> tuple[int, int]:
    low, dash, high = str(value).partition("-")
    return int(low), int(high if dash else low)


def _fragment(
    value: bool | Literal["first", "later"],
) -> Literal["any", "first", "later", "none"] | None:
    if isinstance(value, str):
        return value
    return "any" if value else "none"
