"""Three kinds of ruleset, as probabilities.

The access list's numbers are those of ClassBench's published seed acl1 (733 filters), rounded:
protocol 87 % TCP, 8 % any, 3 % ICMP, 1 % UDP; source ports always any; of TCP's destination
ports 65 % one, 13 % a range, 22 % any; both addresses single hosts in 85 % of the rules on one
port; nesting at most 4 deep. The other two follow what the paper says of the kinds in words: firewalls have
wildcards in either address and more UDP, ICMP and tunnels; IP chains mix both and use
source ports as well. Their numbers are ours.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Kind = Literal["acl", "fw", "ipc"]
Ports = Literal["any", "low", "high", "range", "one"]
"""ClassBench's WC, LO (0-1023), HI (1024-65535), AR (an arbitrary range), EM (one port)."""

Weighted = Mapping[tuple[int, int], float]


@dataclass(frozen=True)
class Shape:
    """Weights need not add up to 1."""

    protos: Mapping[str, float]
    """Names as rules have them; "any" is none."""
    ports: Mapping[tuple[Ports, Ports], float]
    """(source, destination), where the protocol has ports."""
    lengths: Weighted
    """(source, destination) prefix lengths of IPv4."""
    sites: int
    """Networks from which the addresses of 1,000 rules come."""
    nesting: float
    """Chance that a prefix lies in one that is there."""
    again: float
    """Chance that a prefix is one that is there."""


SHAPES: Mapping[Kind, Shape] = {
    "acl": Shape(
        protos={"tcp": 0.873, "any": 0.085, "icmp": 0.031, "udp": 0.011},
        ports={("any", "one"): 0.65, ("any", "any"): 0.22, ("any", "range"): 0.13},
        lengths={
            (32, 32): 0.62,
            (23, 32): 0.10,
            (31, 32): 0.06,
            (32, 31): 0.05,
            (30, 32): 0.04,
            (23, 31): 0.03,
            (32, 22): 0.03,
            (24, 24): 0.03,
            (16, 32): 0.02,
            (8, 0): 0.01,
            (0, 23): 0.01,
        },
        sites=12,
        nesting=0.5,
        again=0.35,
    ),
    "fw": Shape(
        protos={"tcp": 0.55, "udp": 0.25, "icmp": 0.06, "any": 0.10, "gre": 0.02, "esp": 0.02},
        ports={
            ("any", "one"): 0.50,
            ("any", "any"): 0.14,
            ("any", "range"): 0.10,
            ("high", "one"): 0.10,
            ("one", "high"): 0.06,
            ("one", "one"): 0.04,
            ("any", "high"): 0.03,
            ("one", "any"): 0.02,
            ("any", "low"): 0.01,
        },
        lengths={
            (0, 32): 0.30,
            (32, 0): 0.14,
            (32, 32): 0.18,
            (24, 32): 0.10,
            (32, 24): 0.06,
            (0, 24): 0.06,
            (16, 32): 0.04,
            (24, 24): 0.04,
            (0, 28): 0.03,
            (28, 28): 0.02,
            (8, 24): 0.02,
            (0, 0): 0.01,
        },
        sites=60,
        nesting=0.4,
        again=0.3,
    ),
    "ipc": Shape(
        protos={"tcp": 0.60, "udp": 0.22, "any": 0.12, "icmp": 0.06},
        ports={
            ("any", "one"): 0.42,
            ("any", "any"): 0.20,
            ("one", "any"): 0.10,
            ("one", "one"): 0.08,
            ("any", "range"): 0.06,
            ("high", "one"): 0.05,
            ("high", "high"): 0.04,
            ("any", "high"): 0.03,
            ("range", "any"): 0.01,
            ("low", "high"): 0.01,
        },
        lengths={
            (32, 32): 0.40,
            (24, 32): 0.12,
            (32, 24): 0.10,
            (24, 24): 0.10,
            (0, 32): 0.08,
            (32, 0): 0.05,
            (16, 24): 0.05,
            (27, 27): 0.04,
            (20, 32): 0.03,
            (16, 16): 0.02,
            (12, 20): 0.01,
        },
        sites=30,
        nesting=0.5,
        again=0.4,
    ),
}

SERVICES = (
    *(80, 443, 22, 53, 25, 21, 23, 110, 143, 123, 161, 389, 445, 1433, 1521, 1526, 3306),
    *(3389, 5432, 5631, 6000, 8080, 8443, 1221, 1525, 135, 139, 20, 69, 514, 554, 993, 995),
)
"""Of one port: half are one of these, the others any."""


def length6(length: int) -> int:
    """The IPv6 length in the place of an IPv4 one: hosts, links, sites, providers (RFC 6177)."""
    if length == 0:
        return 0
    if length == 32:
        return 128
    if length >= 28:
        return 96 + length - 4
    if length >= 24:
        return 64 - (length == 27) * 8
    return 48 if length >= 16 else 32
