"""All entries of one set written into the kernel's maps, or deleted from them.

An entry may be in other sets too. For addresses the caller knows in which; for prefixes, and for
addresses that expire, the kernel's maps are read: one by one when they are few, else the whole map.
New classes are then decided once per combination, not per entry. `plan` and `write` are apart as in
set_single.py, since the caller publishes the classes in between.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import numpy as np

from xdpwall.sets.classes import Classes, Members, merge_members, with_membership, without_set
from xdpwall.sets.entries import Entries
from xdpwall.sets.keys import KINDS, Kind
from xdpwall.sets.prefix_index import PrefixIndex, prefix_keys
from xdpwall.values.arrays import Array, all_keys, from_keys17, keys16, sorted_unique
from xdpwall.values.nesting import nested_ends, nesting_levels

from .set_maps import CLASS_MASK, LENGTH_SHIFT, SetMaps

_BATCH_GAIN = 32
"""One lookup costs as much as this many elements of a batch."""
_TRIE_KEY4 = np.dtype([("bits", "<u4"), ("address", ">u4")])


class OtherSet(NamedTuple):
    """One family's addresses of another set: sorted, in the shape of `Entries.v4` or `.v6`."""

    number: int
    lasting: Array
    """Those that the set has for good."""
    looked_up: Array
    """Those whose class is read from the kernel, since they expire."""


@dataclass(slots=True)
class MapWrites:
    """The writes of one map: keys (n, key_size) u1 and values (n, value_size) u1."""

    kind: Kind
    entries: Array
    """The entries of `keys` in the shape of `Entries`, for the occupancy bitmaps."""
    keys: Array
    values: Array
    deleted_keys: Array
    index_keys: Array | None = None
    """Of a trie: all prefixes that it holds afterwards, as keys of values/nesting.py."""


@dataclass(slots=True)
class BulkPlan:
    """The map writes of a load or a deletion, and the classes that entries get."""

    parts: list[MapWrites] = field(default_factory=list)
    classes: set[int] = field(default_factory=set)


class BulkWriter:
    """Plans and writes whole loads and deletions for one instance's sets."""

    def __init__(
        self,
        maps: SetMaps,
        classes: Classes,
        prefixes: Callable[[Literal[4, 6]], PrefixIndex],
        others: Callable[[Kind], Iterable[OtherSet]],
    ) -> None:
        """`prefixes` returns the index of a family's prefixes; `others` the `v4` or `v6` addresses
        of all other sets."""
        self.maps, self.classes, self.prefixes, self._other_sets = maps, classes, prefixes, others

    def plan(
        self, number: int, entries: Entries, expires: Mapping[Kind, Array] | int | None
    ) -> BulkPlan:
        """Plan to put the entries into set `number`, or with `expires` None to delete them from it.

        `expires` is in seconds since 1970, 0 for never; as a mapping it has an array (n,) u8 for
        each kind of entries. Raises Full: "too-many-classes", "too-many-timeouts".
        """
        bulk = BulkPlan()
        for kind in KINDS:
            array = getattr(entries, kind)
            if not len(array):
                continue
            moments = expires[kind] if isinstance(expires, Mapping) else expires
            if kind in ("v4", "v6"):
                self._plan_addresses(bulk, kind, array, number, moments)
            else:
                self._plan_prefixes(bulk, 4 if kind == "p4" else 6, entries, number, moments)
        return bulk

    def write(self, bulk: BulkPlan) -> None:
        """Write a plan. After Full a part may be written; writing it again, or deleting it, does no
        harm."""
        self.maps.write_expiry_steps(self.classes)
        for part in bulk.parts:
            self.maps.occupied.add(part.kind, part.entries)
            table = self.maps.tables[part.kind]
            table.update_batch(part.keys, part.values, len(part.keys))
            table.delete_batch(part.deleted_keys, len(part.deleted_keys))
            if part.index_keys is not None:
                self.prefixes(4 if part.kind == "p4" else 6).replace(part.index_keys)

    # -- addresses -------------------------------------------------------------------------------
    def _plan_addresses(
        self, bulk: BulkPlan, kind: Kind, entries: Array, number: int, expires: Array | int | None
    ) -> None:
        keys = _hash_keys(kind, entries)
        then = self._changed_classes(self._other_classes(kind, entries, keys), number, expires)
        bulk.parts.append(_address_writes(kind, entries, keys, then))
        bulk.classes.update(classes_in(then))

    def _other_classes(self, kind: Kind, entries: Array, keys: Array) -> Array:
        """The class of the other sets of each address: (n,) u4. Where it is read from the kernel, the
        set in question may be among them."""
        combined: list[Members] = [()]
        found, asked = np.zeros(len(keys), "<u4"), np.zeros(len(keys), bool)
        (wanted,) = all_keys(entries)
        for other in self._other_sets(kind):
            lasting, ending = all_keys(other.lasting, other.looked_up)
            if len(at := _indexes_in(wanted, lasting)):
                table = np.zeros(len(combined), "<u4")
                for code in classes_in(found[at]):
                    table[code] = len(combined)
                    combined.append(with_membership(combined[code], other.number, 0))
                found[at] = table[found[at]]
            asked[_indexes_in(wanted, ending)] = True
        ids = np.zeros(len(combined), "<u4")
        for code in classes_in(found):
            ids[code] = self.classes.class_of(combined[code])
        found = ids[found]
        if asked.any():
            found[asked] = self._lookup_values(kind, keys[asked], len(keys))[:, 0]
        return found

    def _changed_classes(self, now: Array, number: int, expires: Array | int | None) -> Array:
        """The classes after the change, (n,) u4, from those before it."""
        classes = self.classes
        table = np.zeros(CLASS_MASK + 1, "<u4")
        if not isinstance(expires, np.ndarray):
            for old in classes_in(now):
                members = classes.members(old)
                then = (
                    without_set(members, number)
                    if expires is None
                    else with_membership(members, number, expires)
                )
                table[old] = classes.class_of(then)
            return table[now]
        codes = now.astype("<u8") << np.uint64(40) | expires.astype("<u8")
        kinds = sorted_unique(codes)
        made = np.array(
            [
                classes.class_of(
                    with_membership(classes.members(code >> 40), number, code & (1 << 40) - 1)
                )
                for code in kinds.tolist()
            ],
            "<u4",
        )
        answer: Array = made[np.searchsorted(kinds, codes)]
        return answer

    # -- prefixes --------------------------------------------------------------------------------
    def _plan_prefixes(
        self,
        bulk: BulkPlan,
        family: Literal[4, 6],
        entries: Entries,
        number: int,
        expires: Array | int | None,
    ) -> None:
        """Plan the prefixes and those inside them: each has a class of its own sets and one that adds
        the sets of all wider prefixes."""
        kind: Kind = "p4" if family == 4 else "p6"
        changed = prefix_keys(family, entries)
        here = self.prefixes(family).keys()
        every = changed
        if len(here):
            every = sorted_unique(np.concatenate([here, changed]))
        reach = nested_ends(every)
        parent, depths = nesting_levels(reach)
        at = np.searchsorted(every, changed)
        edge = np.bincount(at, minlength=len(every) + 1) - np.bincount(
            reach[at], minlength=len(every) + 1
        )
        touched = np.cumsum(edge[:-1]) > 0
        asked = touched.copy()
        asked[parent[touched & (parent >= 0)]] = True
        effective, own = np.zeros((2, len(every)), "<u4")
        if len(here):
            found = self._lookup_values(kind, trie_keys(every[asked]), len(here), every[asked])
            effective[asked], own[asked] = found[:, 0], found[:, 1]
        before = effective.copy(), own.copy()
        own[at] = self._changed_classes(own[at], number, expires)
        for depth in depths:
            rows = depth[touched[depth]]
            outer = np.where(parent[rows] >= 0, effective[parent[rows]], 0).astype("<u4")
            effective[rows] = self._merged(outer, own[rows])
        moved = touched & (own > 0) & ((effective != before[0]) | (own != before[1]))
        gone = touched & (own == 0) & (before[1] > 0)
        bulk.parts.append(_prefix_writes(kind, every[moved], effective[moved], own[moved]))
        bulk.parts[-1].deleted_keys = trie_keys(every[gone])
        bulk.parts[-1].index_keys = every[(own > 0) | ~touched]
        bulk.classes.update(classes_in(effective[moved]))

    def _merged(self, outer: Array, own: Array) -> Array:
        """The classes of the sets of either, (n,) u4: `outer` of the wider prefixes, `own`."""
        answer = np.where(own > 0, own, outer)
        both = (own > 0) & (outer > 0) & (own != outer)
        codes = outer[both].astype("<u8") << np.uint64(16) | own[both]
        kinds = sorted_unique(codes)
        members = self.classes.members
        made = np.array(
            [
                self.classes.class_of(
                    merge_members(members(code >> 16), members(code & CLASS_MASK))
                )
                for code in kinds.tolist()
            ],
            "<u4",
        )
        answer[both] = made[np.searchsorted(kinds, codes)]
        return answer

    # -- what is there ---------------------------------------------------------------------------
    def _lookup_values(
        self, kind: Kind, keys: Array, size: int, prefixes: Array | None = None
    ) -> Array:
        """Look up these keys in a map of about `size` elements: (n, 1) u4 class or, of `prefixes`,
        (n, 2) u4 effective and own class; 0 where there is none."""
        table = self.maps.tables[kind]
        found = np.zeros((len(keys), 1 if prefixes is None else 2), "<u4")
        if len(keys) * _BATCH_GAIN < size:
            for i, key in enumerate(keys):
                if value := table.lookup(key.tobytes()):
                    found[i] = np.frombuffer(value, "<u4")
        else:
            there, values = table.lookup_batch()
            have = _sortable(there) if prefixes is None else prefixes_of_trie_keys(kind, there)
            want = _sortable(keys) if prefixes is None else prefixes
            order = np.argsort(have)
            place = np.searchsorted(have, want, sorter=order)
            place[place == len(have)] = 0
            if len(have):
                hit = have[order[place]] == want
                found[hit] = values.view("<u4")[order[place[hit]]]
        if prefixes is not None:
            # A lookup of a prefix that is not there has found the next wider one.
            wrong = found[:, 1] >> LENGTH_SHIFT != prefix_lengths(kind, prefixes)
            found[wrong] = 0
            found[:, 1] &= CLASS_MASK
        return found


def _indexes_in(wanted: Array, others: Array) -> Array:
    """The indexes in `wanted` of the values that `others` has too; both sorted and unique. The shorter
    is searched in the longer."""
    if len(others) < len(wanted):
        place = np.searchsorted(wanted, others)
        place[place == len(wanted)] = 0
        found: Array = place[wanted[place] == others]
        return found
    place = np.searchsorted(others, wanted)
    place[place == len(others)] = 0
    return np.flatnonzero(others[place] == wanted) if len(others) else place


def classes_in(numbers: Array) -> list[int]:
    """The distinct class numbers of an array, 0 included, in order."""
    return np.flatnonzero(np.bincount(numbers)).tolist()


def _sortable(keys: Array) -> Array:
    """Keys of hash maps as one sortable value each: u4 or S16."""
    if keys.shape[1] == 4:
        return np.ascontiguousarray(keys).view(">u4").reshape(-1).astype("<u4")
    return np.ascontiguousarray(keys).view("S16").reshape(-1)


def _hash_keys(kind: Kind, entries: Array) -> Array:
    if kind == "v4":
        return entries.astype(">u4").view("u1").reshape(-1, 4)
    return np.ascontiguousarray(keys16(entries)).view("u1").reshape(-1, 16)


def trie_keys(prefixes: Array) -> Array:
    """LPM trie keys, (n, 8) or (n, 20) u1, from keys of values/nesting.py."""
    if prefixes.dtype.kind == "u":
        keys = np.empty(len(prefixes), _TRIE_KEY4)
        keys["bits"], keys["address"] = prefixes & np.uint64(255), prefixes >> np.uint64(8)
        return keys.view("u1").reshape(-1, 8)
    raw = np.ascontiguousarray(prefixes).view("u1").reshape(-1, 17)
    out = np.zeros((len(raw), 20), "u1")
    out[:, 0], out[:, 4:] = raw[:, 16], raw[:, :16]
    return out


def prefixes_of_trie_keys(kind: Kind, keys: Array) -> Array:
    """Keys of values/nesting.py from LPM trie keys."""
    if kind == "p4":
        rows = np.ascontiguousarray(keys).view(_TRIE_KEY4).reshape(-1)
        found: Array = rows["address"].astype("<u8") << np.uint64(8) | rows["bits"].astype("<u8")
        return found
    raw = np.empty((len(keys), 17), "u1")
    raw[:, :16], raw[:, 16] = keys[:, 4:], keys[:, 0]
    return raw.view("S17").reshape(-1)


def prefix_lengths(kind: Kind, prefixes: Array) -> Array:
    """The lengths of prefixes given as keys of values/nesting.py: (n,) u8."""
    if kind == "p4":
        return prefixes & np.uint64(255)
    return np.ascontiguousarray(prefixes).view("u1").reshape(-1, 17)[:, 16].astype("<u8")


def _address_writes(kind: Kind, entries: Array, keys: Array, then: Array) -> MapWrites:
    stay = then > 0
    if stay.all():
        return MapWrites(kind, entries, keys, then.view("u1").reshape(-1, 4), keys[:0])
    values = np.ascontiguousarray(then[stay]).view("u1").reshape(-1, 4)
    return MapWrites(kind, entries[stay], keys[stay], values, keys[~stay])


def _prefix_writes(kind: Kind, prefixes: Array, effective: Array, own: Array) -> MapWrites:
    values = np.empty((len(prefixes), 2), "<u4")
    values[:, 0] = effective
    values[:, 1] = own | prefix_lengths(kind, prefixes).astype("<u4") << np.uint32(LENGTH_SHIFT)
    entries = prefixes if kind == "p4" else from_keys17(prefixes)
    keys = trie_keys(prefixes)
    return MapWrites(kind, entries, keys, values.view("u1").reshape(-1, 8), keys[:0])
