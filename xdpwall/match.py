"""A rule's match fields in numbers: what the compiler and the reference classifier consume.

The model keeps fields as a person reads them; this is the same thing parsed once. Pure.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from .rule import Rule

VLAN_NONE = -1
"""The value of `vlan: none` in Match.vlan."""

Ranges = tuple[tuple[int, int], ...]
"""Sorted, disjoint, non-adjacent inclusive ranges."""


class Prefix(NamedTuple):
    """An address prefix: host bits are zero."""

    family: Literal[4, 6]
    address: int
    length: int


class Match(NamedTuple):
    """Absent (None) means any. Each (negated, value) pair is what `!` stands for in the field.

    A negated prefix is about its own family only. `iface` is matched by the compiler against the
    attachments' names.
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
    """(negated, the set's name); `src` is None then. A negated set is about both families."""
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


def match_of(rule: Rule) -> Match:
    """What a canonical rule matches, in numbers. Remembered, since a ruleset is compiled often."""
    return rule.numbers(_reader())


@cache
def _reader() -> Callable[[Rule], Match]:
    """Known once: an import in every call is a sixth of its time."""
    from .matching import numbers_of

    return numbers_of
