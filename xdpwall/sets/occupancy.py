"""Bitmaps that spare packets the lookup of addresses in no set (the map `occupied`). Pure numpy.

IPv4 prefixes have a bit for each /24; IPv6 has one for a hash of the /48 (addresses) or of the /32
(prefixes). IPv4 addresses have none, since their hash table misses as fast as a bitmap. A stale bit
costs a packet a lookup; a missing one would hide an entry. So bits are set before the entry is
written, and cleared only by building all of them anew.
"""

from __future__ import annotations

import numpy as np

from xdpwall.abi import HASH_FACTOR, OCCUPIED, OCCUPIED_BITS, SHORT6
from xdpwall.values.arrays import Array

from .entries import AddressEntry, Entries
from .keys import kind_of

BITMAP_KINDS = ("p4", "v6", "p6")
"""The kinds that have a bitmap, in the order of enum xw_occupied in bpf/abi_sets.h."""
_FACTOR = np.uint64(HASH_FACTOR)
_FULL = np.uint64(0xFFFFFFFFFFFFFFFF)
_BITMAP_BITS = 1 << OCCUPIED_BITS
_CHUNK = 1 << 16


def hash_bits(values: Array) -> Array:
    """The bit of each u8 value, as bitmap_hash in bpf/sets.h computes it."""
    return values.astype("<u8") * _FACTOR >> np.uint64(64 - OCCUPIED_BITS)


class Occupied:
    """The bitmaps. `row`: an array of one OCCUPIED, that of the map; by default memory of its own."""

    def __init__(self, row: Array | None = None) -> None:
        self._row = np.zeros(1, OCCUPIED) if row is None else row

    def add(self, kind: str, entries: Array) -> None:
        """Set the bits of entries of one kind, in the shape of `Entries`."""
        if len(entries) and kind in BITMAP_KINDS:
            getattr(self, f"_add_{kind}")(entries)
            self._mark_kind(BITMAP_KINDS.index(kind))

    def add_one(self, entry: AddressEntry) -> None:
        """Set the bits of one entry, for most without making arrays."""
        kind = kind_of(entry)
        if kind not in BITMAP_KINDS:
            return
        if kind == "p4":
            shown, bit = 24, entry.address >> 8
        else:
            shown = 48 if kind == "v6" else 32
            bit = (entry.address >> (128 - shown)) * HASH_FACTOR % (1 << 64) >> (64 - OCCUPIED_BITS)
        if entry.length >= shown:
            self.bits(kind)[bit >> 6] |= np.uint64(1 << (bit & 63))
            self._mark_kind(BITMAP_KINDS.index(kind))
        else:
            one = Entries.from_entries([entry])
            self.add(kind, getattr(one, kind))

    def copy_from(self, other: Occupied, kind: str) -> None:
        """Replace the bitmap of a kind by that of `other`, which has all entries."""
        if kind not in BITMAP_KINDS:
            return
        at = np.uint64(1 << BITMAP_KINDS.index(kind) | (1 << SHORT6 if kind == "p6" else 0))
        self._row[kind] = other._row[kind]
        self._row["kinds"] = (self._row["kinds"] & ~at) | (other._row["kinds"] & at)

    @property
    def has_short6(self) -> bool:
        """Whether some IPv6 prefix is shorter than /16: then packets do not ask its bitmap."""
        return self.has_kind(SHORT6)

    def has_kind(self, kind: int) -> bool:
        """Whether there are, or were, entries of a kind: an index of BITMAP_KINDS, or SHORT6."""
        return bool(int(self._row["kinds"][0]) >> kind & 1)

    def bits(self, kind: str) -> Array:
        """The words of a kind's bitmap, (OCCUPIED_WORDS,) u8."""
        words: Array = self._row[kind][0]
        return words

    def _mark_kind(self, kind: int) -> None:
        if not self.has_kind(kind):
            self._row["kinds"] |= np.uint64(1 << kind)

    def _add_v6(self, v6: Array) -> None:
        _set_bits(self.bits("v6"), hash_bits(v6[:, 0] >> np.uint64(16)))

    def _add_p4(self, p4: Array) -> None:
        length, first = p4 & np.uint64(255), p4 >> np.uint64(16)
        wide = length < 24
        words = self.bits("p4")
        _set_bits(words, first[~wide])
        free = np.uint64(24) - length[wide]  # bits that the prefix covers: 2 ** free
        _set_runs(words, first[wide], np.uint64(1) << free)

    def _add_p6(self, p6: Array) -> None:
        words, length = self.bits("p6"), p6["length"]
        if (length < 16).any():
            self._mark_kind(SHORT6)
        first = p6["hi"] >> np.uint64(32)
        _set_bits(words, hash_bits(first[length >= 32]))
        middle = (length >= 16) & (length < 32)
        first, count = first[middle], np.uint64(1) << (np.uint64(32) - length[middle])
        if int(count.sum()) >= _BITMAP_BITS:
            words[:] = _FULL
            return
        start = np.repeat(np.cumsum(count) - count, count.astype(np.int64))
        each = np.arange(int(count.sum()), dtype="<u8") - start
        _set_bits(words, hash_bits(np.repeat(first, count.astype(np.int64)) + each))


def _set_bits(words: Array, bits: Array) -> None:
    """Set these bits, in any order; in chunks that stay in the CPU's cache."""
    if (bits[1:] < bits[:-1]).any():
        bits = np.sort(bits)
    for start in range(0, len(bits), _CHUNK):
        piece = bits[start : start + _CHUNK]
        at = piece >> piece.dtype.type(6)
        mask = np.uint64(1) << (piece & piece.dtype.type(63)).astype("<u8")
        first = np.flatnonzero(at[1:] != at[:-1]) + 1
        first = np.concatenate([[0], first])
        words[at[first]] |= np.bitwise_or.reduceat(mask, first)


def _set_runs(words: Array, first: Array, count: Array) -> None:
    """Set runs of bits, each aligned to its own length, a power of two."""
    if not len(first):
        return
    short = count < 64
    at = (first[short] >> np.uint64(6)).astype(np.int64)
    ones = (np.uint64(1) << count[short]) - np.uint64(1)
    np.bitwise_or.at(words, at, ones << (first[short] & np.uint64(63)))
    edge = np.zeros(len(words) + 1, np.int64)
    start = (first[~short] >> np.uint64(6)).astype(np.int64)
    np.add.at(edge, start, 1)
    np.add.at(edge, start + (count[~short] >> np.uint64(6)).astype(np.int64), -1)
    words[np.cumsum(edge[:-1]) > 0] = _FULL
