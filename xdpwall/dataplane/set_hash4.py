"""The hash table of the sets' IPv4 addresses: set4, changed while packets read it, and set4_rest.

set4 is an array map of buckets, each eight words in one cache line: class << 32 | address (in
network byte order, as a packet's load reads it). A packet reads a bucket from the front up to its
address or the first zero word, without a helper call. Bits 48 to 62 of the last word count the
addresses that found the bucket full; only if there are any does a packet ask set4_rest, a hash map.

Readers take no lock. They find every address at every moment, because each store writes one word
and these rules hold:
- Words are filled from the front and return to zero only from the back.
- An address deleted further in front leaves a tombstone (XW_BUCKET_GONE), which only another
  address replaces.
- An address goes to set4_rest only when its bucket is full, counted before it is written and
  discounted after it is deleted; while the count is not zero, the last word does not return to
  zero. A process that dies in between leaves the count one too high: packets then ask set4_rest for
  nothing, until the table is copied.

An address's bucket is its product with a factor, which is random and secret, so that nobody can choose
addresses of one bucket (multiply-shift: Dietzfelbinger et al., A reliable randomized algorithm for the
closest-pair problem, 1997). It stands behind the last bucket, as long as the table lives; programs have
it as a constant.

There are twice as many words as addresses, so less than a hundredth of a full table is in set4_rest
(the tail beyond 8 of a Poisson distribution with mean 4).
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping

import numpy as np

from xdpwall.abi import BUCKET, BUCKET_GONE, BUCKET_REST
from xdpwall.errors import XdpwallError
from xdpwall.kernel.bpf.maps import Map
from xdpwall.values.arrays import Array

SET4_MAPS = ("set4", "set4_rest")
"""The maps that the table consists of."""
_TOMBSTONE = np.uint64(BUCKET_GONE)
_ADDRESS_MASK = 0xFFFFFFFF
_MAX_COUNT = 0x7FFF
"""The highest overflow count, which sticks: deletions do not lower it."""
_COUNT_MASK = np.uint64(_MAX_COUNT << BUCKET_REST)
_CLASS_MASK = np.uint64(0xFFFF)
_CHUNK = 1 << 16
"""Addresses worked on at once, so that numpy's intermediate arrays stay in the CPU's cache."""


def bucket_count(addresses: int) -> int:
    """The number of buckets for a power of two of addresses; a power of two."""
    return max(1, 2 * addresses // BUCKET)


def table_bytes(addresses: int) -> int:
    """The value_size of set4 for a power of two of addresses: the buckets, and one for the factor."""
    return 8 * BUCKET * (bucket_count(addresses) + 1)


class SetHash4:
    """Has the methods of a kernel map: keys are 4 bytes in network order, values a u32, the class."""

    @classmethod
    def of(cls, maps: Mapping[str, Map]) -> SetHash4:
        """The table in an instance's open maps, by name."""
        return cls(*(maps[name] for name in SET4_MAPS))

    def __init__(self, table: Map, rest: Map) -> None:
        whole: Array = np.frombuffer(table.mmap(), "<u8").reshape(-1, BUCKET)
        self._words = whole[:-1]
        self._mask = len(self._words) - 1
        if not whole[-1, 0]:
            whole[-1, 0] = secrets.randbits(64) | 1
        self.factor = int(whole[-1, 0])
        """What addresses are multiplied by."""
        self._rest = rest

    # -- one address -----------------------------------------------------------------------------
    def lookup(self, key: bytes) -> bytes | None:
        """The value of an address, or None."""
        bucket, address = self._bucket(key)
        words = bucket.tolist()
        place = _find_word(words, address)
        if place is None:
            return self._rest.lookup(key) if _overflow_count(words) else None
        word = words[place]
        return None if word & BUCKET_GONE else (word >> 32 & 0xFFFF).to_bytes(4, "little")

    def update(self, key: bytes, value: bytes) -> None:
        """Write one address. Raises Full when set4_rest is needed and full."""
        bucket, address = self._bucket(key)
        words = bucket.tolist()
        place = _find_word(words, address)
        if place is None:
            if _overflow_count(words) and self._rest.lookup(key) is not None:
                self._rest.update(key, value)
                return
            place = next((i for i, w in enumerate(words) if w & BUCKET_GONE or not w), None)
        if place is not None:
            new = int.from_bytes(value, "little") << 32 | address
            bucket[place] = new | words[place] & _MAX_COUNT << BUCKET_REST
            return
        _add_to_count(bucket, words, 1)
        try:
            self._rest.update(key, value)
        except XdpwallError:  # the kernel refused it; after Ctrl-C it may be there
            _add_to_count(bucket, words, -1)
            raise

    def delete(self, key: bytes) -> bool:
        """Delete one address; False if it is not there."""
        bucket, address = self._bucket(key)
        words = bucket.tolist()
        place = _find_word(words, address)
        if place is None:
            there = _overflow_count(words) > 0 and self._rest.delete(key)
            if there:
                _add_to_count(bucket, words, -1)
        else:
            there = not words[place] & BUCKET_GONE
            words[place] = address | BUCKET_GONE | words[place] & _MAX_COUNT << BUCKET_REST
            bucket[place] = words[place]
        for i in range(BUCKET - 1, -1, -1):
            if words[i] and (not words[i] & BUCKET_GONE or _overflow_count(words[i:])):
                break
            if words[i]:
                bucket[i] = 0
        return there

    def _bucket(self, key: bytes) -> tuple[Array, int]:
        address = int.from_bytes(key, "little")
        return self._words[(address * self.factor >> 32) & self._mask], address

    # -- many ------------------------------------------------------------------------------------
    def update_batch(self, keys: Array, values: Array, count: int) -> None:
        """Write `count` different addresses: keys (count, 4) u1, values (count, 4) u1. Raises Full,
        with some of them possibly written."""
        addresses, classes = _as_u4(keys), _as_u4(values)
        for start in range(0, count, _CHUNK):
            piece = slice(start, start + _CHUNK)
            self._write_chunk(addresses[piece], classes[piece].astype("<u8") << np.uint64(32))

    def delete_batch(self, keys: Array, count: int) -> None:
        """Delete the first `count` of these addresses, as far as they are there: keys (n, 4) u1."""
        addresses = _as_u4(keys)
        for start in range(0, count, _CHUNK):
            some = addresses[start : start + _CHUNK]
            at = self._bucket_indexes(some)
            there = self._words[at]
            found, column = _match_words(there, some)
            place = at[found], column[found]
            self._words[place] = some[found] | _TOMBSTONE | self._words[place] & _COUNT_MASK
            for address in some[~found & (there[:, -1] & _COUNT_MASK != 0)].tolist():
                self.delete(address.to_bytes(4, "little"))
            self._clear_tails(at[found])

    def lookup_batch(self) -> tuple[Array, Array]:
        """Read the whole table: keys (n, 4) u1 and values (n, 4) u1, in no order."""
        words = self._words.reshape(-1)
        words = words[(words != 0) & (words < _TOMBSTONE)]
        keys, values = self._rest.lookup_batch()
        here = (
            _as_bytes(words.astype("<u4")),
            _as_bytes((words >> np.uint64(32) & _CLASS_MASK).astype("<u4")),
        )
        return np.concatenate([here[0], keys]), np.concatenate([here[1], values])

    def copy_to(self, other: SetHash4) -> None:
        """Copy all addresses into an empty table."""
        keys, values = self.lookup_batch()
        other.update_batch(keys, values, len(keys))

    @property
    def worn(self) -> bool:
        """Whether tombstones are more than an eighth of all words. They lengthen lookups until the
        table is copied."""
        return 8 * int((self._words >= _TOMBSTONE).sum()) > self._words.size

    # -- inside ----------------------------------------------------------------------------------
    def _bucket_indexes(self, addresses: Array) -> Array:
        product = addresses.astype("<u8") * np.uint64(self.factor)
        return (product >> np.uint64(32) & np.uint64(self._mask)).astype(np.int64)

    def _write_chunk(self, addresses: Array, classes: Array) -> None:
        at = self._bucket_indexes(addresses)
        order = np.argsort(at, kind="stable")
        at, addresses = at[order], addresses[order]
        new = classes[order] | addresses
        there = self._words[at]
        found, column = _match_words(there, addresses)
        place = at[found], column[found]
        self._words[place] = new[found] | self._words[place] & _COUNT_MASK
        # Addresses of one bucket follow each other: the first of them takes the first zero word.
        at, new, addresses, there = (part[~found] for part in (at, new, addresses, there))
        rank = np.arange(len(at))
        rank -= np.searchsorted(at, at)
        column = (there != 0).sum(axis=1) + rank
        fits = column < BUCKET
        self._words[at[fits], column[fits]] = new[fits]
        at, new, there = at[~fits], new[~fits], there[~fits]
        # Addresses that may be in set4_rest already, or may replace a tombstone, go one by one.
        known = (there >= _TOMBSTONE).any(axis=1) | (there[:, -1] & _COUNT_MASK != 0)
        for word in new[known].tolist():
            key = (word & _ADDRESS_MASK).to_bytes(4, "little")
            self.update(key, (word >> 32).to_bytes(4, "little"))
        at, new = at[~known], new[~known]
        full, count = np.unique(at, return_counts=True)
        more = np.minimum(count, _MAX_COUNT).astype("<u8") << np.uint64(BUCKET_REST)
        self._words[full, BUCKET - 1] = self._words[full, BUCKET - 1] | more
        classes = (new >> np.uint64(32)).astype("<u4")
        self._rest.update_batch(_as_bytes(new.astype("<u4")), _as_bytes(classes), len(new))

    def _clear_tails(self, at: Array) -> None:
        """Zero the tombstones at the end of these buckets, of which some may be given twice."""
        there, behind = self._words[at], np.ones(len(at), dtype=bool)
        for i in range(BUCKET - 1, -1, -1):
            word = there[:, i]
            behind &= (word == 0) | ((word >= _TOMBSTONE) & (word & _COUNT_MASK == 0))
            zero = behind & (word != 0)
            if zero.any():
                self._words[at[zero], i] = 0


def _overflow_count(words: list[int]) -> int:
    """The number of this bucket's addresses that are in set4_rest."""
    return words[-1] >> BUCKET_REST & _MAX_COUNT


def _add_to_count(bucket: Array, words: list[int], more: int) -> None:
    """Count `more` (1 or -1) addresses of this bucket in set4_rest."""
    if _overflow_count(words) < _MAX_COUNT:
        words[-1] += more << BUCKET_REST
        bucket[-1] = words[-1]


def _find_word(words: list[int], address: int) -> int | None:
    """The index of the word that holds the address or its tombstone."""
    for i, word in enumerate(words):
        if word & _ADDRESS_MASK == address and word:
            return i
    return None


def _match_words(there: Array, addresses: Array) -> tuple[Array, Array]:
    """For each address and its bucket, (n, BUCKET) u8: is it or its tombstone there, in which word?"""
    same = (there.astype("<u4") == addresses[:, None]) & (there != 0)
    return same.any(axis=1), same.argmax(axis=1)


def _as_u4(rows: Array) -> Array:
    numbers: Array = np.ascontiguousarray(rows).view("<u4").reshape(-1)
    return numbers


def _as_bytes(numbers: Array) -> Array:
    rows: Array = np.ascontiguousarray(numbers).view("u1").reshape(-1, 4)
    return rows
