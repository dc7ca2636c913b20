"""Packets for a ruleset."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Sequence
from dataclasses import replace
from random import Random

from tests.support.oracle.duel.framedraw import aim, draw_frames, draw_recipe
from tests.support.oracle.duel.recipe import Recipe, build
from xdpwall.rule.match import VLAN_NONE, Match, match_of
from xdpwall.rule.rule import Rule
from xdpwall.values.addresses import Prefix
from xdpwall.values.ranges import Ranges

NOWHERE = {4: ("203.0.113.", "198.51.100."), 6: ("2001:db8:1::", "2001:db8:2::")}
"""Source and destination of packets that no generated address fits (RFC 5737, RFC 3849)."""
_PLAIN = {4: 60, 6: 78}
"""Bytes of a frame without payload that hold a TCP header."""


def inside(random: Random, m: Match) -> Recipe:
    """A packet that a rule of the generator matches, on both ports and addresses anywhere in it."""
    family: int = m.family or random.choice((4, 6))
    recipe = stranger(random, family)
    proto = m.proto if m.proto is not None else recipe.proto
    recipe = replace(
        recipe,
        proto=proto,
        src=_address(random, m.src, recipe.src),
        dst=_address(random, m.dst, recipe.dst),
        sport=_port(random, m.sport, recipe.sport),
        dport=_port(random, m.dport, recipe.dport),
        kind=recipe.kind if m.icmp_type is None else m.icmp_type,
        ttl=recipe.ttl if m.ttl is None else random.randint(*m.ttl),
    )
    if m.tcp_flags is not None:
        want, mask = m.tcp_flags
        recipe = replace(recipe, flags=want | recipe.flags & ~mask)
    if m.vlan is not None:
        negated, number = m.vlan
        tagged = (number == VLAN_NONE) == negated
        recipe = replace(recipe, tags=((0x8100, number if number > 0 else 7),) if tagged else ())
        if negated and number >= 0:
            recipe = replace(recipe, tags=())
    if m.fragment == "first":
        recipe = replace(recipe, fragment=(0, True))
    if m.length is not None:
        now = len(build(replace(recipe, tags=()))) - 14
        wanted = min(max(m.length[0], now), m.length[1])
        recipe = replace(recipe, payload=bytes(max(0, min(wanted - now, 1400))))
    return recipe


def beside(random: Random, m: Match, other: Match) -> Recipe:
    """A packet inside one rule but for one field, which is another rule's."""
    recipe, its = inside(random, m), inside(random, other)
    names = ["sport", "dport", "proto", "flags", "kind", "ttl"]
    names += ["src", "dst"] if recipe.family == its.family else []
    name = random.choice(names)
    if name == "proto" and recipe.family != its.family:
        return replace(recipe, proto=random.choice((6, 17)))
    changed: Recipe = replace(recipe, **{name: getattr(its, name)})
    return changed


def stranger(random: Random, family: int) -> Recipe:
    """From and to addresses that no generated rule names, TCP, UDP or ICMP."""
    src, dst = NOWHERE[family]
    return Recipe(
        family=family,
        src=src + str(random.randrange(1, 255)),
        dst=dst + str(random.randrange(1, 255)),
        proto=random.choice((6, 6, 17, 1 if family == 4 else 58)),
        sport=random.randint(1024, 65535),
        dport=random.randint(1, 65535),
        flags=random.choice((2, 16, 18, 24)),
        kind=random.choice((8, 0, 3, 11, 128, 129)),
        ident=random.randrange(1 << 16),
    )


def mixture(random: Random, rules: Sequence[Rule], count: int) -> list[bytes]:
    """Frames that hit any rule (half of them), just miss one, are strangers, or are malformed."""
    matches = [m for m in map(match_of, rules) if m.ethertype is None]
    frames: list[bytes] = []
    while len(frames) < count:
        roll = random.random()
        if roll < 0.5:
            frames.append(build(inside(random, random.choice(matches))))
        elif roll < 0.7:
            frames.append(build(beside(random, random.choice(matches), random.choice(matches))))
        elif roll < 0.85:
            recipe = inside(random, random.choice(matches))
            frames.append(build(aim(random, recipe, random.choice(matches))))
        elif roll < 0.93:
            frames.append(build(stranger(random, random.choice((4, 6)))))
        elif roll < 0.96:
            frames.append(build(draw_recipe(random)))
        else:
            frames += draw_frames(random, random.choices(rules, k=1))
    return frames[:count]


def hits(
    random: Random, rules: Sequence[Rule], wanted: Sequence[int], tries: int = 50
) -> Iterator[tuple[int, bytes]]:
    """(rule's index, a frame drawn inside it), `tries` of each; an earlier rule may take it."""
    for index in wanted:
        m = match_of(rules[index])
        for _ in range(tries):
            yield index, plain(inside(random, m))


def plain(recipe: Recipe) -> bytes:
    """Its frame, padded to one length for each family."""
    frame = build(recipe)
    return frame.ljust(_PLAIN[recipe.family], b"\0")


def _address(random: Random, given: tuple[bool, Prefix] | None, otherwise: str) -> str:
    if given is None or given[0]:
        return otherwise
    prefix = given[1]
    bits = 32 if prefix.family == 4 else 128
    number = prefix.address | random.getrandbits(bits - prefix.length or 1) * (prefix.length < bits)
    ip = ipaddress.IPv4Address if prefix.family == 4 else ipaddress.IPv6Address
    return str(ip(number))


def _port(random: Random, given: tuple[bool, Ranges] | None, otherwise: int) -> int:
    if given is None or given[0]:
        return otherwise
    return random.randint(*random.choice(given[1]))
