"""The kernel's maps of sets (bpf/maps.h), read and written by address, prefix and class."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Mapping

import numpy as np

from xdpwall.abi import CLASS, OCCUPIED
from xdpwall.kernel.bpf.atomic_words import store_u64
from xdpwall.kernel.bpf.maps import Map
from xdpwall.sets.classes import Classes
from xdpwall.sets.entries import AddressEntry
from xdpwall.sets.keys import Kind, address_bytes, prefix_key
from xdpwall.sets.occupancy import Occupied
from xdpwall.values.arrays import Array
from xdpwall.values.times import boottime_ns

from .set_hash4 import SetHash4

_MAPS: Mapping[Kind, str] = {
    "v6": "set6",
    "p4": "set4_prefixes",
    "p6": "set6_prefixes",
}
_PREFIX_VALUE = struct.Struct("<II")
CLASS_MASK = 0xFFFF
"""The bits of `own` in struct xw_set_prefix that hold the class. From LENGTH_SHIFT on it holds the
prefix's length, since a lookup of a prefix that is not in an LPM trie finds the next wider one."""
LENGTH_SHIFT = 24


class SetMaps:
    """The maps of one instance's sets. Whoever opened them closes them."""

    def __init__(self, maps: Mapping[str, Map], boot: Callable[[], int]) -> None:
        """`boot` gives the time of day at boot, in ns since 1970, by which entries end."""
        self._boot = boot
        self.tables: dict[Kind, Map | SetHash4] = {
            "v4": SetHash4.of(maps),
            **{kind: maps[name] for kind, name in _MAPS.items()},
        }
        self._class_memory = maps["classes"].mmap()
        self.classes: Array = np.frombuffer(self._class_memory, CLASS)
        self.occupied = Occupied(np.frombuffer(maps["occupied"].mmap(), OCCUPIED, 1))

    # -- one entry -------------------------------------------------------------------------------
    def address_class(self, entry: AddressEntry) -> int:
        """The class of an address; 0 if it is in no set."""
        found = self.tables["v4" if entry.family == 4 else "v6"].lookup(address_bytes(entry))
        return 0 if found is None else int.from_bytes(found, "little")

    def own_class(self, entry: AddressEntry) -> int:
        """The class of the sets that have this very prefix; 0 for none."""
        effective, own = self._lookup_prefix(entry, entry.length)
        return own & CLASS_MASK if effective and own >> LENGTH_SHIFT == entry.length else 0

    def wider_class(self, entry: AddressEntry) -> int:
        """The class of the sets of all wider prefixes; 0 for none."""
        return self._lookup_prefix(entry, entry.length - 1)[0] if entry.length else 0

    def _lookup_prefix(self, entry: AddressEntry, length: int) -> tuple[int, int]:
        found = self._trie(entry).lookup(prefix_key(entry, length))
        return (0, 0) if found is None else _PREFIX_VALUE.unpack(found)

    def write_address(self, entry: AddressEntry, number: int) -> None:
        """Write an address's class; 0 deletes the address. Raises Full."""
        table = self.tables["v4" if entry.family == 4 else "v6"]
        if number:
            table.update(address_bytes(entry), number.to_bytes(4, "little"))
        else:
            table.delete(address_bytes(entry))

    def write_prefix(self, entry: AddressEntry, effective: int, own: int) -> None:
        """Write a prefix's two classes (struct xw_set_prefix); `own` 0 deletes it. Raises Full."""
        if own:
            value = _PREFIX_VALUE.pack(effective, own | entry.length << LENGTH_SHIFT)
            self._trie(entry).update(prefix_key(entry), value)
        else:
            self._trie(entry).delete(prefix_key(entry))

    def _trie(self, entry: AddressEntry) -> Map | SetHash4:
        return self.tables["p4" if entry.family == 4 else "p6"]

    # -- classes ---------------------------------------------------------------------------------
    def write_expiry_steps(self, classes: Classes, wanted: Iterable[int] = ()) -> None:
        """Write the expiry steps of new classes, and of those that entries are about to get: the
        process that made these may have died before it wrote them."""
        boot = self._boot()
        for number in classes.unwritten.union(wanted):
            expires, after = classes.expiry_step(number)
            row = self.classes[number]
            row["after"] = after
            row["expires"] = boottime_ns(expires, boot) if expires else 0
        classes.unwritten.clear()
        for number in classes.stale_fingerprints:
            self.classes[number]["pad"] = 0
        classes.stale_fingerprints.clear()

    def write_endings(self, classes: Classes) -> None:
        """Write anew when the expiry steps of all classes come: the time of day is another. Packets
        follow the steps meanwhile, and meet each ending as it was or as it is."""
        boot = self._boot()
        expires = CLASS.fields["expires"][1] if CLASS.fields else 0
        for number in classes.timed():
            ends = boottime_ns(classes.expiry_step(number)[0], boot)
            store_u64(self._class_memory, number * CLASS.itemsize + expires, ends)

    def not_in_generation(self, classes: Classes, wanted: Iterable[int]) -> list[int]:
        """Those of the wanted classes that the active generation has no right rows for."""
        prints = self.classes["pad"]
        return [c for c in wanted if c and int(prints[c]) != classes.fingerprint(c)]

    def write_fingerprints(self, classes: Classes) -> None:
        """Record that the active generation was compiled with all of these classes.

        Their fingerprints go into `pad` of struct xw_class, which programs do not read, so that
        the next process knows too.
        """
        prints = np.zeros(len(self.classes), "<u4")
        for number in classes.set_numbers:
            prints[number] = classes.fingerprint(number)
        self.classes["pad"] = prints
