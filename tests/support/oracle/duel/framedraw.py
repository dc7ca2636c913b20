"""Random frames and trains of fragments, most of them aimed at a rule, many of them mangled."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import replace
from random import Random
from typing import Any

from tests.support.oracle.duel import ruledraw as pool
from tests.support.oracle.duel.case import Step
from tests.support.oracle.duel.duel import runnable
from tests.support.oracle.duel.mangle import mangle, put
from tests.support.oracle.duel.recipe import AH_OF, Recipe, build
from tests.support.packets import frames as f
from tests.support.packets.listener import ALERT, PADN, TYPES
from xdpwall.rule.match import VLAN_NONE, Match, match_of
from xdpwall.rule.rule import Rule
from xdpwall.values.addresses import Prefix
from xdpwall.values.ranges import Ranges
from xdpwall.values.terms import Place

PLACES: tuple[Place, ...] = ("xdp", "tc-ingress", "tc-egress")
TAG_TYPES = (0x8100, 0x8100, 0x88A8, 0x9100)
LISTENER: dict[str, Sequence[Any]] = {
    "src": ("fe80::1", "fe80::1", "febf::1", "::"),
    "kind": TYPES,
    "hop_by_hop": (
        *(ALERT + PADN, ALERT + bytes(2), PADN + ALERT, bytes(2) + ALERT, b"\0" + ALERT + b"\0"),
    ),
}
ALMOST_LISTENER: dict[str, Sequence[Any]] = {
    "src": ("fec0::", "fe40::1", "0:1::", *pool.V6),
    "kind": (129, 133, 142, 144, 128),
    "hop_by_hop": (
        *(ALERT + b"\0\1", b"\1\4" + ALERT, b"\5\2\0\1" + PADN, b"\xc2\4" + bytes(4)),
        *(ALERT + b"\1\x08" + bytes(8), b"\1\x08" + bytes(8) + ALERT, 3 * PADN, b""),
    ),
    "ttl": (0, 2, 255),
    "proto": (17, 1),
    "before": ((0,), (60,), (44,), (43,)),
    "atomic": (True,),
    "fragment": ((0, True), (2, False)),
}
EXTENSIONS = (0, 43, 60, 135, 139, 140, AH_OF + 4, AH_OF + 4, AH_OF + 1)


def draw_steps(random: Random, rules: Sequence[Rule], count: int) -> tuple[Step, ...]:
    """About `count` frames, each at a random place; a train's fragments mix with the others."""
    waiting: list[bytes] = []
    steps: list[Step] = []
    while len(steps) < count:
        if not waiting or random.random() < 0.5:
            waiting += draw_frames(random, rules)
        frame = waiting.pop(0 if random.random() < 0.7 else random.randrange(len(waiting)))
        for _ in range(random.choice((1, 1, 1, 2))):
            step = Step(random.choice(PLACES), frame)
            if runnable(step):
                steps.append(step)
    return tuple(steps)


def draw_frames(random: Random, rules: Sequence[Rule]) -> list[bytes]:
    """One frame, or the fragments of a datagram in some order."""
    roll = random.random()
    if roll < 0.08:
        return [_not_ip(random)]
    if roll < 0.11:
        return [mangle(random, build(_neighbor_discovery(random)), 0.25)]
    if roll < 0.15:
        return [mangle(random, build(_listener_discovery(random)), 0.25)]
    recipe = aim(random, draw_recipe(random), match_of(random.choice(rules)))
    roll = random.random()
    if roll < 0.1:
        return [_hiding(random, recipe)]
    if roll < 0.15:
        return [_ending_with_the_headers(random, recipe)]
    if recipe.family == 6 and roll < 0.2:
        return [_jumbogram(random, recipe)]
    if roll < 0.7:
        return [mangle(random, build(recipe), 0.25)]
    return _train(random, recipe)


def _hiding(random: Random, recipe: Recipe) -> bytes:
    """An upper layer so short that it hides something, or just does not: by the packet's length,
    with or without bytes behind the packet, or by the frame's end."""
    icmp = {4: 1, 6: 58}[recipe.family]
    recipe = replace(recipe, proto=random.choice((6, 17, 132, icmp, icmp, recipe.proto)))
    edges = {6: (0, 3, 4, 5, 13, 14), icmp: (0, 1, 2)}.get(recipe.proto, (0, 1, 2, 3, 4))
    short = build(replace(recipe, keep=random.choice(edges)))
    whole = build(recipe)
    return random.choice((short, short + random.randbytes(20), whole[: len(short)]))


def _ending_with_the_headers(random: Random, recipe: Recipe) -> bytes:
    """A frame or an IP packet that ends about where its headers do."""
    whole = build(recipe)
    end = len(build(replace(recipe, keep=0))) + random.choice((-9, -8, -7, -2, -1, 0, 1, 2))
    if random.random() < 0.5:
        return whole[:end]
    before_ip = 14 + 4 * len(recipe.tags)
    at, size = (2, end - before_ip) if recipe.family == 4 else (4, end - before_ip - 40)
    return put(whole, before_ip + at, (size & 0xFFFF).to_bytes(2, "big"))


def _jumbogram(random: Random, recipe: Recipe) -> bytes:
    """Payload length 0, and a hop-by-hop header that should say more."""
    before = random.choice(((0,), (0,), (0, 60), (60,), ()))
    recipe = replace(recipe, before=before, behind=(), tags=recipe.tags[:2])
    return mangle(random, put(build(recipe), 14 + 4 * len(recipe.tags) + 4, bytes(2)), 0.2)


def _neighbor_discovery(random: Random) -> Recipe:
    """Or almost: behind a header, from further away, of a type beside."""
    return replace(
        draw_recipe(random),
        family=6,
        src=random.choice(pool.V6),
        dst=random.choice(pool.V6),
        proto=58,
        kind=random.choice((132, 132, 133, 134, 135, 136, 137, 138)),
        ttl=random.choice((255, 255, 255, 254)),
        before=random.choice(((), (), (), (60,))),
        behind=(),
    )


def _listener_discovery(random: Random) -> Recipe:
    """Or almost: a part or two of it are not as they should be."""
    right = replace(
        draw_recipe(random),
        family=6,
        dst=random.choice(pool.V6),
        proto=58,
        ttl=1,
        before=(),
        behind=(),
        atomic=False,
        **{name: random.choice(some) for name, some in LISTENER.items()},
    )
    wrong = random.sample(list(ALMOST_LISTENER), random.choice((0, 0, 1, 1, 2)))
    return replace(right, **{name: random.choice(ALMOST_LISTENER[name]) for name in wrong})


def _train(random: Random, recipe: Recipe) -> list[bytes]:
    """Fragments of one datagram: missing, twice, out of order, overlapping, contradicting."""
    made = [build(replace(recipe, fragment=(0, True)))]
    if random.random() < 0.2:
        made = [_hiding(random, replace(recipe, fragment=(0, True)))]
    for _ in range(random.randint(1, 4)):
        roll = random.random()
        if roll < 0.15:  # another first fragment, which takes the place of the one before
            other = replace(
                recipe, fragment=(0, True), dport=random.choice(pool.PORTS), kind=255, flags=16
            )
            made.append(build(other))
            continue
        offset = random.choice((1, 1, 2, 3, 185, 4096, 8191))
        later = replace(recipe, fragment=(offset, random.random() < 0.5), opaque=_bytes(random, 24))
        if roll < 0.25:
            later = replace(later, proto=random.choice(pool.NUMBERS), behind=())
        elif roll < 0.3:
            later = replace(later, tags=draw_tags(random), ttl=random.choice(pool.TTLS))
        made.append(build(later))
    if random.random() < 0.3:
        random.shuffle(made)
    if random.random() < 0.15:
        del made[0]
    return [mangle(random, frame, 0.12) for frame in made]


def draw_recipe(random: Random) -> Recipe:
    """Every part from its pool."""
    family = random.choice((4, 6))
    addresses = pool.V4 if family == 4 else pool.V6
    proto = random.choice(pool.NUMBERS)
    if random.random() < 0.1:
        proto = {4: 1, 6: 58}[family]
    recipe = Recipe(
        family=family,
        src=random.choice(addresses),
        dst=random.choice(addresses),
        proto=proto,
        sport=random.choice(pool.PORTS),
        dport=random.choice(pool.PORTS),
        kind=random.choice(pool.TYPES),
        code=random.choice(pool.CODES),
        flags=random.choice((0, 2, 16, 18, 255, random.randrange(256))),
        ttl=random.choice(pool.TTLS),
        payload=_bytes(random, random.choice((0, 0, 4, 8, 20, 60))),
        tags=draw_tags(random),
        ident=random.choice((0, 1, 1, 2, 0xFFFF)),
    )
    if family == 4:
        return replace(recipe, options=random.choice((b"", b"", b"", bytes(4), bytes(40))))
    many = random.choice((0, 0, 0, 1, 1, 2, 4, 7, 8, 9))
    chain = [random.choice(EXTENSIONS) for _ in range(many)]
    if random.random() < 0.08:
        chain.append(random.choice((44, 44, AH_OF)))
    cut = random.choice((0, len(chain), random.randint(0, len(chain))))
    atomic = random.random() < 0.1
    return replace(recipe, before=tuple(chain[:cut]), behind=tuple(chain[cut:]), atomic=atomic)


def draw_tags(random: Random) -> tuple[tuple[int, int], ...]:
    """None mostly, up to three."""
    many = random.choice((0, 0, 0, 0, 0, 1, 1, 2, 2, 3))
    return tuple(
        (random.choice(TAG_TYPES), random.choice(pool.VLANS) | random.choice((0, 0x2000, 0x1000)))
        for _ in range(many)
    )


def aim(random: Random, recipe: Recipe, m: Match) -> Recipe:
    """Most of the recipe's parts, as the rule wants them or just beside."""

    def wanted(value: object) -> bool:
        return value is not None and random.random() < 0.85

    if m.vlan is not None and wanted(m.vlan):
        vlan = m.vlan[1]
        recipe = replace(recipe, tags=() if vlan == VLAN_NONE else ((0x8100, vlan),))
    if m.ethertype is not None:
        return recipe
    proto = recipe.proto if m.proto is None or not wanted(m.proto) else m.proto
    family = recipe.family if m.family is None or not wanted(m.family) else m.family
    if family != recipe.family:
        recipe = replace(draw_recipe(random), tags=recipe.tags)
        other = pool.V4 if family == 4 else pool.V6
        src, dst = random.choice(other), random.choice(other)
        recipe = replace(
            recipe, family=family, src=src, dst=dst, before=(), behind=(), options=b"", atomic=False
        )
    recipe = replace(recipe, proto=proto)
    for name, prefix in (("src", m.src), ("dst", m.dst)):
        if prefix is not None and prefix[1].family == family and wanted(prefix):
            recipe = replace(recipe, **{name: _near(random, prefix[1])})  # type: ignore[arg-type]
    for name, ports in (("sport", m.sport), ("dport", m.dport)):
        if ports is not None and wanted(ports):
            recipe = replace(recipe, **{name: _inside(random, ports[1])})  # type: ignore[arg-type]
    if m.ttl is not None and wanted(m.ttl):
        recipe = replace(recipe, ttl=_inside(random, (m.ttl,)) & 255)
    if m.icmp_type is not None and wanted(m.icmp_type):
        recipe = replace(recipe, kind=m.icmp_type)
    if m.icmp_code is not None and wanted(m.icmp_code):
        recipe = replace(recipe, code=m.icmp_code)
    if m.tcp_flags is not None and wanted(m.tcp_flags):
        want, mask = m.tcp_flags
        recipe = replace(recipe, flags=want | random.randrange(256) & ~mask)
    if m.length is not None and wanted(m.length):
        recipe = _of_length(recipe, random.choice(m.length))
    if m.fragment in ("any", "first"):
        recipe = replace(recipe, fragment=(0, True))
    if m.fragment == "later" and wanted(m.fragment):
        recipe = replace(recipe, fragment=(3, False), opaque=b"12345678")
    return recipe


def _near(random: Random, prefix: Prefix) -> str:
    """An address in a prefix, at its edges often, sometimes just outside."""
    bits = 32 if prefix.family == 4 else 128
    span = 1 << (bits - prefix.length)
    offsets = (0, span - 1, random.randrange(span), random.randrange(span), -1, span)
    number = (prefix.address + random.choice(offsets)) % (1 << bits)
    ip = ipaddress.IPv4Address if prefix.family == 4 else ipaddress.IPv6Address
    return str(ip(number))


def _inside(random: Random, ranges: Ranges) -> int:
    low, high = random.choice(ranges)
    return random.choice((low, high, random.randint(low, high), low - 1, high + 1)) & 0xFFFF


def _of_length(recipe: Recipe, length: int) -> Recipe:
    """Padded with payload until the IP packet has this length, when it can be reached."""
    now = len(build(replace(recipe, payload=b"", tags=()))) - 14
    return replace(recipe, payload=bytes(min(max(0, length - now), 1600)))


def _not_ip(random: Random) -> bytes:
    inner = random.choice(
        (
            f.arp(),
            f.llc(),
            f.llc(b"\xaa\xaa\x03\0\0\0\x08\0" + f.ipv4(f.udp()).data),  # SNAP
            f.Layer(random.choice(pool.ETHERTYPES), bytes(40)),
            f.Layer(0x05FF, bytes(40)),
        )
    )
    for ethertype, tci in draw_tags(random):
        inner = f.tag(inner, tci, ethertype=ethertype)
    return mangle(random, f.ether(inner, pad=random.choice((0, 60))), 0.1)


def _bytes(random: Random, size: int) -> bytes:
    return random.randbytes(size)
