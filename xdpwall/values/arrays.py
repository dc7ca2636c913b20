"""The arrays of `Entries` (sets/entries.py): made, merged, compared and packed. Pure numpy.

IPv6 is compared as byte strings in network order (dtype S16, and S17 with the length behind),
which numpy sorts, searches and merges whole; a pair of integers it would not.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
"""Any dtype, any shape: docstrings say which."""
P6 = np.dtype([("hi", "<u8"), ("lo", "<u8"), ("length", "<u8")])
_MAGIC = b"XWSET1\0\0"
_HEADER = struct.Struct("<8s4Q")
_LOW64 = (1 << 64) - 1
_MAPPED = 0xFFFF << 32


def arrays_of_keys(
    v4: Sequence[int], v6: Sequence[bytes], p4: Sequence[int], p6: Sequence[bytes]
) -> tuple[Array, Array, Array, Array]:
    """Sorted, unique arrays of keys as parse_entry_fast (sets/entries.py) returns them."""
    return (
        sorted_unique(np.array(v4, dtype="<u4")),
        from_keys16(sorted_unique(np.frombuffer(b"".join(v6), "S16"))),
        sorted_unique(np.array(p4, dtype="<u8")),
        from_keys17(sorted_unique(np.frombuffer(b"".join(p6), "S17"))),
    )


def sorted_unique(keys: Array) -> Array:
    """Sorted, each once. (numpy's own `unique` takes ten times as long.)"""
    keys = np.sort(keys)
    if len(keys) < 2:
        return keys
    first = np.ones(len(keys), bool)
    np.not_equal(keys[1:], keys[:-1], out=first[1:])
    return keys if first.all() else keys[first]


def keys16(v6: Array) -> Array:
    """(n, 2) halves -> n strings in network order."""
    return np.ascontiguousarray(v6.astype(">u8")).view("S16").reshape(-1)


def from_keys16(keys: Array) -> Array:
    """The halves again."""
    return np.ascontiguousarray(keys).view(">u8").reshape(-1, 2).astype("<u8")


def keys17(p6: Array) -> Array:
    """P6 rows -> n strings, address and then length."""
    raw = np.empty((len(p6), 17), "u1")
    raw[:, :16] = halves(p6).astype(">u8").view("u1").reshape(-1, 16)
    raw[:, 16] = p6["length"]
    return raw.view("S17").reshape(-1)


def from_keys17(keys: Array) -> Array:
    """The rows again."""
    raw = np.ascontiguousarray(keys).view("u1").reshape(-1, 17)
    both = np.ascontiguousarray(raw[:, :16]).view(">u8").reshape(-1, 2)
    return rows6(both[:, 0], both[:, 1], raw[:, 16])


def rows6(high: Array, low: Array, length: Array) -> Array:
    """P6 rows of three columns."""
    rows = np.empty(len(high), P6)
    rows["hi"], rows["lo"], rows["length"] = high, low, length
    return rows


def halves(p6: Array) -> Array:
    """(n, 2) of P6 rows: the network addresses."""
    return np.stack([p6["hi"], p6["lo"]], axis=1)


def _keys(array: Array) -> Array:
    if array.dtype == P6:
        return keys17(array)
    return keys16(array) if array.ndim == 2 else array


def _back(keys: Array, like: Array) -> Array:
    if like.dtype == P6:
        return from_keys17(keys)
    return from_keys16(keys) if like.ndim == 2 else keys


def all_keys(*arrays: Array) -> tuple[Array, ...]:
    """Each kind's rows as single values: u4, S16, u8, S17."""
    return tuple(_keys(array) for array in arrays)


def union(a: Array, b: Array) -> Array:
    """Rows of either, of two arrays of one kind."""
    if not len(b):
        return a
    return b if not len(a) else _back(sorted_unique(np.concatenate([_keys(a), _keys(b)])), a)


def difference(a: Array, b: Array) -> Array:
    """Rows of `a` that `b` has not."""
    if not len(a) or not len(b):
        return a
    wanted, others = _keys(a), _keys(b)
    place = np.searchsorted(others, wanted)
    place[place == len(others)] = 0
    rest: Array = a[others[place] != wanted]
    return rest


def uncovered(v4: Array, v6: Array, p4: Array, p6: Array) -> tuple[Array, Array, Array, Array]:
    """Without rows that a wider one covers.

    Prefixes either nest or are apart. In order of (first address, length) one is inside another
    exactly when an earlier one's last address is not below its own.
    """
    first, size = p4 >> np.uint64(8), np.uint64(32) - (p4 & np.uint64(255))
    last = first | ((np.uint64(1) << size) - np.uint64(1))
    kept = _outermost(last)
    v4 = v4[~_inside(v4, first[kept], last[kept])]
    first6 = keys16(halves(p6))
    last6 = keys16(_last6(p6))
    kept6 = _outermost(np.searchsorted(sorted_unique(last6), last6))
    v6 = v6[~_inside(keys16(v6), first6[kept6], last6[kept6])]
    return v4, v6, p4[kept], p6[kept6]


def _outermost(last: Array) -> Array:
    kept = np.ones(len(last), bool)
    if len(last) > 1:
        kept[1:] = np.maximum.accumulate(last)[:-1] < last[1:]
    return kept


def _inside(keys: Array, first: Array, last: Array) -> Array:
    """Which keys lie in one of these ranges (sorted, apart)."""
    if not len(first):
        return np.zeros(len(keys), bool)
    place = np.searchsorted(first, keys, "right").astype(np.int64) - 1
    inside: Array = (place >= 0) & (last[place] >= keys)
    return inside


def _last6(p6: Array) -> Array:
    """(n, 2): the last address of each prefix."""
    return halves(p6) | host_bits(p6["length"])


def host_bits(length: Array) -> Array:
    """(n, 2) halves with the bits set that a prefix of this length leaves open."""
    free = np.uint64(128) - length.astype("<u8")
    low_free, high_free = np.minimum(free, np.uint64(64)), np.maximum(free, np.uint64(64))
    return np.stack([_ones(high_free - np.uint64(64)), _ones(low_free)], axis=1)


def _ones(count: Array) -> Array:
    # A shift by 64 is undefined: all 64 bits are said apart.
    some = (np.uint64(1) << np.minimum(count, np.uint64(63))) - np.uint64(1)
    return np.where(count == 64, np.uint64(_LOW64), some)


def pack_arrays(v4: Array, v6: Array, p4: Array, p6: Array) -> bytes:
    """A header with the four counts, then the arrays as they are, little-endian."""
    header = _HEADER.pack(_MAGIC, len(v4), len(v6), len(p4), len(p6))
    kinds = (v4, "<u4"), (v6, "<u8"), (p4, "<u8"), (p6, P6)
    return header + b"".join(array.astype(kind, copy=False).tobytes() for array, kind in kinds)


def unpack_arrays(data: bytes) -> tuple[Array, Array, Array, Array]:
    """The arrays again. ValueError for bytes that `pack` never gives."""
    if len(data) < _HEADER.size:
        raise ValueError(f"{len(data)} bytes are not a packed set")
    magic, *counts = _HEADER.unpack_from(data)
    sizes = (4, 16, 8, 24)
    wanted = _HEADER.size + sum(c * s for c, s in zip(counts, sizes, strict=True))
    if magic != _MAGIC or len(data) != wanted:
        raise ValueError("not a packed set of this version")
    n4, n6, _, _ = counts
    at6 = _HEADER.size + 4 * n4
    v4 = np.frombuffer(data, "<u4", n4, _HEADER.size)
    v6 = np.frombuffer(data, "<u8", 2 * n6, at6).reshape(-1, 2)
    p4 = np.frombuffer(data, "<u8", counts[2], at6 + 16 * n6)
    p6 = np.frombuffer(data, P6, counts[3], at6 + 16 * n6 + 8 * counts[2])
    if not all(_ascending(_keys(array)) for array in (v4, v6, p4, p6)):
        raise ValueError("its entries are not in order, each once")
    _check_prefixes(p4, p6)
    if _mapped(v6[:, 0], v6[:, 1]).any() or _mapped_prefixes(p6).any():
        raise ValueError("it holds IPv4 addresses mapped into IPv6, which no packet carries")
    return v4, v6, p4, p6


def _ascending(keys: Array) -> bool:
    return bool((keys[1:] > keys[:-1]).all())


def _check_prefixes(p4: Array, p6: Array) -> None:
    length = p4 & np.uint64(255)
    if (length > 31).any() or (p6["length"] > 127).any() or (p4 >> np.uint64(40)).any():
        raise ValueError("it holds a prefix of a length that is none")
    host = (np.uint64(1) << (np.uint64(32) - length)) - np.uint64(1)
    if ((p4 >> np.uint64(8)) & host).any() or (halves(p6) & host_bits(p6["length"])).any():
        raise ValueError("it holds a prefix with host bits set")


def _mapped(high: Array, low: Array) -> Array:
    found: Array = (high == 0) & (low >> np.uint64(32) == 0xFFFF)
    return found


def _mapped_prefixes(p6: Array) -> Array:
    found: Array = _mapped(p6["hi"], p6["lo"]) & (p6["length"] >= 96)
    return found
