"""The IPv4 addresses of the sets in the kernel: one hash, of buckets and of what they had no room for.

A bucket is eight words in one cache line: class << 32 | address (as packets have it). Packets read
it from the front up to the address or the first word of zeros; when all eight are in use, the last
one says how many addresses had no room, and with any packets look among the rest. One word is written
at a time and whoever looks meanwhile sees the old one or the new, so that every address is found
throughout, because
- words are filled from the front and go back to zero only from the back;
- one that is taken out further in front leaves BUCKET_GONE behind, for another address to replace;
- an address goes to the rest only when its bucket is full, and is counted before; it is counted no
  more after it left, and until none is, the last word does not go back to zero. A process that dies
  in between, or is interrupted, leaves one too many, which costs packets a look until the table is
  copied.
Maps have twice as many words as addresses, so that of a full one less than a hundredth is in the
rest (the tail of a Poisson distribution with mean 4 past 8).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from xdpwall.abi import BUCKET, BUCKET_GONE, BUCKET_REST, HASH_FACTOR
from xdpwall.errors import XdpwallError
from xdpwall.kernel.bpf.maps import Map
from xdpwall.values.arrays import Array

SET4 = ("set4", "set4_rest")
"""The maps of which it consists."""
_GONE = np.uint64(BUCKET_GONE)
_ADDRESS = 0xFFFFFFFF
_MOST = 0x7FFF
"""Counted in a last word; with so many it is not known any more when the last one left."""
_REST = np.uint64(_MOST << BUCKET_REST)
_CLASS = np.uint64(0xFFFF)
_PIECE = 1 << 16
"""Addresses that are worked on at once: what numpy makes of them stays in the processor's cache."""


def buckets(addresses: int) -> int:
    """How many there are in maps for so many addresses, a power of two."""
    return max(1, 2 * addresses // BUCKET)


class AddressTable:
    """Keys are four bytes in network order and values a u32, the class, as in a map of the kernel."""

    @classmethod
    def of(cls, maps: Mapping[str, Map]) -> AddressTable:
        """The one in these maps, by their names."""
        return cls(*(maps[name] for name in SET4))

    def __init__(self, table: Map, rest: Map) -> None:
        self._words: Array = np.frombuffer(table.mmap(), "<u8").reshape(-1, BUCKET)
        self._mask = len(self._words) - 1
        self._rest = rest

    # -- one address -----------------------------------------------------------------------------
    def lookup(self, key: bytes) -> bytes | None:
        """The value, or None."""
        bucket, address = self._bucket(key)
        words = bucket.tolist()
        place = _place(words, address)
        if place is None:
            return self._rest.lookup(key) if _counted(words) else None
        word = words[place]
        return None if word & BUCKET_GONE else (word >> 32 & 0xFFFF).to_bytes(4, "little")

    def update(self, key: bytes, value: bytes) -> None:
        """Write one. Full."""
        bucket, address = self._bucket(key)
        words = bucket.tolist()
        place = _place(words, address)
        if place is None:
            if _counted(words) and self._rest.lookup(key) is not None:
                self._rest.update(key, value)
                return
            place = next((i for i, w in enumerate(words) if w & BUCKET_GONE or not w), None)
        if place is not None:
            new = int.from_bytes(value, "little") << 32 | address
            bucket[place] = new | words[place] & _MOST << BUCKET_REST
            return
        _count(bucket, words, 1)
        try:
            self._rest.update(key, value)
        except XdpwallError:  # the kernel refused it; after Ctrl-C it may be there
            _count(bucket, words, -1)
            raise

    def delete(self, key: bytes) -> bool:
        """Take one out; False when it was not there."""
        bucket, address = self._bucket(key)
        words = bucket.tolist()
        place = _place(words, address)
        if place is None:
            there = _counted(words) > 0 and self._rest.delete(key)
            if there:
                _count(bucket, words, -1)
        else:
            there = not words[place] & BUCKET_GONE
            words[place] = address | BUCKET_GONE | words[place] & _MOST << BUCKET_REST
            bucket[place] = words[place]
        for i in range(BUCKET - 1, -1, -1):
            if words[i] and (not words[i] & BUCKET_GONE or _counted(words[i:])):
                break
            if words[i]:
                bucket[i] = 0
        return there

    def _bucket(self, key: bytes) -> tuple[Array, int]:
        address = int.from_bytes(key, "little")
        return self._words[(address * HASH_FACTOR >> 32) & self._mask], address

    # -- many ------------------------------------------------------------------------------------
    def update_batch(self, keys: Array, values: Array, count: int) -> None:
        """Write `count` different ones: keys (count, 4) u1, values (count, 4) u1. After Full, some
        may have been written."""
        addresses, classes = _column(keys), _column(values)
        for start in range(0, count, _PIECE):
            piece = slice(start, start + _PIECE)
            self._write(addresses[piece], classes[piece].astype("<u8") << np.uint64(32))

    def delete_batch(self, keys: Array, count: int) -> None:
        """Take these out, if they are there."""
        addresses = _column(keys)
        for start in range(0, count, _PIECE):
            some = addresses[start : start + _PIECE]
            at = self._places(some)
            there = self._words[at]
            found, column = _match(there, some)
            place = at[found], column[found]
            self._words[place] = some[found] | _GONE | self._words[place] & _REST
            for address in some[~found & (there[:, -1] & _REST != 0)].tolist():
                self.delete(address.to_bytes(4, "little"))
            self._trim(at[found])

    def lookup_batch(self) -> tuple[Array, Array]:
        """All of it: keys (n, 4) and values (n, 4), u1."""
        words = self._words.reshape(-1)
        words = words[(words != 0) & (words < _GONE)]
        keys, values = self._rest.lookup_batch()
        here = _bytes(words.astype("<u4")), _bytes((words >> np.uint64(32) & _CLASS).astype("<u4"))
        return np.concatenate([here[0], keys]), np.concatenate([here[1], values])

    def copy_to(self, other: AddressTable) -> None:
        """Everything into a table that is empty."""
        keys, values = self.lookup_batch()
        other.update_batch(keys, values, len(keys))

    @property
    def worn(self) -> bool:
        """Is more than an eighth of it words of what was taken out? Packets look behind those for
        nothing, until the table is copied."""
        return 8 * int((self._words >= _GONE).sum()) > self._words.size

    # -- inside ----------------------------------------------------------------------------------
    def _places(self, addresses: Array) -> Array:
        product = addresses.astype("<u8") * np.uint64(HASH_FACTOR)
        return (product >> np.uint64(32) & np.uint64(self._mask)).astype(np.int64)

    def _write(self, addresses: Array, classes: Array) -> None:
        at = self._places(addresses)
        order = np.argsort(at, kind="stable")
        at, addresses = at[order], addresses[order]
        new = classes[order] | addresses
        there = self._words[at]
        found, column = _match(there, addresses)
        place = at[found], column[found]
        self._words[place] = new[found] | self._words[place] & _REST
        # Those of one bucket stand one after the other: the first takes its first word of zeros.
        at, new, addresses, there = (part[~found] for part in (at, new, addresses, there))
        rank = np.arange(len(at))
        rank -= np.searchsorted(at, at)
        column = (there != 0).sum(axis=1) + rank
        fits = column < BUCKET
        self._words[at[fits], column[fits]] = new[fits]
        at, new, there = at[~fits], new[~fits], there[~fits]
        # One that may be among the rest already, or may find room, is looked at by itself.
        known = (there >= _GONE).any(axis=1) | (there[:, -1] & _REST != 0)
        for word in new[known].tolist():
            key = (word & _ADDRESS).to_bytes(4, "little")
            self.update(key, (word >> 32).to_bytes(4, "little"))
        at, new = at[~known], new[~known]
        full, count = np.unique(at, return_counts=True)
        more = np.minimum(count, _MOST).astype("<u8") << np.uint64(BUCKET_REST)
        self._words[full, BUCKET - 1] = self._words[full, BUCKET - 1] | more
        classes = (new >> np.uint64(32)).astype("<u4")
        self._rest.update_batch(_bytes(new.astype("<u4")), _bytes(classes), len(new))

    def _trim(self, at: Array) -> None:
        """Back to zeros, from the back: what was taken out of these buckets, some given twice."""
        there, behind = self._words[at], np.ones(len(at), dtype=bool)
        for i in range(BUCKET - 1, -1, -1):
            word = there[:, i]
            behind &= (word == 0) | ((word >= _GONE) & (word & _REST == 0))
            zero = behind & (word != 0)
            if zero.any():
                self._words[at[zero], i] = 0


def _counted(words: list[int]) -> int:
    """How many addresses of this bucket are among the rest."""
    return words[-1] >> BUCKET_REST & _MOST


def _count(bucket: Array, words: list[int], more: int) -> None:
    """One more or less among the rest."""
    if _counted(words) < _MOST:
        words[-1] += more << BUCKET_REST
        bucket[-1] = words[-1]


def _place(words: list[int], address: int) -> int | None:
    """Where the address is or was."""
    for i, word in enumerate(words):
        if word & _ADDRESS == address and word:
            return i
    return None


def _match(there: Array, addresses: Array) -> tuple[Array, Array]:
    """Whether each address is or was in its bucket, (n, BUCKET) u8, and in which word."""
    same = (there.astype("<u4") == addresses[:, None]) & (there != 0)
    return same.any(axis=1), same.argmax(axis=1)


def _column(rows: Array) -> Array:
    numbers: Array = np.ascontiguousarray(rows).view("<u4").reshape(-1)
    return numbers


def _bytes(numbers: Array) -> Array:
    rows: Array = np.ascontiguousarray(numbers).view("u1").reshape(-1, 4)
    return rows
