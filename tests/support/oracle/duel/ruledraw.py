"""Random rulesets whose values come from small pools, so that rules overlap and frames hit them."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from random import Random
from typing import Any

from xdpwall.rule.rule import Rule
from xdpwall.ruleset.policy import Policy

V4 = ("10.0.0.1", "10.0.0.2", "10.0.1.1", "10.128.0.1", "192.0.2.7", "255.255.255.255", "0.0.0.0")
V6 = ("2001:db8::1", "2001:db8::2", "2001:db8:1::1", "2001:db9::1", "fe80::1", "ff02::1", "::")
PORTS = (0, 1, 22, 53, 80, 443, 1024, 8080, 65535)
TYPES = (0, 3, 8, 128, 129, 133, 135, 137, 255)
CODES = (0, 1, 4, 255)
TTLS = (0, 1, 64, 254, 255)
VLANS = (0, 1, 7, 100, 4095)
ETHERTYPES = (0x0806, 0x88CC, 0x88B5, 0x0600, 0xFFFF, 0x8100)
LENGTHS = (20, 28, 36, 40, 44, 48, 56, 60, 64, 84, 1500, 65535)
NUMBERS = (6, 17, 132, 1, 58, 6, 17, 1, 58, 47, 50, 51, 59, 4, 41, 99, 0, 44, 60, 255)
FLAGS = ("fin", "syn", "rst", "psh", "ack", "urg", "ece", "cwr")

ANY = (0.1, 0.2, 0.35, 0.6)
NARROW = (0.6, 0.8)


def draw_rules(random: Random) -> tuple[Rule, ...]:
    """Mostly a handful; sometimes more than one or many words of a bit vector hold.

    The many are narrow, so that frames get deep into them.
    """
    if random.random() < 0.015:
        return tuple(draw_rule(random, NARROW) for _ in range(random.randint(200, 2500)))
    count = random.choice((1, 2, 3, 5, 8, 8, 12, 12, 20, 40, 70, 150))
    eagerness = random.choice((ANY, ANY, NARROW)) if count > 8 else ANY
    return tuple(draw_rule(random, eagerness) for _ in range(count))


def draw_policy(random: Random) -> Policy:
    """Any policy."""
    return Policy(
        ingress=random.choice(("accept", "drop")),
        egress=random.choice(("accept", "drop")),
        non_ip=random.choice(("accept", "drop")),
        neighbor_discovery=random.choice(("accept", "judge")),
    )


def draw_rule(random: Random, eagerness: Sequence[float] = ANY) -> Rule:
    """A rule of no, some or many fields; `eagerness`: the chances of an ordinary field."""
    eager = random.choice(eagerness)

    def maybe(chance: float = 1.0) -> bool:
        return random.random() < eager * chance

    rule: dict[str, Any] = {"action": random.choice(("drop", "drop", "accept", "accept", "count"))}
    if maybe(0.3):
        rule["iface"] = random.choice(("eth0", "!eth0", "eth1", "!eth1", "eth*", "!e*0", "*1"))
    if maybe(0.5):
        rule["direction"] = random.choice(("ingress", "egress"))
    if maybe(0.6):
        rule["vlan"] = random.choice(("none", "!none", *VLANS, *(f"!{v}" for v in VLANS)))
    if maybe(0.2):
        rule["expires"] = random.choice(("2020-01-01T00:00:00Z", "2100-01-01T00:00:00Z"))
    if random.random() < 0.12:
        rule["ethertype"] = random.choice(("any", *(f"{e:#06x}" for e in ETHERTYPES)))
        return Rule.parse(rule)
    if maybe(2):
        rule["proto"] = random.choice(NUMBERS)
    family = {1: 4, 58: 6}.get(rule.get("proto", -1)) or random.choice((4, 6))
    if maybe():
        rule["family"] = f"ipv{family}"
    for name in ("src", "dst"):
        if maybe():
            rule[name] = draw_prefix(random, family)
    if maybe(0.5):
        rule["length"] = draw_span(random, LENGTHS)
    if maybe(0.5):
        rule["ttl"] = draw_span(random, TTLS)
    if maybe():
        rule["fragment"] = random.choice((True, False, "first", "later"))
    rule |= _upper_layer(random, rule.get("proto"))
    return Rule.parse(rule)


def _upper_layer(random: Random, proto: int | None) -> dict[str, Any]:
    rule: dict[str, Any] = {}
    if proto in (6, 17, 132):
        for name in ("sport", "dport"):
            if random.random() < 0.4:
                rule[name] = draw_ports(random)
    if proto == 6 and random.random() < 0.3:
        mask = random.sample(FLAGS, random.randint(1, 4))
        want = [flag for flag in mask if random.random() < 0.5]
        rule["tcp_flags"] = f"{','.join(want) or 'none'}/{','.join(mask)}"
    if proto in (1, 58) and random.random() < 0.6:
        rule["icmp_type"] = random.choice(TYPES)
        if random.random() < 0.4:
            rule["icmp_code"] = random.choice(CODES)
    return rule


def draw_prefix(random: Random, family: int) -> str:
    """Around a pool address, of any length, long and short ones more often."""
    bits = 32 if family == 4 else 128
    length = random.choice((0, 1, 8, 9, 16, 24, 31, 32, 33, 48, 64, 65, 127, 128, None))
    if length is None or length > bits:
        length = random.choice((bits, random.randint(0, bits)))
    address = random.choice(V4 if family == 4 else V6)
    network = ipaddress.ip_network(f"{address}/{length}", strict=False)
    return random.choice(("", "", "!")) + str(network)


def draw_ports(random: Random) -> str:
    """A port, a range or a list, some negated."""
    parts = []
    for _ in range(random.choice((1, 1, 1, 2, 4))):
        low = random.choice(PORTS)
        high = random.choice([port for port in PORTS if port >= low])
        parts.append(random.choice((f"{low}", f"{low}-{high}")))
    return random.choice(("", "", "!")) + ",".join(parts)


def draw_span(random: Random, pool: tuple[int, ...]) -> str:
    """A number or a range."""
    low, high = sorted((random.choice(pool), random.choice(pool)))
    return random.choice((f"{low}", f"{low}-{high}"))
