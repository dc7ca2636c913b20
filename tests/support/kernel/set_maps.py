"""Set maps for tests, and a slow model of what they must hold."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal

import numpy as np

from xdpwall.abi import OCCUPIED
from xdpwall.closing import Closing
from xdpwall.dataplane.set_bulk import BulkWriter, OtherSet
from xdpwall.dataplane.set_hash4 import table_bytes
from xdpwall.dataplane.set_maps import SetMaps
from xdpwall.dataplane.set_single import EntryWriter
from xdpwall.kernel.bpf.map_info import BPF_F_MMAPABLE, BPF_F_NO_PREALLOC, MapType
from xdpwall.kernel.bpf.maps import Map, create_map
from xdpwall.kernel.clock import SystemClock
from xdpwall.sets.change import EntryChange
from xdpwall.sets.classes import Classes
from xdpwall.sets.entries import AddressEntry, Entries
from xdpwall.sets.keys import KINDS, Kind, address_bytes, kind_of, prefix_key
from xdpwall.sets.occupancy import BITMAP_KINDS
from xdpwall.sets.prefix_index import PrefixIndex, prefix_keys

Contents = dict[int, dict[AddressEntry, int]]
"""Set number -> entry -> when it ends (0: never)."""


def make_maps(set4: int = 4096, set6: int = 4096, tries: int = 1 << 20) -> dict[str, Map]:
    """Maps as bpf/maps.h has them."""
    lazy, mapped = BPF_F_NO_PREALLOC, BPF_F_MMAPABLE
    return {
        "set4": create_map(MapType.ARRAY, "set4", 4, table_bytes(set4), 1, mapped),
        "set4_rest": create_map(MapType.HASH, "set4_rest", 4, 4, set4, lazy),
        "set6": create_map(MapType.HASH, "set6", 16, 4, set6, lazy),
        "set4_prefixes": create_map(MapType.LPM_TRIE, "set4_prefixes", 8, 8, tries, lazy),
        "set6_prefixes": create_map(MapType.LPM_TRIE, "set6_prefixes", 20, 8, tries, lazy),
        "classes": create_map(MapType.ARRAY, "classes", 4, 16, 65536, mapped),
        "occupied": create_map(MapType.ARRAY, "occupied", 4, 8, OCCUPIED.itemsize // 8, mapped),
    }


class Tables(Closing):
    """The tables under test over maps of their own, without a store."""

    def __init__(self, maps: dict[str, Map]) -> None:
        self._maps = maps
        self.rows: dict[int, str | None] = {}
        self.maps = SetMaps(maps, SystemClock().offset_ns)
        self.classes = Classes({}, self.rows, lambda: None)
        self._indexes: dict[int, PrefixIndex] = {}
        self.single = EntryWriter(self.maps, self.classes, self.index)
        self.contents: Contents = {}

    def index(self, family: Literal[4, 6]) -> PrefixIndex:
        if family not in self._indexes:
            held = Entries.from_entries(e for held in self.contents.values() for e in held)
            self._indexes[family] = PrefixIndex(family, prefix_keys(family, held))
        return self._indexes[family]

    def change(self, changes: Iterable[EntryChange]) -> tuple[int, int]:
        """Apply single changes to the kernel and to `contents`: (number changed, number unchanged)."""
        plan = self.single.plan(changes)
        self.single.write(plan)
        for change in plan.changes:
            held = self.contents.setdefault(change.number, {})
            assert held.get(change.entry) == change.was
            if change.expires is None:
                del held[change.entry]
            else:
                held[change.entry] = change.expires
        return len(plan.changes), plan.unchanged

    def bulk(self, number: int) -> BulkWriter:
        def others(kind: Kind) -> Iterator[OtherSet]:
            for other, held in self.contents.items():
                if other != number:
                    lasting, ending = (
                        Entries.from_entries(e for e, ends in held.items() if bool(ends) is ended)
                        for ended in (False, True)
                    )
                    yield OtherSet(other, getattr(lasting, kind), getattr(ending, kind))

        return BulkWriter(self.maps, self.classes, self.index, others)

    def load(self, number: int, held: dict[AddressEntry, int]) -> None:
        """Load entries under an empty set number: first those without, then those with an expiry."""
        timed = {entry: ends for entry, ends in held.items() if ends}
        bulk = self.bulk(number)
        bulk.write(bulk.plan(number, Entries.from_entries(held.keys() - timed.keys()), 0))
        entries = Entries.from_entries(timed)
        ends: dict[Kind, list[int]] = {kind: [] for kind in KINDS}
        for entry in entries.part():
            ends[kind_of(entry)].append(timed[entry])
        bulk = self.bulk(number)
        arrays = {kind: np.array(ends[kind], "<u8") for kind in KINDS}
        bulk.write(bulk.plan(number, entries, arrays))
        self.contents[number] = dict(held)

    def sweep(self, number: int) -> None:
        """Remove every entry of a set number."""
        bulk = self.bulk(number)
        entries = Entries.from_entries(self.contents.get(number, {}))
        bulk.write(bulk.plan(number, entries, None))
        self.contents.pop(number, None)
        self.classes.retire(self.classes.classes_with_set(number))

    def seen(self, address: AddressEntry, now: int) -> set[int]:
        """The sets that a packet from this address is in at a moment, as bpf/sets.h finds them."""
        return in_kernel(self.maps, self.classes, address, now)

    def expected(self, address: AddressEntry, now: int) -> set[int]:
        """The same as seen(), by a walk over all entries."""
        return {
            number
            for number, held in self.contents.items()
            for entry, ends in held.items()
            if _contains(entry, address) and (not ends or now < ends)
        }

    def sizes(self) -> dict[Kind, int]:
        """The number of elements in each of the kernel's maps."""
        return {kind: len(table.lookup_batch()[0]) for kind, table in self.maps.tables.items()}

    def close(self) -> None:
        for m in self._maps.values():
            m.close()


def in_kernel(maps: SetMaps, classes: Classes, address: AddressEntry, now: int) -> set[int]:
    """Look one address up in the kernel's maps, occupancy bits and chains of classes."""
    found: set[int] = set()
    wide: Kind = "p4" if address.family == 4 else "p6"
    exact: Kind = "v4" if address.family == 4 else "v6"
    steps = []
    if _occupied(maps, exact, address):
        steps.append(maps.tables[exact].lookup(address_bytes(address)))
    if _occupied(maps, wide, address):
        steps.append(maps.tables[wide].lookup(prefix_key(address)))
    for value in steps:
        number = int.from_bytes((value or bytes(4))[:4], "little")
        for _ in range(8):
            row = maps.classes[number]
            # The kernel's clock: endings are told apart by the second here.
            ends, after = classes.expiry_step(number)
            assert (int(row["expires"]) > 0, int(row["after"])) == (ends > 0, after)
            if not ends or now < ends:
                break
            number = after
        found |= {member for member, _ in classes.members(number)}
    return found


def _occupied(maps: SetMaps, kind: Kind, address: AddressEntry) -> bool:
    if kind == "v4":
        return True
    if not maps.occupied.has_kind(BITMAP_KINDS.index(kind)):
        return False
    words = maps.occupied.bits(kind)
    if address.family == 4:
        bit = address.address >> 8
    else:
        if kind == "p6" and maps.occupied.has_short6:
            return True
        value = address.address >> (80 if kind == "v6" else 96)
        bit = (value * 0x9E3779B97F4A7C15 % (1 << 64)) >> 40
    return bool(int(words[bit >> 6]) >> (bit & 63) & 1)


def _contains(entry: AddressEntry, address: AddressEntry) -> bool:
    bits = 32 if entry.family == 4 else 128
    same = entry.family == address.family
    return same and (entry.address ^ address.address) >> (bits - entry.length) == 0


def exact(texts: Iterable[str]) -> list[AddressEntry]:
    """Parse entries, in order."""
    return [entry for text in texts for entry in Entries.of([text]).part()]
