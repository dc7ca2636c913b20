"""From a rule's canonical words to the numbers of a Match. Pure; call it as match.match_of."""

from __future__ import annotations

from typing import Literal

from .addresses import parse_prefix, set_use
from .checks import implied_family
from .fields import parse_flags, parse_ranges
from .inputs import negation
from .match import VLAN_NONE, Match, Prefix, Ranges
from .names import PROTOCOLS, icmp_type_number
from .rule import Rule


def numbers_of(rule: Rule) -> Match:
    """The Match of a rule."""
    family, _ = implied_family(rule.__dict__)
    kind = rule.icmp_type
    return Match(
        iface=None if rule.iface is None else negation(rule.iface),
        egress=None if rule.direction is None else rule.direction == "egress",
        ethertype=None if rule.ethertype is None else _ethertype(rule.ethertype),
        family=None if family is None else 4 if family == "ipv4" else 6,
        proto=PROTOCOLS[rule.proto] if isinstance(rule.proto, str) else rule.proto,
        src=_prefix("src", rule.src),
        dst=_prefix("dst", rule.dst),
        src_set=set_use("src", rule.src),
        dst_set=set_use("dst", rule.dst),
        sport=_ranges("sport", rule.sport),
        dport=_ranges("dport", rule.dport),
        icmp_type=None if kind is None else icmp_type_number(str(rule.proto), kind),
        icmp_code=rule.icmp_code,
        tcp_flags=None if rule.tcp_flags is None else parse_flags(rule.tcp_flags),
        vlan=None if rule.vlan is None else _vlan(str(rule.vlan)),
        length=_span(rule.length),
        ttl=_span(rule.ttl),
        fragment=_fragment(rule.fragment),
    )


def _ethertype(text: str) -> int | Literal["any"]:
    if text == "any":
        return "any"
    return 0x0806 if text == "arp" else int(text, 16)


def _prefix(field: str, text: str | None) -> tuple[bool, Prefix] | None:
    if text is None or text.startswith(("@", "!@")):
        return None
    return parse_prefix(field, text)


def _ranges(field: str, text: str | None) -> tuple[bool, Ranges] | None:
    return None if text is None else parse_ranges(field, text)


def _vlan(text: str) -> tuple[bool, int]:
    negated, body = negation(text)
    return negated, VLAN_NONE if body == "none" else int(body)


def _span(value: int | str | None) -> tuple[int, int] | None:
    if value is None:
        return None
    low, dash, high = str(value).partition("-")
    return int(low), int(high if dash else low)


def _fragment(
    value: bool | Literal["first", "later"] | None,
) -> Literal["any", "first", "later", "none"] | None:
    if value is None or isinstance(value, str):
        return value
    return "any" if value else "none"
