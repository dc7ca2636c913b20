"""The bitmaps that tell a packet where no set has an entry (the map `occupied`). Pure numpy.

IPv4 prefixes have a bit for each /24, IPv6 has one for a hash of the /48 (addresses) or of the /32
(prefixes). IPv4 addresses have none: their own table says as quickly that they are not there.
A set bit may be stale, which costs a packet a lookup; a missing one would cost truth, so bits are
set before the entry is written and cleared only by building all of them anew.
"""

from __future__ import annotations

import numpy as np

from xdpwall.abi import HASH_FACTOR, OCCUPIED, OCCUPIED_BITS, SHORT6
from xdpwall.values.arrays import Array

from .entries import AddressEntry, Entries
from .keys import kind_of

MARKED = ("p4", "v6", "p6")
"""The kinds that have a bitmap, in the order of enum xw_occupied."""
_FACTOR = np.uint64(HASH_FACTOR)
_FULL = np.uint64(0xFFFFFFFFFFFFFFFF)
_MOST = 1 << OCCUPIED_BITS
_PIECE = 1 << 16


def hashed(values: Array) -> Array:
    """The bit of each u8 value."""
    return values.astype("<u8") * _FACTOR >> np.uint64(64 - OCCUPIED_BITS)


class Occupied:
    """The bitmaps in some memory: `row` is an array of one OCCUPIED, of a map or of one's own."""

    def __init__(self, row: Array | None = None) -> None:
        self._row = np.zeros(1, OCCUPIED) if row is None else row

    def add(self, kind: str, entries: Array) -> None:
        """Mark these, in the shape that they have in `entries.Entries`."""
        if len(entries) and kind in MARKED:
            getattr(self, f"_add_{kind}")(entries)
            self._say(MARKED.index(kind))

    def add_one(self, entry: AddressEntry) -> None:
        """Mark one entry, without the arrays."""
        kind = kind_of(entry)
        if kind not in MARKED:
            return
        if kind == "p4":
            shown, bit = 24, entry.address >> 8
        else:
            shown = 48 if kind == "v6" else 32
            bit = (entry.address >> (128 - shown)) * HASH_FACTOR % (1 << 64) >> (64 - OCCUPIED_BITS)
        if entry.length >= shown:
            self.bits(kind)[bit >> 6] |= np.uint64(1 << (bit & 63))
            self._say(MARKED.index(kind))
        else:
            one = Entries.from_entries([entry])
            self.add(kind, getattr(one, kind))

    def take(self, other: Occupied, kind: str) -> None:
        """The other's bits of a kind in place of these; they hold every entry that there is."""
        if kind not in MARKED:
            return
        at = np.uint64(1 << MARKED.index(kind) | (1 << SHORT6 if kind == "p6" else 0))
        self._row[kind] = other._row[kind]
        self._row["kinds"] = (self._row["kinds"] & ~at) | (other._row["kinds"] & at)

    @property
    def short(self) -> bool:
        """Whether some IPv6 prefix is shorter than /16: then there are no bits to ask."""
        return self.any(SHORT6)

    def any(self, kind: int) -> bool:
        """Whether there are, or were, entries of a kind: a place in MARKED, or SHORT6."""
        return bool(int(self._row["kinds"][0]) >> kind & 1)

    def bits(self, kind: str) -> Array:
        """The words of a kind, (OCCUPIED_WORDS,) u8."""
        words: Array = self._row[kind][0]
        return words

    def _say(self, kind: int) -> None:
        if not self.any(kind):
            self._row["kinds"] |= np.uint64(1 << kind)

    def _add_v6(self, v6: Array) -> None:
        _set(self.bits("v6"), hashed(v6[:, 0] >> np.uint64(16)))

    def _add_p4(self, p4: Array) -> None:
        length, first = p4 & np.uint64(255), p4 >> np.uint64(16)
        wide = length < 24
        words = self.bits("p4")
        _set(words, first[~wide])
        free = np.uint64(24) - length[wide]  # bits that the prefix covers: 2 ** free
        _set_runs(words, first[wide], np.uint64(1) << free)

    def _add_p6(self, p6: Array) -> None:
        words, length = self.bits("p6"), p6["length"]
        if (length < 16).any():
            self._say(SHORT6)
        first = p6["hi"] >> np.uint64(32)
        _set(words, hashed(first[length >= 32]))
        middle = (length >= 16) & (length < 32)
        first, count = first[middle], np.uint64(1) << (np.uint64(32) - length[middle])
        if int(count.sum()) >= _MOST:
            words[:] = _FULL
            return
        start = np.repeat(np.cumsum(count) - count, count.astype(np.int64))
        each = np.arange(int(count.sum()), dtype="<u8") - start
        _set(words, hashed(np.repeat(first, count.astype(np.int64)) + each))


def _set(words: Array, bits: Array) -> None:
    """Set these bits, in any order; a piece at a time, which stays in the processor's cache."""
    if (bits[1:] < bits[:-1]).any():
        bits = np.sort(bits)
    for start in range(0, len(bits), _PIECE):
        piece = bits[start : start + _PIECE]
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
