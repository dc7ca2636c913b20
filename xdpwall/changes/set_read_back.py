"""Read the entries of sets back from the kernel's maps, where the disk has lost them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from xdpwall.dataplane.set_maps import CLASS_MASK
from xdpwall.instance.instance import Instance
from xdpwall.sets.entries import AddressEntry, Entries
from xdpwall.sets.keys import KINDS, Kind
from xdpwall.sets.timed import TimedEntries
from xdpwall.values.arrays import arrays_of_keys, from_keys16, sorted_unique

if TYPE_CHECKING:
    from xdpwall.dataplane.dataplane import Dataplane


def read_back(
    instance: Instance, dataplane: Dataplane, numbers: Iterable[int]
) -> dict[int, TimedEntries]:
    """The entries of these set numbers; none of them where the kernel has an entry whose sets are not
    known, since it may be in each. Expiries are as the kernel has them, rounded up."""
    classes, maps = instance.sets.classes, instance.sets.maps(dataplane)
    tables = {kind: _read_table(kind, table) for kind, table in maps.tables.items()}
    used = {one for _, owned in tables.values() for one in sorted_unique(owned).tolist()}
    if maps.not_in_generation(classes, used & classes.set_numbers.keys()):
        return {}
    if any(one and not classes.members(one) for one in used):
        return {}
    found = {}
    for number in numbers:
        lasting: dict[Kind, list[Any]] = {kind: [] for kind in KINDS}
        expiring: dict[AddressEntry, int] = {}
        for kind, (keys, owned) in tables.items():
            for one in sorted_unique(owned).tolist():
                expires = dict(classes.members(one)).get(number)
                if expires is None:
                    continue
                rows = keys[owned == one]
                if expires:
                    entries = _entries(kind, [rows]).part()
                    expiring |= dict.fromkeys(entries, expires)
                else:
                    lasting[kind].append(rows)
        arrays = {kind: getattr(_entries(kind, lasting[kind]), kind) for kind in KINDS}
        found[number] = TimedEntries(Entries(**arrays), expiring)
    return found


def _read_table(kind: Kind, table: Any) -> tuple[Any, Any]:
    """Keys (n, bytes) u8, and the class (n,) of the sets that have each of them."""
    keys, values = table.lookup_batch()
    words = np.ascontiguousarray(values).view("<u4").reshape(-1)
    # A prefix has two: those of all sets that it is within, and its own.
    return keys, (words[1::2] if kind in ("p4", "p6") else words) & CLASS_MASK


def _entries(kind: Kind, parts: list[Any]) -> Entries:
    """Entries of one kind, from keys as the kernel has them."""
    if not parts:
        return Entries.empty()
    keys = np.ascontiguousarray(np.concatenate(parts))
    empty = dict(zip(KINDS, arrays_of_keys([], [], [], []), strict=True))
    if kind == "v4":
        return Entries(**empty | {kind: np.sort(keys.view(">u4").reshape(-1).astype("<u4"))})
    if kind == "v6":
        return Entries(**empty | {kind: from_keys16(np.sort(keys.view("S16").reshape(-1)))})
    family: Literal[4, 6] = 4 if kind == "p4" else 6
    return Entries.from_entries(
        AddressEntry(family, int.from_bytes(key[4:], "big"), int.from_bytes(key[:4], "little"))
        for key in map(bytes, keys)
    )
