"""Parsers of a rule's single fields, each into its canonical form. Pure.

`PARSERS[name](value)` gives the canonical value or raises InvalidInput naming the field. What
fields demand of each other is in consistency.py.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from types import MappingProxyType
from typing import Any

from xdpwall.values.addresses import canonical_address
from xdpwall.values.inputs import (
    did_you_mean,
    invalid,
    parse_boolean,
    parse_choice,
    parse_number,
    parse_text,
    split_negation,
)
from xdpwall.values.protocols import (
    ICMP_CODES,
    ICMP_TYPE_NAMES,
    ICMP_TYPES,
    PROTOCOL_NAMES,
    PROTOCOLS,
    TCP_FLAGS,
    flag_names,
)
from xdpwall.values.ranges import NUMBER_RANGE, parse_ranges, range_text
from xdpwall.values.rates import rate_parser
from xdpwall.values.time_read import parse_expiry

from .iface_selector import checked_selector, is_of_container, refuse_pattern
from .sentence_words import ACTIONS
from .states import parse_state

MAX_COMMENT = 256
MAX_LENGTH = 65575
"""40 bytes of IPv6 header and 65,535 of payload."""

_ID = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}", re.ASCII)
_VLAN = re.compile(r"0|[1-9][0-9]{0,3}", re.ASCII)
_HEX = re.compile(r"0[xX][0-9a-fA-F]{1,4}", re.ASCII)
# Bidirectional controls would make a comment read as another text than it is.
_HIDDEN = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_ETHERTYPE = "arp, any, or a number from 0x0600 to 0xffff"
_FLAGS = "WANT/MASK, like syn/syn,ack or none/fin,syn,rst; flags: " + ", ".join(TCP_FLAGS)


def parse_id(value: Any) -> str:
    """`noping`."""
    if isinstance(value, str) and _ID.fullmatch(value):
        return value
    raise invalid(
        "id",
        value,
        "is not an id",
        "1 to 32 of a-z, 0-9, _ and -, beginning with a letter or a digit (text, in quotes)",
    )


def parse_action(value: Any) -> str:
    """`drop`, `accept` or `count`."""
    hint = None
    if isinstance(value, str) and value not in ACTIONS:
        from .sentence_hints import FOREIGN_ACTIONS  # only an error needs it

        hint = FOREIGN_ACTIONS.get(value.lower())
    return parse_choice("action", value, ACTIONS, hint=hint)


def parse_iface(value: Any) -> str:
    """`docker0`, `veth*`, `ports:docker0`, `container:web` or `network:backend`, or `!docker0`."""
    negated, text = split_negation(parse_text("iface", value, "the name of an interface"))
    checked_selector("iface", value, text)
    if negated and is_of_container(text):
        raise invalid("iface", value, "cannot be negated", f"{text} without the !")
    return f"!{text}" if negated else text


def parse_one_iface(value: Any) -> str:
    """`docker0` or `!docker0`: one interface by its name, as of a packet."""
    refuse_pattern("iface", value)
    return parse_iface(value)


def parse_direction(value: Any) -> str:
    """`ingress` or `egress`."""
    return parse_choice("direction", value, ("ingress", "egress"))


def parse_ethertype(value: Any) -> str:
    """`arp`, `any` or `0x88cc`."""
    if value in ("arp", "any"):
        return str(value)
    if value in ("ipv4", "ipv6", "ip"):
        family = "ipv6" if value == "ipv6" else "ipv4"
        raise invalid("ethertype", value, "is not taken here", f"family: {family} (use family)")
    if isinstance(value, str) and _HEX.fullmatch(value):
        found = int(value, 16)
    else:
        found = parse_number("ethertype", value, 0, 0xFFFF, _ETHERTYPE)
    if found in (0x0800, 0x86DD):
        family = "ipv4" if found == 0x0800 else "ipv6"
        raise invalid("ethertype", value, "is not taken here", f"family: {family} (use family)")
    if found < 0x0600:
        raise invalid("ethertype", value, "is the length of an LLC frame", _ETHERTYPE)
    return "arp" if found == 0x0806 else f"0x{found:04x}"


def parse_family(value: Any) -> str:
    """`ipv4` or `ipv6`."""
    return parse_choice("family", value, ("ipv4", "ipv6"))


def parse_proto(value: Any) -> str | int:
    """A name where one is known, else the number."""
    if isinstance(value, str) and value in PROTOCOLS:
        return value
    wanted = f"{', '.join(PROTOCOLS)} or a number from 0 to 255"
    if isinstance(value, str) and not value[:1].isdigit():
        hint = did_you_mean(value, [*PROTOCOLS, "icmpv6"])
        raise invalid("proto", value, "is not a protocol known by name", wanted, hint=hint)
    found = parse_number("proto", value, 0, 255, wanted)
    return PROTOCOL_NAMES.get(found, found)


def parse_src(value: Any) -> str:
    """`10.0.0.0/8`, `!2001:db8::1`, `@friends`."""
    return canonical_address("src", value)


def parse_dst(value: Any) -> str:
    """As src."""
    return canonical_address("dst", value)


def _ports(field: str) -> Callable[[Any], str]:
    def parse(value: Any) -> str:
        negated, ranges = parse_ranges(field, value)
        return ("!" if negated else "") + ",".join(range_text(*pair) for pair in ranges)

    return parse


def parse_icmp_type(value: Any, proto: str) -> str | int:
    """The type's name where it has one under `proto` (icmp or icmpv6), else its number."""
    names = ICMP_TYPES[proto]
    if isinstance(value, str) and not value[:1].isdigit():
        if value in names:
            return value
        other = "icmpv6" if proto == "icmp" else "icmp"
        hint = did_you_mean(value, names)
        if value in ("ping", "pong", "echo"):
            hint = f"a ping is {proto}/echo-request, its answer {proto}/echo-reply"
        elif value in ICMP_TYPES[other]:
            hint = f"{value} is a type of {other}"
        raise invalid(
            "icmp_type", value, f"is not a type of {proto}", "a name or 0 to 255", hint=hint
        )
    found = parse_number(
        "icmp_type", value, 0, 255, "a name like echo-request, or a number 0 to 255"
    )
    return ICMP_TYPE_NAMES[proto].get(found, found)


def parse_icmp_code(value: Any, proto: str, kind: int) -> int:
    """The code's number; names are taken where the type has some."""
    names = ICMP_CODES.get((proto, kind), {})
    if isinstance(value, str) and value in names:
        return names[value]
    wanted = "a number from 0 to 255" + (f", or {', '.join(names)}" if names else "")
    return parse_number("icmp_code", value, 0, 255, wanted)


def parse_flags(value: Any) -> tuple[int, int]:
    """(want, mask) of `tcp_flags`."""
    spelled = parse_text("tcp_flags", value, _FLAGS).strip()
    want_text, slash, mask_text = spelled.partition("/")
    want = _flag_bits(value, want_text)
    mask = _flag_bits(value, mask_text) if slash else want
    if not mask:
        raise invalid("tcp_flags", value, "looks at no flag", _FLAGS)
    if want & ~mask:
        extra = flag_names(want & ~mask)
        raise invalid(
            "tcp_flags",
            value,
            f"wants {extra}, which its mask leaves out, so nothing could match",
            f"{flag_names(want)}/{flag_names(mask | want)}",
        )
    return want, mask


def _flag_bits(value: object, names: str) -> int:
    if names == "none":
        return 0
    bits = 0
    for name in names.split(","):
        bit = TCP_FLAGS.get(name.strip())
        if bit is None:
            problem = f"holds {name.strip()[:20]!r}, which is not a TCP flag"
            raise invalid("tcp_flags", value, problem, _FLAGS, hint=did_you_mean(name, TCP_FLAGS))
        bits |= bit
    return bits


def parse_tcp_flags(value: Any) -> str:
    """`syn/syn,ack`: both sides, flags in the header's order from the low bit."""
    want, mask = parse_flags(value)
    return f"{flag_names(want)}/{flag_names(mask)}"


def parse_vlan(value: Any) -> int | str:
    """100, `none`, `!100` or `!none`."""
    wanted = "a VLAN id from 0 to 4095, or none, with an optional ! in front"
    if isinstance(value, str):
        negated, body = split_negation(value)
        if body == "none":
            return "!none" if negated else "none"
        if negated:
            if not _VLAN.fullmatch(body) or int(body) > 4095:
                raise invalid("vlan", value, "is not a VLAN's id", wanted)
            return f"!{body}"
        value = body
    return parse_number("vlan", value, 0, 4095, wanted)


def _span(field: str, high: int) -> Callable[[Any], int | str]:
    wanted = f"a number or a range like 64-128, from 0 to {high}"

    def parse(value: Any) -> int | str:
        if not isinstance(value, str):
            return parse_number(field, value, 0, high, wanted)
        match = NUMBER_RANGE.fullmatch(value.strip())
        if not match:
            raise invalid(field, value, "is neither a number nor a range", wanted)
        first, last = int(match[1]), int(match[2] or match[1])
        if max(first, last) > high:
            raise invalid(field, value, "is out of range", wanted)
        if first > last:
            raise invalid(field, value, "runs backwards", f"{last}-{first}")
        return first if first == last else f"{first}-{last}"

    return parse


def parse_fragment(value: Any) -> bool | str:
    """true, false, `first` or `later`."""
    if value in ("first", "later"):
        return str(value)
    if isinstance(value, bool) or value in ("true", "false"):
        return parse_boolean("fragment", value)
    raise invalid("fragment", value, "is not known here", "true, false, first or later")


def parse_comment(value: Any) -> str | None:
    """Up to 256 characters on one line; an empty comment is none."""
    return parse_line("comment", value) or None


def parse_line(field: str, value: Any) -> str:
    """Up to 256 characters on one line that reads as it looks; it may be empty."""
    line = parse_text(field, value, f"up to {MAX_COMMENT} characters")
    if len(line) > MAX_COMMENT:
        raise invalid(field, value, f"has {len(line)} characters", f"at most {MAX_COMMENT} of them")
    if found := _HIDDEN.search(line):
        raise invalid(
            field,
            value,
            f"has a control character (U+{ord(found[0]):04X})",
            "one line of visible text",
        )
    return line


def _remembered(parse: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Cache a parser's results for the short texts that rules repeat: ports, protocols, names."""
    known = lru_cache(maxsize=4096)(parse)

    def look_up(value: Any) -> Any:
        return known(value) if type(value) is str and len(value) <= 32 else parse(value)

    return look_up


PARSERS: MappingProxyType[str, Callable[[Any], Any]] = MappingProxyType(
    {
        "id": parse_id,
        "action": parse_action,
        "iface": _remembered(parse_iface),
        "direction": parse_direction,
        "ethertype": parse_ethertype,
        "family": parse_family,
        "proto": parse_proto,
        "src": parse_src,
        "dst": parse_dst,
        "sport": _remembered(_ports("sport")),
        "dport": _remembered(_ports("dport")),
        "tcp_flags": _remembered(parse_tcp_flags),
        "vlan": _remembered(parse_vlan),
        "length": _remembered(_span("length", MAX_LENGTH)),
        "ttl": _remembered(_span("ttl", 255)),
        "fragment": parse_fragment,
        "state": parse_state,
        "keep": lambda value: parse_boolean("keep", value),
        "cookie": lambda value: parse_boolean("cookie", value),
        "limit": rate_parser("limit"),
        "over": rate_parser("over"),
        "expires": lambda value: parse_expiry("expires", value),
        "enabled": lambda value: parse_boolean("enabled", value),
        "log": lambda value: parse_boolean("log", value),
        "comment": parse_comment,
    }
)
"""Every field but icmp_type and icmp_code, which are read in the light of `proto`."""
