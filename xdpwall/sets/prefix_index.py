"""An index of the prefixes in the kernel's LPM tries, to find those inside another one. Pure.

A trie finds the longest prefix of an address and cannot list those below; a sorted array can.
Single changes go into small sets beside it, so that one more prefix does not move a million.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import numpy as np

from xdpwall.values.arrays import Array, keys17
from xdpwall.values.nesting import nested_ranges

from .entries import AddressEntry, Entries

_FOLD_AT = 2048


class PrefixIndex:
    """The prefixes of one family in all sets. `keys` are sorted keys of values/nesting.py."""

    def __init__(self, family: Literal[4, 6], keys: Array) -> None:
        self.family = family
        self._keys = keys
        self._added: set[AddressEntry] = set()
        self._removed: set[AddressEntry] = set()

    def keys(self) -> Array:
        """All keys, sorted."""
        if self._added or self._removed:
            keys = self._keys
            if self._removed:
                at = np.searchsorted(keys, self._keys_of(self._removed))
                keys = np.delete(keys, at)
            if self._added:
                extra = self._keys_of(self._added)
                keys = np.insert(keys, np.searchsorted(keys, extra), extra)
            self._keys, self._added, self._removed = keys, set(), set()
        return self._keys

    def replace(self, keys: Array) -> None:
        """Replace all keys, after a whole set was written."""
        self._keys, self._added, self._removed = keys, set(), set()

    def __contains__(self, entry: AddressEntry) -> bool:
        return entry in self._added or (entry not in self._removed and self._in_keys(entry))

    def add(self, entry: AddressEntry) -> None:
        """Add a prefix, unless it is there."""
        self._removed.discard(entry)
        if not self._in_keys(entry):
            self._added.add(entry)
        self._fold_if_large()

    def remove(self, entry: AddressEntry) -> None:
        """Remove a prefix, if it is there."""
        self._added.discard(entry)
        if self._in_keys(entry):
            self._removed.add(entry)
        self._fold_if_large()

    def inside(self, entry: AddressEntry) -> list[AddressEntry]:
        """The prefixes inside this one, without itself, in no order."""
        first, end = self._range(entry)
        found = prefix_entries(self.family, self._keys[first:end])
        if self._removed:
            found = [other for other in found if other not in self._removed]
        found += [other for other in self._added if entry.contains(other)]
        return [other for other in found if other != entry]

    def count_inside(self, entry: AddressEntry) -> int:
        """About how many prefixes are inside this one; the latest changes do not count."""
        first, end = self._range(entry)
        return end - first

    def _range(self, entry: AddressEntry) -> tuple[int, int]:
        first, end = nested_ranges(self._keys, self._keys_of([entry]))
        return int(first[0]), int(end[0])

    def _in_keys(self, entry: AddressEntry) -> bool:
        key = self._keys_of([entry])
        at = int(np.searchsorted(self._keys, key)[0])
        return at < len(self._keys) and self._keys[at] == key[0]

    def _keys_of(self, entries: Iterable[AddressEntry]) -> Array:
        return prefix_keys(self.family, Entries.from_entries(entries))

    def _fold_if_large(self) -> None:
        if len(self._added) + len(self._removed) > _FOLD_AT:
            self.keys()


def prefix_keys(family: Literal[4, 6], entries: Entries) -> Array:
    """The prefixes of one family as keys of values/nesting.py."""
    return entries.p4 if family == 4 else keys17(entries.p6)


def prefix_entries(family: Literal[4, 6], keys: Array) -> list[AddressEntry]:
    """Entries from keys of values/nesting.py."""
    if family == 4:
        return [AddressEntry(4, key >> 8, key & 255) for key in keys.tolist()]
    raw = np.ascontiguousarray(keys).view("u1").reshape(-1, 17)
    return [AddressEntry(6, int.from_bytes(row[:16], "big"), row[16]) for row in map(bytes, raw)]
