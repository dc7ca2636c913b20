"""Addresses and prefixes: one spelling in, one spelling out. Pure.

Only what cannot be misread is taken: four decimal octets without leading zeros, or RFC 4291 text,
with an optional /LENGTH. Everything else is refused with the spelling that was probably meant.
"""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv6Address
from socket import AF_INET, AF_INET6, inet_ntop, inet_pton
from typing import Any, Literal, NamedTuple

from .inputs import invalid, parse_text, split_negation
from .names import NAME, parse_name

_WANTED = "an address or a prefix: 10.0.0.1, 10.0.0.0/8, 2001:db8::/32"
_LENGTH = re.compile(r"0|[1-9][0-9]{0,2}", re.ASCII)
_DOTTED = re.compile(r"[0-9]+(\.[0-9]+)*", re.ASCII)
CONTAINER = "container:"
"""In front of a container's name: in `src` and `dst` its addresses, in `iface` its ports."""
ENGINE_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]{0,127}", re.ASCII)
"""A container's or network's name, as containers/answers.py takes them."""
_MAPPED = 0xFFFF << 32
_HOST_BITS4 = {str(length): (1 << (32 - length)) - 1 for length in range(32)}
_HOST_BITS6 = {str(length): (1 << (128 - length)) - 1 for length in range(128)}


_LIST_HINTS = dict.fromkeys(
    ("src", "dst"), "several addresses are a set: `xdpwall set add NAME ADDRESS...`, then @NAME"
)
_CLAUSES = {"src": "from", "dst": "to"}
"""The word of a sentence for each field."""
_PORT_HINTS = {
    "src": "the source's port stands after sport: from 10.0.0.1 sport 40000",
    "dst": "the destination's port stands behind the protocol: tcp/22 to 10.0.0.1",
}
_MAC = re.compile(r"[0-9a-f]{2}([:-][0-9a-f]{2}){5}", re.ASCII | re.IGNORECASE)
_WITH_PORT = re.compile(r"[0-9.]+:[0-9]+", re.ASCII)

SetUse = tuple[bool, str]
"""(negated, name): `!@name` in `src` or `dst`."""


def parse_set_name(field: str, value: Any) -> str:
    """The name of a set, without the @ that a rule writes in front."""
    return parse_name(field, value, "a set's name")


def set_use(field: str, value: Any) -> SetUse | None:
    """Parse `@name` or `!@name`; None for anything that is no set."""
    if not isinstance(value, str):
        return None
    negated, body = split_negation(value)
    if not body.startswith("@"):
        return None
    if not NAME.fullmatch(body[1:]):
        wanted = "@ and 1 to 32 of a-z, 0-9, _ and -, beginning with a letter or a digit"
        raise invalid(field, value, "is not the name of a set", wanted)
    return negated, body[1:]


def container_use(value: Any) -> str | None:
    """The word itself of `container:NAME` in `src` or `dst`; None for anything else."""
    if not isinstance(value, str) or not value.startswith(CONTAINER):
        return None
    return value if ENGINE_NAME.fullmatch(value.removeprefix(CONTAINER)) else None


def parse_prefix(field: str, value: Any) -> tuple[bool, Prefix]:
    """(negated, prefix) of a `src` or `dst`."""
    negated, body = split_negation(parse_text(field, value, _WANTED))
    address, slash, length_text = body.partition("/")
    if "," in body:
        raise invalid(
            field, value, "is a list", "one address or prefix", hint=_LIST_HINTS.get(field)
        )
    family, number = _address(field, value, address, slash + length_text)
    bits = 32 if family == 4 else 128
    length = _length(field, value, address, length_text, bits) if slash else bits
    host = number & ((1 << (bits - length)) - 1)
    if host:
        network = prefix_text(Prefix(family, number - host, length))
        alone = f"{_spell(family, number)}/{bits}"
        raise invalid(
            field,
            value,
            "has host bits set",
            f"{network} (the network) or {alone} (the one address)",
        )
    if family == 6 and length >= 96 and number >> 32 == _MAPPED >> 32:
        inner = prefix_text(Prefix(4, number & 0xFFFFFFFF, length - 96))
        raise invalid(
            field,
            value,
            "is an IPv4 address mapped into IPv6, which no packet carries",
            f"the IPv4 spelling, {inner}",
        )
    return negated, Prefix(family, number, length)


def prefix_text(prefix: Prefix) -> str:
    """The canonical spelling: RFC 5952, /32 and /128 left out."""
    spelled = _spell(prefix.family, prefix.address)
    full = 32 if prefix.family == 4 else 128
    return spelled if prefix.length == full else f"{spelled}/{prefix.length}"


def canonical_address(field: str, value: Any) -> str:
    """The canonical text of a `src` or `dst`: a prefix or `@set`, either with `!` in front; or a container."""
    if type(value) is str and _is_canonical(value):
        return value
    if container_use(value) is not None:
        return str(value)
    named = set_use(field, value)
    if named is not None:
        return f"!@{named[1]}" if named[0] else f"@{named[1]}"
    negated, prefix = parse_prefix(field, value)
    spelled = prefix_text(prefix)
    return f"!{spelled}" if negated else spelled


def _is_canonical(value: str) -> bool:
    """Whether the text is canonical for sure, as most are. False means that it must be parsed."""
    address, slash, length = (value[1:] if value[:1] == "!" else value).partition("/")
    try:
        if ":" not in address:
            number = int.from_bytes(inet_pton(AF_INET, address), "big")  # takes one spelling only
            bits = _HOST_BITS4.get(length)
        else:
            packed = inet_pton(AF_INET6, address)
            number = int.from_bytes(packed, "big")
            bits = _HOST_BITS6.get(length)
            # Below 2**64 are the mapped ones, and those that inet_ntop writes with dots.
            if number >> 64 == 0 or inet_ntop(AF_INET6, packed) != address:
                return False
    except (OSError, ValueError):
        return False
    return not slash or bits is not None and number & bits == 0


def _spell(family: int, number: int) -> str:
    if family == 6:
        return str(IPv6Address(number))
    return f"{number >> 24}.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"


def _address(field: str, value: str, address: str, rest: str) -> tuple[Literal[4, 6], int]:
    try:
        if ":" in address:
            return 6, int.from_bytes(inet_pton(AF_INET6, address), "big")
        return 4, int.from_bytes(inet_pton(AF_INET, address), "big")
    except (OSError, ValueError):
        raise _why_no_address(field, value, address, rest) from None


def _why_no_address(field: str, value: str, address: str, rest: str) -> Exception:
    """Say why the text is no address, and what to write instead."""
    if address.startswith(CONTAINER):
        if value.startswith("!"):
            return invalid(field, value, "cannot be negated", f"{value[1:]} without the !")
        return invalid(
            field, value, "is not the name of a container", "container:NAME, like container:web"
        )
    if "%" in address:
        bare = address.partition("%")[0]
        return invalid(
            field,
            value,
            "has a zone id, which is not in packets",
            f"the address alone ({bare}{rest}), with the interface in iface",
        )
    if address.startswith("["):
        return invalid(field, value, "has brackets", f"{address.strip('[]')}{rest}")
    if address in ("any", "all", "anywhere", "everywhere", "everyone", "*", ""):
        word = _CLAUSES.get(field)
        hint = word and f"what a rule does not name is any: leave {word} out"
        wanted = f"{_WANTED}; leave {field} out for any"
        return invalid(field, value, "is not an address", wanted, hint=hint)
    if "*" in value or "-" in address and address[:1].isdigit():
        hint = _LIST_HINTS.get(field)
        return invalid(field, value, "is a range or a wildcard", _WANTED, hint=hint)
    if _DOTTED.fullmatch(address):
        return _why_no_ipv4(field, value, address.split("."), rest)
    if _MAC.fullmatch(address):
        return invalid(field, value, "is an Ethernet address, which rules do not read", _WANTED)
    if _WITH_PORT.fullmatch(address):
        hint = _PORT_HINTS.get(field)
        return invalid(field, value, "has a port, which is a field of its own", _WANTED, hint=hint)
    if ":" in address:
        return invalid(field, value, "is not an IPv6 address", _WANTED)
    hint = "names of hosts are not looked up"
    if field in _CLAUSES:
        hint = f"{hint}; a set is named @NAME, and an interface stands after on"
    return invalid(field, value, "is not an address", _WANTED, hint=hint)


def _why_no_ipv4(field: str, value: str, octets: list[str], rest: str) -> Exception:
    if len(octets) != 4:
        return invalid(
            field, value, f"has {len(octets)} of an IPv4 address's 4 numbers", "10.0.0.0/8 in full"
        )
    if any(len(octet) > 3 or int(octet) > 255 for octet in octets):
        return invalid(field, value, "has a number over 255", _WANTED)
    plain = ".".join(str(int(octet)) for octet in octets)
    return invalid(
        field,
        value,
        "has a leading zero, which some programs read as octal",
        f"{plain}{rest} if the numbers are decimal",
    )


def _length(field: str, value: str, address: str, length: str, bits: int) -> int:
    if _LENGTH.fullmatch(length) and int(length) <= bits:
        return int(length)
    if "." in length:
        problem, wanted = "has a netmask", f"a prefix length, {address}/8 for example"
        try:
            mask = int(IPv4Address(length))
        except ValueError:
            mask = 1
        inverse = mask ^ 0xFFFFFFFF
        if inverse & (inverse + 1) == 0:
            wanted = f"{address}/{mask.bit_count()}"
        elif mask & (mask + 1) == 0:
            problem, wanted = "has a wildcard mask", f"{address}/{32 - mask.bit_count()}"
        raise invalid(field, value, problem, wanted)
    raise invalid(field, value, "has a bad prefix length", f"a length from 0 to {bits}")


class Prefix(NamedTuple):
    """An address prefix: host bits are zero."""

    family: Literal[4, 6]
    address: int
    length: int
