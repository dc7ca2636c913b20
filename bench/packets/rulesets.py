"""The rules of every measurement, and packets that match the first, the last, any, or none of them.

"hosts" can be said to every filter: rule i drops DNS from one scattered source. "acl", "fw" and "ipc"
are generated after ClassBench (tests/support/oracle/classbench), every rule a drop.
"""

from __future__ import annotations

import functools
import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, Literal

from tests.support.oracle.classbench.generate import ruleset
from tests.support.oracle.classbench.traffic import hits, plain, stranger
from tests.support.oracle.reference.columns import Columns
from tests.support.oracle.reference.decode import decode
from tests.support.oracle.reference.fast import judge_many
from tests.support.oracle.reference.judge import Attachment
from tests.support.packets.frames import ether, ipv4, ipv6, udp
from xdpwall.rule.rule import Rule
from xdpwall.ruleset.policy import Policy

Family = Literal["ipv4", "ipv6"]
Case = Literal["first", "last", "random", "none", "hit", "miss", "near"]
Kind = Literal["hosts", "acl", "fw", "ipc"]

CASES: tuple[Case, ...] = ("first", "last", "random", "none")
SEED = 20_261_121
STREAM = 8_192
"""Number of different frames in a stream."""
_STRIDE = 2654435761  # odd, so that i * _STRIDE is a permutation of every 2**k numbers
_STRANGER = (1 << 20) + 1
"""The number of a source that no rule has."""
SEVERAL = 64
"""Frames for a mean by test-run; also the number of rules at either end that frames are drawn for, to
find the first and the last rule that a packet can match."""
_SPREAD: tuple[Case, ...] = ("random", "none")


def source(i: int, family: Family) -> str:
    """The address of host `i`: one of 2**24 in 10.0.0.0/8, or one of as many /128s far apart."""
    spread = i * _STRIDE % (1 << 24)
    if family == "ipv4":
        return str(ipaddress.IPv4Address((10 << 24) + spread))
    far = 0x20010DB8 << 96 | spread << 64 | i
    return str(ipaddress.IPv6Address(far))


def rules(kind: Kind, count: int, family: Family) -> list[dict[str, Any]]:
    """`count` rules as JSON objects."""
    if kind != "hosts":
        return ruleset(kind, count, SEED, families=(family,))
    return [
        {"action": "drop", "proto": "udp", "src": source(i, family), "dport": "53"}
        for i in range(count)
    ]


@functools.lru_cache(maxsize=64)
def parsed(kind: Kind, count: int, family: Family) -> tuple[Rule, ...]:
    """The same rules, parsed."""
    return tuple(map(Rule.parse, rules(kind, count, family)))


def cases(count: int) -> tuple[Case, ...]:
    """The cases that differ with `count` rules."""
    return ("none",) if count == 0 else ("first", "none") if count == 1 else CASES


@dataclass(frozen=True)
class PacketStreams:
    """Frames for one ruleset, all of one length. `random` and `none` have SEVERAL of them."""

    first: bytes
    last: bytes
    random: tuple[bytes, ...]
    none: tuple[bytes, ...]

    def of(self, case: Case) -> tuple[bytes, ...]:
        """The frames of a case."""
        if case in ("first", "last"):
            return (self.first if case == "first" else self.last,)
        return self.random if case == "random" else self.none


@functools.lru_cache(maxsize=64)
def packets(kind: Kind, count: int, family: Family) -> PacketStreams:
    """Packets of each case, as the reference classifies them. Deterministic."""
    if kind == "hosts":
        some, none = (stream(kind, count, family, case)[:SEVERAL] for case in _SPREAD)
        return PacketStreams(host(0, family), host(count - 1, family), some, none)
    random = Random(f"{kind} {count} {family}")
    known = parsed(kind, count, family)
    ends = sorted({*range(min(count, SEVERAL)), *range(max(0, count - SEVERAL), count)})
    drawn = [frame for _, frame in hits(random, known, ends, tries=4)]
    met = sorted((d, n) for n, d in enumerate(decided(known, drawn)) if d >= 0)
    return PacketStreams(
        drawn[met[0][1]],
        drawn[met[-1][1]],
        stream(kind, count, family, "random")[:SEVERAL],
        _strangers(random, known, family, SEVERAL),
    )


def stream(kind: Kind, count: int, family: Family, case: Case) -> tuple[bytes, ...]:
    """STREAM different packets: "random" matches random rules, "none" none of them."""
    random = Random(f"{kind} {count} {family} {case}")
    sports = range(1024, 1024 + STREAM)
    if kind == "hosts":
        if case == "none":
            return tuple(host(_STRANGER + n, family, port) for n, port in enumerate(sports))
        return tuple(host(random.randrange(max(1, count)), family, port) for port in sports)
    known = parsed(kind, count, family)
    if case == "none":
        return _strangers(random, known, family, STREAM)
    some = random.choices(range(count), k=STREAM)
    return tuple(frame for _, frame in hits(random, known, some, tries=1))


def _strangers(
    random: Random, known: Sequence[Rule], family: Family, count: int
) -> tuple[bytes, ...]:
    found: list[bytes] = []
    while len(found) < count:
        drawn = [plain(stranger(random, 4 if family == "ipv4" else 6)) for _ in range(count)]
        found += [f for f, d in zip(drawn, decided(known, drawn), strict=True) if d < 0]
    return tuple(found[:count])


def decided(known: Sequence[Rule], frames: Sequence[bytes]) -> list[int]:
    """The rule that decides each frame, -1 for none."""
    columns = Columns.of(map(decode, frames))
    found: list[int] = judge_many(
        columns, known, Policy(), Attachment("eth0", "ingress")
    ).decider.tolist()
    return found


def host(number: int, family: Family, sport: int = 1024) -> bytes:
    """A UDP packet to port 53 from a host: 60 bytes for IPv4, 78 for IPv6."""
    src = source(number, family)
    if family == "ipv4":
        return ether(ipv4(udp(bytes(18), sport=sport), src=src))
    return ether(ipv6(udp(bytes(16), sport=sport), src=src))
