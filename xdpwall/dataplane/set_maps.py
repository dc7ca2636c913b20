"""The kernel's maps of sets (bpf/maps.h), by address, prefix and class."""

from __future__ import annotations

import struct
import time
from collections.abc import Iterable, Mapping

import numpy as np

from xdpwall.abi import CLASS, OCCUPIED
from xdpwall.kernel.bpf.maps import Map
from xdpwall.sets.classes import Classes
from xdpwall.sets.entries import AddressEntry
from xdpwall.sets.keys import Kind, address_bytes, prefix_key
from xdpwall.sets.occupancy import Occupied
from xdpwall.values.arrays import Array

from .set_hash4 import AddressTable

_MAPS: Mapping[Kind, str] = {
    "v6": "set6",
    "p4": "set4_prefixes",
    "p6": "set6_prefixes",
}
_VALUE = struct.Struct("<II")
OWN = 0xFFFF
"""The class in a prefix's `own`. Above it stands the prefix's length, since the kernel answers for a prefix
that is not there with the next wider one."""
LENGTH_SHIFT = 24


class SetMaps:
    """One instance's; `close` belongs to whoever opened the maps."""

    def __init__(self, maps: Mapping[str, Map]) -> None:
        self.of: dict[Kind, Map | AddressTable] = {
            "v4": AddressTable.of(maps),
            **{kind: maps[name] for kind, name in _MAPS.items()},
        }
        self.classes: Array = np.frombuffer(maps["classes"].mmap(), CLASS)
        self.occupied = Occupied(np.frombuffer(maps["occupied"].mmap(), OCCUPIED, 1))

    # -- one entry -------------------------------------------------------------------------------
    def exact(self, entry: AddressEntry) -> int:
        """The class of an address; 0 when it is not there."""
        found = self.of["v4" if entry.family == 4 else "v6"].lookup(address_bytes(entry))
        return 0 if found is None else int.from_bytes(found, "little")

    def own(self, entry: AddressEntry) -> int:
        """The class of what a prefix itself is in; 0 when it is not there."""
        effective, own = self._wide(entry, entry.length)
        return own & OWN if effective and own >> LENGTH_SHIFT == entry.length else 0

    def above(self, entry: AddressEntry) -> int:
        """The class of what the narrowest wider prefix, with all above it, is in."""
        return self._wide(entry, entry.length - 1)[0] if entry.length else 0

    def _wide(self, entry: AddressEntry, length: int) -> tuple[int, int]:
        found = self._trie(entry).lookup(prefix_key(entry, length))
        return (0, 0) if found is None else _VALUE.unpack(found)

    def put_exact(self, entry: AddressEntry, number: int) -> None:
        """The address's class from now on; 0 takes it away. Full."""
        table = self.of["v4" if entry.family == 4 else "v6"]
        if number:
            table.update(address_bytes(entry), number.to_bytes(4, "little"))
        else:
            table.delete(address_bytes(entry))

    def put_prefix(self, entry: AddressEntry, effective: int, own: int) -> None:
        """Likewise for a prefix; it is taken away when it is in nothing itself."""
        if own:
            value = _VALUE.pack(effective, own | entry.length << LENGTH_SHIFT)
            self._trie(entry).update(prefix_key(entry), value)
        else:
            self._trie(entry).delete(prefix_key(entry))

    def _trie(self, entry: AddressEntry) -> Map | AddressTable:
        return self.of["p4" if entry.family == 4 else "p6"]

    # -- classes ---------------------------------------------------------------------------------
    def tell(self, classes: Classes, borne: Iterable[int] = ()) -> None:
        """Write the endings of classes that are new, and of those that entries are about to bear:
        who recorded these may have died before it told the kernel."""
        clock = time.clock_gettime_ns(time.CLOCK_BOOTTIME) - time.time_ns()
        for number in classes.unwritten.union(borne):
            ends, after = classes.expiry_step(number)
            row = self.classes[number]
            row["after"] = after
            row["expires"] = max(1, ends * 10**9 + clock) if ends else 0
        classes.unwritten.clear()
        for number in classes.stale_fingerprints:
            self.classes[number]["pad"] = 0
        classes.stale_fingerprints.clear()

    def unknown(self, classes: Classes, wanted: Iterable[int]) -> list[int]:
        """Those of the wanted classes that the generation in force does not know."""
        marks = self.classes["pad"]
        return [c for c in wanted if c and int(marks[c]) != classes.fingerprint(c)]

    def mark(self, classes: Classes) -> None:
        """The generation in force was compiled with all of these classes. The kernel keeps it, in a
        field that packets do not look at, for whoever comes next."""
        marks = np.zeros(len(self.classes), "<u4")
        for number in classes.set_numbers:
            marks[number] = classes.fingerprint(number)
        self.classes["pad"] = marks
