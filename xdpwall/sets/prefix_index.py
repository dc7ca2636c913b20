"""Which prefixes the kernel's tries hold, to find those inside another one.

A trie answers with the longest prefix of an address, not with what is below; a sorted array does.
Single changes go into a small set beside it, so that one more prefix does not move a million.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import numpy as np

from xdpwall.values.arrays import Array, keys17
from xdpwall.values.nesting import runs

from .entries import AddressEntry, Entries

_FOLD_AT = 2048


class PrefixIndex:
    """One family's prefixes, of all sets together; `keys` as in nesting.py."""

    def __init__(self, family: Literal[4, 6], keys: Array) -> None:
        self.family = family
        self._keys = keys
        self._extra: set[AddressEntry] = set()
        self._gone: set[AddressEntry] = set()

    def keys(self) -> Array:
        """All of them, sorted."""
        if self._extra or self._gone:
            keys = self._keys
            if self._gone:
                at = np.searchsorted(keys, self._keys_of(self._gone))
                keys = np.delete(keys, at)
            if self._extra:
                extra = self._keys_of(self._extra)
                keys = np.insert(keys, np.searchsorted(keys, extra), extra)
            self._keys, self._extra, self._gone = keys, set(), set()
        return self._keys

    def replace(self, keys: Array) -> None:
        """After a whole load: these are all."""
        self._keys, self._extra, self._gone = keys, set(), set()

    def __contains__(self, entry: AddressEntry) -> bool:
        return entry in self._extra or (entry not in self._gone and self._in_base(entry))

    def add(self, entry: AddressEntry) -> None:
        """One more; it may be there already."""
        self._gone.discard(entry)
        if not self._in_base(entry):
            self._extra.add(entry)
        self._trim()

    def remove(self, entry: AddressEntry) -> None:
        """One less."""
        self._extra.discard(entry)
        if self._in_base(entry):
            self._gone.add(entry)
        self._trim()

    def inside(self, entry: AddressEntry) -> list[AddressEntry]:
        """The prefixes inside this one, itself apart, in no order."""
        first, end = self._range(entry)
        found = entries_of(self.family, self._keys[first:end])
        if self._gone:
            found = [other for other in found if other not in self._gone]
        found += [other for other in self._extra if entry.contains(other)]
        return [other for other in found if other != entry]

    def count_inside(self, entry: AddressEntry) -> int:
        """About how many those are: without the latest ones."""
        first, end = self._range(entry)
        return end - first

    def _range(self, entry: AddressEntry) -> tuple[int, int]:
        first, end = runs(self._keys, self._keys_of([entry]))
        return int(first[0]), int(end[0])

    def _in_base(self, entry: AddressEntry) -> bool:
        key = self._keys_of([entry])
        at = int(np.searchsorted(self._keys, key)[0])
        return at < len(self._keys) and self._keys[at] == key[0]

    def _keys_of(self, entries: Iterable[AddressEntry]) -> Array:
        return keys_of(self.family, Entries.from_entries(entries))

    def _trim(self) -> None:
        if len(self._extra) + len(self._gone) > _FOLD_AT:
            self.keys()


def keys_of(family: Literal[4, 6], entries: Entries) -> Array:
    """The prefixes of one family as keys."""
    return entries.p4 if family == 4 else keys17(entries.p6)


def entries_of(family: Literal[4, 6], keys: Array) -> list[AddressEntry]:
    """Keys as entries."""
    if family == 4:
        return [AddressEntry(4, key >> 8, key & 255) for key in keys.tolist()]
    raw = np.ascontiguousarray(keys).view("u1").reshape(-1, 17)
    return [AddressEntry(6, int.from_bytes(row[:16], "big"), row[16]) for row in map(bytes, raw)]
