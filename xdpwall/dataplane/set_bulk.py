"""Whole loads and sweeps: every entry of one set into the kernel's maps, or out of them.

An entry may be in other sets as well. Of addresses the caller says in which; of prefixes, and of
what ends, the kernel is asked: entry by entry when there are few, else the whole map at once.
Classes are then worked out by combination, not by entry.
`plan` and `write` are apart for the same reason as in settables.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import numpy as np

from xdpwall.sets.classes import Classes, Members, merge_members, with_membership, without_set
from xdpwall.sets.entries import Entries
from xdpwall.sets.keys import KINDS, Kind
from xdpwall.sets.prefix_index import PrefixIndex, keys_of
from xdpwall.values.arrays import Array, all_keys, from_keys17, keys16
from xdpwall.values.nesting import levels, stops

from .set_maps import LENGTH_SHIFT, OWN, SetMaps

_FEW = 32
"""Reading one element alone costs as much as this many in a batch."""
_KEY4 = np.dtype([("bits", "<u4"), ("address", ">u4")])


class Other(NamedTuple):
    """What another set has of one family's addresses: sorted, in the shape of `Entries`."""

    number: int
    lasting: Array
    asked: Array
    """Those whose class the kernel has to say, since they end."""


@dataclass(slots=True)
class Writes:
    """What one map gets: kernel keys (n, key_size) u8 and values (n, value_size) u8."""

    kind: Kind
    entries: Array
    """Those that come, in the shape of `Entries`, for the occupancy bitmaps."""
    keys: Array
    values: Array
    gone: Array
    after: Array | None = None
    """Of a trie: all the prefixes that it holds then, as keys of nesting.py."""


@dataclass(slots=True)
class Bulk:
    """A planned load or sweep."""

    parts: list[Writes] = field(default_factory=list)
    classes: set[int] = field(default_factory=set)


class BulkTables:
    """Plans and writes for one instance's sets."""

    def __init__(
        self,
        maps: SetMaps,
        classes: Classes,
        prefixes: Callable[[Literal[4, 6]], PrefixIndex],
        others: Callable[[Kind], Iterable[Other]],
    ) -> None:
        """`others` gives what all other sets have of `v4` or `v6`."""
        self.maps, self.classes, self.prefixes, self._others = maps, classes, prefixes, others

    def plan(self, number: int, entries: Entries, ends: Mapping[Kind, Array] | int | None) -> Bulk:
        """These entries in the set until `ends` (0: for good; an array per kind: entry by entry,
        seconds since 1970), or with None not in it. Full when there are too many classes."""
        bulk = Bulk()
        for kind in KINDS:
            array = getattr(entries, kind)
            if not len(array):
                continue
            moments = ends[kind] if isinstance(ends, Mapping) else ends
            if kind in ("v4", "v6"):
                self._plan_exact(bulk, kind, array, number, moments)
            else:
                self._plan_wide(bulk, 4 if kind == "p4" else 6, entries, number, moments)
        return bulk

    def write(self, bulk: Bulk) -> None:
        """Do it. Full may leave a part done: to do it again, or to sweep it, is no harm."""
        self.maps.tell(self.classes)
        for part in bulk.parts:
            self.maps.occupied.add(part.kind, part.entries)
            table = self.maps.of[part.kind]
            table.update_batch(part.keys, part.values, len(part.keys))
            table.delete_batch(part.gone, len(part.gone))
            if part.after is not None:
                self.prefixes(4 if part.kind == "p4" else 6).replace(part.after)

    # -- addresses -------------------------------------------------------------------------------
    def _plan_exact(
        self, bulk: Bulk, kind: Kind, entries: Array, number: int, ends: Array | int | None
    ) -> None:
        keys = _exact_keys(kind, entries)
        then = self._changed(self._elsewhere(kind, entries, keys), number, ends)
        bulk.parts.append(_exact(kind, entries, keys, then))
        bulk.classes.update(classes_in(then))

    def _elsewhere(self, kind: Kind, entries: Array, keys: Array) -> Array:
        """The class of what each of these addresses is in besides: (n,) u4. The kernel's answer may
        have the set in question too."""
        combined: list[Members] = [()]
        found, asked = np.zeros(len(keys), "<u4"), np.zeros(len(keys), bool)
        (wanted,) = all_keys(entries)
        for other in self._others(kind):
            lasting, ending = all_keys(other.lasting, other.asked)
            if len(at := _common(wanted, lasting)):
                table = np.zeros(len(combined), "<u4")
                for code in classes_in(found[at]):
                    table[code] = len(combined)
                    combined.append(with_membership(combined[code], other.number, 0))
                found[at] = table[found[at]]
            asked[_common(wanted, ending)] = True
        ids = np.zeros(len(combined), "<u4")
        for code in classes_in(found):
            ids[code] = self.classes.class_of(combined[code])
        found = ids[found]
        if asked.any():
            found[asked] = self._present(kind, keys[asked], len(keys))[:, 0]
        return found

    def _changed(self, now: Array, number: int, ends: Array | int | None) -> Array:
        """The classes after the change, (n,) u4, of those before."""
        classes = self.classes
        table = np.zeros(OWN + 1, "<u4")
        if not isinstance(ends, np.ndarray):
            for old in classes_in(now):
                members = classes.members(old)
                then = (
                    without_set(members, number)
                    if ends is None
                    else with_membership(members, number, ends)
                )
                table[old] = classes.class_of(then)
            return table[now]
        codes = now.astype("<u8") << np.uint64(40) | ends.astype("<u8")
        kinds = distinct(codes)
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
    def _plan_wide(
        self,
        bulk: Bulk,
        family: Literal[4, 6],
        entries: Entries,
        number: int,
        ends: Array | int | None,
    ) -> None:
        """The prefixes, and what is inside them: each bears its own sets and all wider ones'."""
        kind: Kind = "p4" if family == 4 else "p6"
        changed = keys_of(family, entries)
        here = self.prefixes(family).keys()
        every = changed
        if len(here):
            every = np.sort(np.concatenate([here, changed]))
            every = every[np.concatenate([[True], every[1:] != every[:-1]])]
        reach = stops(every)
        parent, depths = levels(reach)
        at = np.searchsorted(every, changed)
        edge = np.bincount(at, minlength=len(every) + 1) - np.bincount(
            reach[at], minlength=len(every) + 1
        )
        touched = np.cumsum(edge[:-1]) > 0
        asked = touched.copy()
        asked[parent[touched & (parent >= 0)]] = True
        effective, own = np.zeros((2, len(every)), "<u4")
        if len(here):
            found = self._present(kind, wide_keys(every[asked]), len(here), every[asked])
            effective[asked], own[asked] = found[:, 0], found[:, 1]
        before = effective.copy(), own.copy()
        own[at] = self._changed(own[at], number, ends)
        for depth in depths:
            rows = depth[touched[depth]]
            outer = np.where(parent[rows] >= 0, effective[parent[rows]], 0).astype("<u4")
            effective[rows] = self._merged(outer, own[rows])
        moved = touched & (own > 0) & ((effective != before[0]) | (own != before[1]))
        gone = touched & (own == 0) & (before[1] > 0)
        bulk.parts.append(_wide(kind, every[moved], effective[moved], own[moved]))
        bulk.parts[-1].gone = wide_keys(every[gone])
        bulk.parts[-1].after = every[(own > 0) | ~touched]
        bulk.classes.update(classes_in(effective[moved]))

    def _merged(self, outer: Array, own: Array) -> Array:
        """The classes of what both are in together."""
        answer = np.where(own > 0, own, outer)
        both = (own > 0) & (outer > 0) & (own != outer)
        codes = outer[both].astype("<u8") << np.uint64(16) | own[both]
        kinds = distinct(codes)
        members = self.classes.members
        made = np.array(
            [
                self.classes.class_of(merge_members(members(code >> 16), members(code & OWN)))
                for code in kinds.tolist()
            ],
            "<u4",
        )
        answer[both] = made[np.searchsorted(kinds, codes)]
        return answer

    # -- what is there ---------------------------------------------------------------------------
    def _present(self, kind: Kind, keys: Array, size: int, prefixes: Array | None = None) -> Array:
        """The values at these kernel keys, of a map with about `size` elements: (n, 1) u4 class,
        or (n, 2) u4 effective and own class, 0 where there is none."""
        table = self.maps.of[kind]
        found = np.zeros((len(keys), 1 if prefixes is None else 2), "<u4")
        if len(keys) * _FEW < size:
            for i, key in enumerate(keys):
                if value := table.lookup(key.tobytes()):
                    found[i] = np.frombuffer(value, "<u4")
        else:
            there, values = table.lookup_batch()
            have = _sortable(there) if prefixes is None else prefixes_of(kind, there)
            want = _sortable(keys) if prefixes is None else prefixes
            order = np.argsort(have)
            place = np.searchsorted(have, want, sorter=order)
            place[place == len(have)] = 0
            if len(have):
                hit = have[order[place]] == want
                found[hit] = values.view("<u4")[order[place[hit]]]
        if prefixes is not None:
            # A lookup of a prefix that is not there gives the next wider one: not its own.
            wrong = found[:, 1] >> LENGTH_SHIFT != lengths_of(kind, prefixes)
            found[wrong] = 0
            found[:, 1] &= OWN
        return found


def _common(wanted: Array, others: Array) -> Array:
    """The places in `wanted` of what `others` has too, both sorted, each once. The fewer are looked
    up among the more."""
    if len(others) < len(wanted):
        place = np.searchsorted(wanted, others)
        place[place == len(wanted)] = 0
        found: Array = place[wanted[place] == others]
        return found
    place = np.searchsorted(others, wanted)
    place[place == len(others)] = 0
    return np.flatnonzero(others[place] == wanted) if len(others) else place


def distinct(values: Array) -> Array:
    """Sorted, each once. (np.unique hashes whole numbers, which takes 40 times as long.)"""
    values = np.sort(values)
    return values[np.concatenate([[True], values[1:] != values[:-1]])] if len(values) else values


def classes_in(numbers: Array) -> list[int]:
    """The different ones of many classes."""
    return np.flatnonzero(np.bincount(numbers)).tolist()


def _sortable(keys: Array) -> Array:
    """Kernel keys of addresses as one sortable thing each."""
    if keys.shape[1] == 4:
        return np.ascontiguousarray(keys).view(">u4").reshape(-1).astype("<u4")
    return np.ascontiguousarray(keys).view("S16").reshape(-1)


def _exact_keys(kind: Kind, entries: Array) -> Array:
    if kind == "v4":
        return entries.astype(">u4").view("u1").reshape(-1, 4)
    return np.ascontiguousarray(keys16(entries)).view("u1").reshape(-1, 16)


def wide_keys(prefixes: Array) -> Array:
    """Keys of nesting.py as the kernel's, (n, 8) or (n, 20) u8."""
    if prefixes.dtype.kind == "u":
        keys = np.empty(len(prefixes), _KEY4)
        keys["bits"], keys["address"] = prefixes & np.uint64(255), prefixes >> np.uint64(8)
        return keys.view("u1").reshape(-1, 8)
    raw = np.ascontiguousarray(prefixes).view("u1").reshape(-1, 17)
    out = np.zeros((len(raw), 20), "u1")
    out[:, 0], out[:, 4:] = raw[:, 16], raw[:, :16]
    return out


def prefixes_of(kind: Kind, keys: Array) -> Array:
    """The inverse of wide_keys."""
    if kind == "p4":
        rows = np.ascontiguousarray(keys).view(_KEY4).reshape(-1)
        found: Array = rows["address"].astype("<u8") << np.uint64(8) | rows["bits"].astype("<u8")
        return found
    raw = np.empty((len(keys), 17), "u1")
    raw[:, :16], raw[:, 16] = keys[:, 4:], keys[:, 0]
    return raw.view("S17").reshape(-1)


def lengths_of(kind: Kind, prefixes: Array) -> Array:
    """The length of each prefix."""
    if kind == "p4":
        return prefixes & np.uint64(255)
    return np.ascontiguousarray(prefixes).view("u1").reshape(-1, 17)[:, 16].astype("<u8")


def _exact(kind: Kind, entries: Array, keys: Array, then: Array) -> Writes:
    stay = then > 0
    if stay.all():
        return Writes(kind, entries, keys, then.view("u1").reshape(-1, 4), keys[:0])
    values = np.ascontiguousarray(then[stay]).view("u1").reshape(-1, 4)
    return Writes(kind, entries[stay], keys[stay], values, keys[~stay])


def _wide(kind: Kind, prefixes: Array, effective: Array, own: Array) -> Writes:
    values = np.empty((len(prefixes), 2), "<u4")
    values[:, 0] = effective
    values[:, 1] = own | lengths_of(kind, prefixes).astype("<u4") << np.uint32(LENGTH_SHIFT)
    entries = prefixes if kind == "p4" else from_keys17(prefixes)
    keys = wide_keys(prefixes)
    return Writes(kind, entries, keys, values.view("u1").reshape(-1, 8), keys[:0])
