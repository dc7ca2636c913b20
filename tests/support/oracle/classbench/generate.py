"""A ruleset of any size from a shape and a seed."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from random import Random
from typing import Any, Literal, TypeVar

from tests.support.oracle.classbench.prefixes import Prefixes
from tests.support.oracle.classbench.shapes import SERVICES, SHAPES, Kind, Ports, Shape, length6

Family = Literal["ipv4", "ipv6"]
BOTH: tuple[Family, ...] = ("ipv4", "ipv6")
MIXED: Mapping[str, float] = {"drop": 0.66, "accept": 0.32, "count": 0.02}
T = TypeVar("T")
_TRIES = 200
"""Draws per rule before a shape is called too small for that many different rules."""


def ruleset(
    kind: Kind,
    count: int,
    seed: int,
    *,
    families: Sequence[Family] = ("ipv4",),
    actions: Mapping[str, float] | None = None,
    spice: float = 0.0,
) -> list[dict[str, Any]]:
    """`count` different rules as JSON objects, more specific ones mostly first.

    `actions` are weights, all drop when not given. `spice` is the share of rules that also name
    fields that ClassBench does not know: VLAN, TTL, length, fragment.
    """
    random = Random(f"{kind} {count} {seed} {families}")
    shape = SHAPES[kind]
    sites = max(2, shape.sites * count // 1000)
    pools = {
        (family, side): Prefixes(
            random, 4 if family == "ipv4" else 6, sites, shape.nesting, shape.again
        )
        for family in families
        for side in ("src", "dst")
    }
    made: dict[str, tuple[float, dict[str, Any]]] = {}
    for _ in range(count * _TRIES):
        if len(made) == count:
            break
        family = random.choice(list(families))
        lengths = _pick(random, shape.lengths)
        rule = _rule(random, shape, family, lengths, pools)
        if random.random() < spice:
            rule |= _spice(random)
        key = json.dumps(rule, sort_keys=True)
        # Noise, so that a wider rule now and then stands before a narrower one inside it.
        made.setdefault(key, (sum(lengths) + random.gauss(0, 4), rule))
    else:
        raise ValueError(f"no {count} different rules of kind {kind}")
    ordered = [rule for _, rule in sorted(made.values(), key=lambda item: -item[0])]
    weights = actions or {"drop": 1.0}
    return [{"action": _pick(random, weights), **rule} for rule in ordered]


def _rule(
    random: Random,
    shape: Shape,
    family: Family,
    lengths: tuple[int, int],
    pools: Mapping[tuple[Family, str], Prefixes],
) -> dict[str, Any]:
    rule: dict[str, Any] = {}
    proto = _pick(random, shape.protos)
    if lengths == (0, 0):
        proto = random.choice(("tcp", "udp"))
    if proto == "icmp" and family == "ipv6":
        proto = "icmpv6"
    if proto != "any":
        rule["proto"] = proto
    for side, length in zip(("src", "dst"), lengths, strict=True):
        size = length if family == "ipv4" else length6(length)
        if prefix := pools[family, side].draw(size):
            rule[side] = prefix
    if not any(lengths):
        rule |= {"family": family, "dport": _ports(random, "one")}
    elif proto in ("tcp", "udp"):
        classes: tuple[Ports, Ports] = _pick(random, shape.ports)
        for side, ports in zip(("sport", "dport"), classes, strict=True):
            if text := _ports(random, ports):
                rule[side] = text
    if proto == "tcp" and random.random() < 0.05:
        rule["tcp_flags"] = random.choice(("syn/syn,ack", "ack/ack", "rst/rst"))
    if proto.startswith("icmp") and random.random() < 0.5:
        echo = {"icmp": (8, 0, 3, 11), "icmpv6": (128, 129, 1, 3)}[proto]
        rule["icmp_type"] = random.choice(echo)
    return rule


def _ports(random: Random, ports: Ports) -> str | None:
    if ports == "any":
        return None
    if ports == "one":
        known = random.random() < 0.5
        return str(random.choice(SERVICES) if known else random.randint(1, 65535))
    if ports == "range":
        low = random.randint(1, 65000)
        return f"{low}-{min(65535, low + random.choice((1, 4, 7, 9, 19, 49, 99, 999)))}"
    return "0-1023" if ports == "low" else "1024-65535"


def _spice(random: Random) -> dict[str, Any]:
    return random.choice(
        (
            {"vlan": random.choice((100, 200, "none", "!300"))},
            {"ttl": random.choice(("1-31", "32-255", "64"))},
            {"length": random.choice(("0-99", "100-65575", "40-60"))},
            {"fragment": random.choice((False, "first"))},
            {"direction": random.choice(("ingress", "egress"))},
        )
    )


def _pick(random: Random, weights: Mapping[T, float]) -> T:
    return random.choices(list(weights), list(weights.values()))[0]
