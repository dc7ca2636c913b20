"""A process's cache of the classes of sets, the indexes of their prefixes and their open maps.

Each is made when first needed, and anew after another process has committed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Literal

from xdpwall.compiler.generation import KernelSets
from xdpwall.dataplane.set_maps import SetMaps
from xdpwall.dataplane.set_single import FAMILIES, EntryWriter
from xdpwall.sets.classes import Classes
from xdpwall.sets.entries import Entries
from xdpwall.sets.keys import KINDS, Kind
from xdpwall.sets.prefix_index import PrefixIndex, keys_of

if TYPE_CHECKING:
    from xdpwall.dataplane.dataplane import Dataplane
    from xdpwall.dataplane.mapset import MapSet
    from xdpwall.dataplane.set_bulk import BulkWriter, OtherSet
    from xdpwall.ruleset.state import State
    from xdpwall.store.store import Store
    from xdpwall.values.arrays import Array


class SetCache:
    """One instance's sets. Callers hold the instance's lock."""

    def __init__(self, store: Store) -> None:
        self._rulesets = store
        self._store = store.sets
        self._version = -1
        self._classes: Classes | None = None
        self._indexes: dict[int, PrefixIndex] = {}
        self._maps: tuple[MapSet, SetMaps] | None = None

    # -- what there is ---------------------------------------------------------------------------
    @property
    def classes(self) -> Classes:
        """The classes, as rules can see them now."""
        self._refresh()
        if self._classes is None:
            from xdpwall.kernel.bpf.bpffs import grace

            self._classes = Classes(self._store.classes(), self._store.class_rows, grace)
        self._classes.set_visible(frozenset(row.number for row in self._rulesets.read().state.sets))
        return self._classes

    def world(self, state: State) -> KernelSets:
        """What the compiler has to know for a ruleset."""
        classes = self.classes
        numbers = {row.name: row.number for row in state.sets}
        # A copy: a generation is held against what it was compiled from.
        return KernelSets(numbers, dict(classes.set_numbers), classes.has_timed)

    def maps(self, dataplane: Dataplane) -> SetMaps:
        """The maps in use; others after they grew."""
        if self._maps is None or self._maps[0] is not dataplane.map_set:
            self._maps = dataplane.map_set, SetMaps(dataplane.map_set.maps)
        return self._maps[1]

    def single(self, dataplane: Dataplane) -> EntryWriter:
        """For single changes."""
        return EntryWriter(self.maps(dataplane), self.classes, self._index)

    def bulk(
        self,
        dataplane: Dataplane,
        number: int,
        others: Callable[[Kind], Iterable[OtherSet]] | None = None,
    ) -> BulkWriter:
        """For loads and sweeps of one number; `others` as there, by default what is on disk."""
        from xdpwall.dataplane.set_bulk import BulkWriter

        return BulkWriter(
            self.maps(dataplane),
            self.classes,
            self._index,
            others or (lambda kind: self.others(kind, without=number)),
        )

    def others(self, kind: Kind, without: int) -> Iterator[OtherSet]:
        """What all sets but one have of a family's addresses."""
        from xdpwall.dataplane.set_bulk import OtherSet

        for number, held in self._store.held().items():
            if number != without and getattr(held, kind):
                data = self._store.read(number)
                ending = Entries.from_entries(e for e, _ in data.timed)
                yield OtherSet(number, getattr(data.entries, kind), getattr(ending, kind))

    def addresses(self, kind: Kind) -> Array:
        """All addresses of a family in any set, in any order."""
        import numpy as np

        parts = [getattr(Entries.empty(), kind)]
        for other in self.others(kind, without=0):
            parts += [other.lasting, other.looked_up]
        return np.concatenate(parts)

    def different_addresses(self, kind: Kind) -> int:
        """How many addresses of a family there are in all sets."""
        from xdpwall.values.arrays import all_keys, once

        return len(once(*all_keys(self.addresses(kind))))

    def start_empty(self) -> None:
        """The kernel holds no entry and knows no class."""
        self._classes = None
        self._indexes = {
            family: PrefixIndex(family, keys_of(family, Entries.empty())) for family in FAMILIES
        }

    def counts(self) -> dict[Kind, int]:
        """At most so many entries of each kind are in the kernel."""
        held = self._store.held().values()
        return {kind: sum(getattr(h, kind) for h in held) for kind in KINDS}

    def invalidate(self) -> None:
        """Something broke half-way: what is in memory may not be what is true."""
        self._store.class_rows.clear()
        self._classes = None
        self._indexes = {}

    def has_maps(self, dataplane: Dataplane) -> bool:
        """Whether the kernel has maps for sets at all."""
        return dataplane.map_set.sizes.sets

    # -- classes ----------------------------------------------------------------------------------
    def collect(self, dataplane: Dataplane) -> None:
        """Give back classes that no entry bears any more: combinations that came and went."""
        import numpy as np

        from xdpwall.dataplane.set_maps import CLASS_MASK
        from xdpwall.values.arrays import once

        classes, borne = self.classes, set[int]()
        for table in self.maps(dataplane).tables.values():
            _, values = table.lookup_batch()
            values = np.ascontiguousarray(values).view("<u4").ravel() & np.uint32(CLASS_MASK)
            borne.update(once(values).tolist())
        classes.retire_unused(borne)

    def mark_published(self, dataplane: Dataplane) -> None:
        """A generation with all classes, as rules see them now, is in force."""
        self.maps(dataplane).write_fingerprints(self.classes)

    # -- inside ----------------------------------------------------------------------------------
    def _refresh(self) -> None:
        version = self._store.version()
        if version != self._version:
            self.invalidate()
            self._version = version

    def _index(self, family: Literal[4, 6]) -> PrefixIndex:
        self._refresh()
        if family not in self._indexes:
            self._indexes[family] = PrefixIndex(family, self._read_prefixes(family))
        return self._indexes[family]

    def _read_prefixes(self, family: Literal[4, 6]) -> Array:
        import numpy as np

        from xdpwall.values.arrays import once

        kind = "p4" if family == 4 else "p6"
        parts = [keys_of(family, Entries.empty())]
        for number, held in self._store.held().items():
            if getattr(held, kind):
                data = self._store.read(number)
                parts.append(keys_of(family, data.entries))
                parts.append(keys_of(family, Entries.from_entries(e for e, _ in data.timed)))
        return once(np.concatenate(parts))
