"""The rules and frames of every measurement: rule i drops DNS from one scattered source."""

from __future__ import annotations

import ipaddress
from typing import Any, Literal

from tests.support.frames import ether, ipv4, ipv6, udp

Family = Literal["ipv4", "ipv6"]
Case = Literal["first", "last", "miss"]
"""The packet meets the first rule, the last one, or none."""

CASES: tuple[Case, ...] = ("first", "last", "miss")
_STRIDE = 2654435761  # odd, so that i * _STRIDE is a permutation of every 2**k numbers
_STRANGER = (1 << 20) + 1
"""The number of a source that no rule names."""


def source(i: int, family: Family) -> str:
    """The address of rule `i`: one of 2**24 in 10.0.0.0/8, or one of as many /128s far apart."""
    spread = i * _STRIDE % (1 << 24)
    if family == "ipv4":
        return str(ipaddress.IPv4Address((10 << 24) + spread))
    far = 0x20010DB8 << 96 | spread << 64 | i
    return str(ipaddress.IPv6Address(far))


def rules(count: int, family: Family) -> list[dict[str, Any]]:
    """`count` rules as JSON objects."""
    return [
        {"action": "drop", "proto": "udp", "src": source(i, family), "dport": "53"}
        for i in range(count)
    ]


def cases(count: int) -> tuple[Case, ...]:
    """The cases that differ with `count` rules."""
    return ("miss",) if count == 0 else ("first", "miss") if count == 1 else CASES


def frame(case: Case, count: int, family: Family) -> bytes:
    """A UDP packet to port 53: 60 bytes for IPv4, 62 for IPv6."""
    number = {"first": 0, "last": count - 1, "miss": _STRANGER}[case]
    src = source(number, family)
    if family == "ipv4":
        return ether(ipv4(udp(bytes(18)), src=src))
    return ether(ipv6(udp(b""), src=src))
