"""Nesting of prefixes, for a million at once. Pure numpy.

Prefixes either nest or are apart. Sorted by (address, length), those inside one follow it in a run;
`nested_ends` says where each run ends, and all else follows from that.

    keys of IPv4    (n,) u8, address << 8 | length
    keys of IPv6    (n,) S17, the address in network order and the length
"""

from __future__ import annotations

import numpy as np

from .arrays import Array, from_keys17, halves, host_bits, keys16


def nested_ends(keys: Array) -> Array:
    """For each of these sorted keys the index behind the last one inside it: (n,) i8."""
    return np.searchsorted(keys, _last(keys), "right")


def nested_ranges(keys: Array, wide: Array) -> tuple[Array, Array]:
    """For each prefix of `wide` the range of `keys`, both sorted, that it is or contains."""
    return np.searchsorted(keys, wide), np.searchsorted(keys, _last(wide), "right")


def _last(keys: Array) -> Array:
    """For each prefix the key that sorts behind every key inside it."""
    if keys.dtype.kind == "u":
        size = np.uint64(32) - (keys & np.uint64(255))
        last: Array = keys >> np.uint64(8) | ((np.uint64(1) << size) - np.uint64(1))
        return last << np.uint64(8) | np.uint64(255)
    rows = from_keys17(keys)
    raw = np.empty((len(keys), 17), "u1")
    addresses = np.ascontiguousarray(keys16(halves(rows) | host_bits(rows["length"])))
    raw[:, :16] = addresses.view("u1").reshape(-1, 16)
    raw[:, 16] = 255
    return raw.view("S17").reshape(-1)


def nesting_levels(ends: Array) -> tuple[Array, list[Array]]:
    """From `nested_ends`: each prefix's narrowest wider one (-1: none), and the prefixes by depth.

    The outermost of what is left are those that no earlier run reaches; what remains is one level
    deeper.
    """
    parent = np.full(len(ends), -1, np.int64)
    found: list[Array] = []
    rest = np.arange(len(ends))
    while len(rest):
        reach = np.maximum.accumulate(ends[rest])
        outer = np.ones(len(rest), bool)
        outer[1:] = reach[:-1] <= rest[1:]
        found.append(rest[outer])
        head = np.maximum.accumulate(np.where(outer, np.arange(len(rest)), 0))
        inner = ~outer
        parent[rest[inner]] = rest[head[inner]]
        rest = rest[inner]
    return parent, found
