"""The sets of every measurement: addresses or prefixes, scattered as block lists are."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any, Literal, cast

import numpy as np

from tests.support.frames import ether, ipv4, ipv6, udp
from xdpwall.setentries import Entries

from .rulesets import SEED, Case, Family

SetKind = Literal["addresses", "prefixes"]
Array = np.ndarray[Any, np.dtype[Any]]

STREAM = 65_536
"""Different packets of a stream, so that a big set is met all over and not from a cache."""
_FIRST, _LAST = 1 << 24, 224 << 24
"""Unicast IPv4: 14.6 million /24s."""
_LENGTHS4 = {24: 0.55, 23: 0.08, 22: 0.07, 21: 0.03, 20: 0.02, 28: 0.10, 29: 0.08, 30: 0.07}
"""As in public lists of networks, mostly whole /24s; ours."""
_LENGTHS6 = {32: 0.05, 40: 0.05, 44: 0.05, 48: 0.45, 56: 0.15, 64: 0.25}


@functools.lru_cache(maxsize=4)
def entries(kind: SetKind, size: int, family: Family) -> Entries:
    """`size` of them, none inside another. The same arguments, the same entries."""
    random = np.random.default_rng([SEED, size, kind == "prefixes", family == "ipv6"])
    empty = Entries.empty()
    if kind == "addresses":
        if family == "ipv4":
            return Entries(_some4(random, size), empty.v6, empty.p4, empty.p6)
        return Entries(empty.v4, _some6(random, size), empty.p4, empty.p6)
    draws = size + size // 2
    if family == "ipv4":
        lengths = random.choice(list(_LENGTHS4), draws, p=list(_LENGTHS4.values())).astype(
            np.uint64
        )
        shift = np.uint64(32) - lengths
        address = _draw4(random, draws) >> shift << shift
        found = Entries(empty.v4, empty.v6, np.unique(address << np.uint64(8) | lengths), empty.p6)
    else:
        lengths = random.choice(list(_LENGTHS6), draws, p=list(_LENGTHS6.values())).astype(
            np.uint64
        )
        shift = np.uint64(64) - lengths
        high = _draw6(random, draws) >> shift << shift
        p6 = np.zeros(draws, dtype=empty.p6.dtype)
        p6["hi"], p6["length"] = high, lengths
        found = Entries(empty.v4, empty.v6, empty.p4, np.unique(p6))
    found = found.covered()[0]
    keep = np.sort(random.choice(len(found), size, replace=False))
    if family == "ipv4":
        return Entries(empty.v4, empty.v6, found.p4[keep], empty.p6)
    return Entries(empty.v4, empty.v6, empty.p4, found.p6[keep])


def frames(
    kind: SetKind, size: int, family: Family, case: Case, count: int = STREAM
) -> list[bytes]:
    """`count` packets: from members ("hit"), from anywhere else ("miss"), or from just beside
    members ("near"), where whatever tells quickly that an address is in no set must look closer."""
    random = np.random.default_rng([SEED, size, len(case)])
    wanted = entries(kind, size, family)
    numbers: list[int] = []
    while len(numbers) < count:
        if case == "miss":
            drawn = _draw4(random, count) if family == "ipv4" else _draw6(random, count)
            found = [int(n) for n in drawn]
            if family == "ipv6":
                found = [n << 64 | 1 for n in found]
        else:
            found = _members(random, wanted, family, count)
            if case == "near":
                found = [n ^ 1 for n in found] if kind == "addresses" else _beside(found, family)
        if case != "hit":
            found = [
                n
                for n, inside in zip(found, _inside(wanted, found, family), strict=True)
                if not inside
            ]
        numbers += found
    return [_frame(n, family) for n in numbers[:count]]


def _members(random: np.random.Generator, wanted: Entries, family: Family, count: int) -> list[int]:
    picked = random.integers(0, len(wanted), count)
    spread = [int(n) for n in random.integers(0, 1 << 62, count)]
    if family == "ipv4":
        if len(wanted.v4):
            return [int(n) for n in wanted.v4[picked]]
        chosen = [(int(n) >> 8, 32 - int(n) % 256) for n in wanted.p4[picked]]
    elif len(wanted.v6):
        return [int(high) << 64 | int(low) for high, low in wanted.v6[picked]]
    else:
        chosen = [(int(p["hi"]) << 64, 128 - int(p["length"])) for p in wanted.p6[picked]]
    return [
        base | (more & ((1 << bits) - 1)) for (base, bits), more in zip(chosen, spread, strict=True)
    ]


def _beside(members: Sequence[int], family: Family) -> list[int]:
    """In the same /24 or /32 mostly, a bit of the network flipped."""
    return [n ^ (1 << (8 if family == "ipv4" else 84)) for n in members]


def _inside(wanted: Entries, numbers: Sequence[int], family: Family) -> list[bool]:
    if family == "ipv4":
        if len(wanted.v4):
            held = set(wanted.v4.tolist())
            return [n in held for n in numbers]
        held = set(wanted.p4.tolist())
        lengths = sorted({n % 256 for n in held})
        return [
            any((n >> 32 - size << 32 - size) << 8 | size in held for size in lengths)
            for n in numbers
        ]
    if len(wanted.v6):
        held = {int(high) << 64 | int(low) for high, low in wanted.v6}
        return [n in held for n in numbers]
    pairs = {(int(p["hi"]), int(p["length"])) for p in wanted.p6}
    lengths = sorted({length for _, length in pairs})
    return [
        any(((n >> 64) >> 64 - size << 64 - size, size) in pairs for size in lengths)
        for n in numbers
    ]


def _frame(number: int, family: Family) -> bytes:
    if family == "ipv4":
        return ether(ipv4(udp(bytes(18)), src=cast(str, number)))
    return ether(ipv6(udp(bytes(16)), src=cast(str, number)))


def _some4(random: np.random.Generator, size: int) -> Array:
    found = np.unique(_draw4(random, size + size // 100 + 10))
    return np.sort(random.choice(found, size, replace=False)).astype(np.uint32)


def _some6(random: np.random.Generator, size: int) -> Array:
    found = np.empty((size, 2), dtype=np.uint64)
    found[:, 0] = np.sort(_draw6(random, size))
    found[:, 1] = random.integers(1, 1 << 62, size)
    return found


def _draw4(random: np.random.Generator, count: int) -> Array:
    return random.integers(_FIRST, _LAST, count, dtype=np.uint64)


def _draw6(random: np.random.Generator, count: int) -> Array:
    """Upper halves of addresses in 2000::/3, in 4 million /32s."""
    return random.integers(0x2400, 0x2440, count, dtype=np.uint64) << np.uint64(
        48
    ) | random.integers(0, 1 << 48, count, dtype=np.uint64)
