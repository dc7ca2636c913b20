"""What a frame is made from, and the making."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from tests.support.packets import frames as f
from tests.support.packets.listener import hop_by_hop

AH_OF = 1000
"""In a recipe's chain, 1000 + n is an authentication header whose length field says n."""
WHOLE = (0, False)
"""(offset, more) of a packet that is not a fragment."""


@dataclass(frozen=True)
class Recipe:
    """What a frame is made from."""

    family: int = 4
    src: str = "10.0.0.1"
    dst: str = "10.0.1.1"
    proto: int = 17
    sport: int = 1024
    dport: int = 53
    kind: int = 8
    code: int = 0
    flags: int = 2
    ttl: int = 64
    payload: bytes = b""
    tags: tuple[tuple[int, int], ...] = ()
    """(ethertype, TCI), outermost first."""
    ident: int = 1
    before: tuple[int, ...] = ()
    """IPv6 extension headers before the fragment header."""
    behind: tuple[int, ...] = ()
    """And behind it."""
    hop_by_hop: bytes = b""
    """IPv6: a hop-by-hop header in front of them all with these options, 6 bytes or 14."""
    options: bytes = b""
    fragment: tuple[int, bool] = WHOLE
    atomic: bool = False
    """IPv6: a fragment header on a packet that is no fragment."""
    opaque: bytes | None = None
    """What stands for the upper layer of a later fragment."""
    keep: int | None = None
    """How many bytes of the upper layer there are; None: all of them."""


def build(recipe: Recipe) -> bytes:
    """The frame, nothing wrong with it but what the recipe says."""
    offset, more = recipe.fragment
    if recipe.opaque is not None and offset:
        inner = f.raw(recipe.proto, recipe.opaque)
    else:
        inner = _upper_layer(recipe)
    inner = replace(inner, data=inner.data[: recipe.keep])
    if recipe.family == 4:
        packet = f.ipv4(
            inner,
            src=recipe.src,
            dst=recipe.dst,
            ttl=recipe.ttl,
            ident=recipe.ident,
            offset=offset,
            more=more,
            options=recipe.options,
        )
    else:
        inner = _chain(recipe.behind, inner)
        if recipe.fragment != WHOLE or recipe.atomic:
            inner = f.fragment6(inner, offset=offset, more=more, ident=recipe.ident)
        inner = _chain(recipe.before, inner)
        if recipe.hop_by_hop:
            inner = hop_by_hop(recipe.hop_by_hop, inner)
        packet = f.ipv6(inner, src=recipe.src, dst=recipe.dst, hops=recipe.ttl)
    for ethertype, tci in reversed(recipe.tags):
        packet = f.tag(packet, tci, ethertype=ethertype)
        packet = replace(packet, number=ethertype)
    return f.ether(packet)


def _chain(numbers: Sequence[int], inner: f.Layer) -> f.Layer:
    for number in reversed(numbers):
        if number >= AH_OF:
            inner = f.ah(inner, words=number - AH_OF)
        elif number == 44:
            inner = f.fragment6(inner, ident=9)
        else:
            inner = f.option(number, inner, units=number % 3)
    return inner


def _upper_layer(recipe: Recipe) -> f.Layer:
    if recipe.proto == 6:
        tcp = f.tcp(recipe.payload, sport=recipe.sport, dport=recipe.dport).data
        return f.Layer(6, tcp[:13] + bytes([recipe.flags]) + tcp[14:])
    if recipe.proto == 17:
        return f.udp(recipe.payload, sport=recipe.sport, dport=recipe.dport)
    if recipe.proto == 132:
        return f.sctp(sport=recipe.sport, dport=recipe.dport)
    if recipe.proto in (1, 58):
        return f.raw(recipe.proto, f.icmp(recipe.kind, recipe.code, recipe.payload).data)
    return f.raw(recipe.proto, recipe.payload)
