"""The sets of every measurement: addresses or prefixes, scattered like those of block lists."""

from __future__ import annotations

import functools
from typing import Literal, cast

import numpy as np

from bench.packets.rulesets import SEED, Case, Family
from tests.support.packets.frames import ether, ipv4, ipv6, udp
from xdpwall.sets.entries import Entries
from xdpwall.values.arrays import P6, Array

SetKind = Literal["addresses", "prefixes"]

STREAM = 65_536
"""Number of different packets in a stream, so that lookups in a big set miss the CPU's caches."""
_FIRST, _LAST = 1 << 24, 224 << 24
"""Unicast IPv4: 14.6 million /24s."""
_LENGTHS4 = {24: 0.55, 23: 0.08, 22: 0.07, 21: 0.03, 20: 0.02, 28: 0.10, 29: 0.08, 30: 0.07}
"""Shares of prefix lengths: mostly whole /24s, as in public block lists; an estimate of ours."""
_LENGTHS6 = {32: 0.05, 40: 0.05, 44: 0.05, 48: 0.45, 56: 0.15, 64: 0.25}


@functools.lru_cache(maxsize=4)
def entries(kind: SetKind, size: int, family: Family) -> Entries:
    """`size` entries, none inside another. Deterministic."""
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
        p6 = np.zeros(draws, dtype=P6)
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
    members ("near"), where the bitmap in front of the sets does not rule the address out."""
    random = np.random.default_rng([SEED, size, len(case)])
    wanted = entries(kind, size, family)
    four = family == "ipv4"
    found: list[int] = []
    while len(found) < count:
        if case == "miss":
            high = random.integers(0, 1, count, dtype=np.uint64) if four else _draw6(random, count)
            low = _draw4(random, count) if four else np.ones(count, dtype=np.uint64)
        else:
            high, low = _members(random, wanted, four, count)
            if case == "near" and kind == "addresses":
                low = low ^ np.uint64(1)
            elif case == "near" and four:
                low = low ^ np.uint64(1 << 8)
            elif case == "near":
                high = high ^ np.uint64(1 << 20)
        if case != "hit":
            outside = ~(_inside4(wanted, low) if four else _inside6(wanted, high, low))
            high, low = high[outside], low[outside]
        found += [a << 64 | b for a, b in zip(high.tolist(), low.tolist(), strict=True)]
    return [_frame(number, family) for number in found[:count]]


def _members(
    random: np.random.Generator, wanted: Entries, four: bool, count: int
) -> tuple[Array, Array]:
    """Random addresses in the entries: (upper, lower 64 bits)."""
    picked = random.integers(0, len(wanted), count)
    spread = random.integers(0, 1 << 62, count, dtype=np.uint64)
    nothing = np.zeros(count, dtype=np.uint64)
    if len(wanted.v4):
        return nothing, wanted.v4[picked].astype(np.uint64)
    if len(wanted.v6):
        return wanted.v6[picked, 0], wanted.v6[picked, 1]
    if four:
        chosen = wanted.p4[picked]
        host = (np.uint64(1) << np.uint64(32) - chosen % np.uint64(256)) - np.uint64(1)
        return nothing, chosen >> np.uint64(8) | spread & host
    six = wanted.p6[picked]
    bits = np.uint64(64) - six["length"].astype(np.uint64)  # none is longer than /64
    return six["hi"] | spread & ((np.uint64(1) << bits) - np.uint64(1)), spread


def _inside4(wanted: Entries, low: Array) -> Array:
    if len(wanted.v4):
        return _held(wanted.v4, low)
    found = np.zeros(len(low), dtype=bool)
    for length in np.unique(wanted.p4 % np.uint64(256)):
        shift = np.uint64(32) - length
        found |= _held(wanted.p4, low >> shift << shift << np.uint64(8) | length)
    return found


def _inside6(wanted: Entries, high: Array, low: Array) -> Array:
    if len(wanted.v6):
        at = np.minimum(np.searchsorted(wanted.v6[:, 0], high), len(wanted.v6) - 1)
        return np.asarray((wanted.v6[at, 0] == high) & (wanted.v6[at, 1] == low))
    found = np.zeros(len(high), dtype=bool)
    for length in np.unique(wanted.p6["length"]):
        shift = np.uint64(64 - int(length))
        known = wanted.p6["hi"][wanted.p6["length"] == length]
        found |= _held(known, high >> shift << shift)
    return found


def _held(known: Array, values: Array) -> Array:
    """Whether each value is in `known`, which is sorted."""
    at = np.minimum(np.searchsorted(known, values.astype(known.dtype)), len(known) - 1)
    return np.asarray(known[at] == values)


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
