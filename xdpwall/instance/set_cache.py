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
from xdpwall.sets.prefix_index import PrefixIndex, prefix_keys

if TYPE_CHECKING:
    from xdpwall.dataplane.dataplane import Dataplane
    from xdpwall.dataplane.map_set import MapSet
    from xdpwall.dataplane.set_bulk import BulkWriter, OtherSet
    from xdpwall.ruleset.committed import CommittedRuleset
    from xdpwall.store.store import Store
    from xdpwall.values.arrays import Array


class SetCache:
    """The classes, prefix indexes and open maps of one instance. Callers hold its lock."""

    def __init__(self, store: Store, boot: Callable[[], int]) -> None:
        """`boot` as SetMaps takes it."""
        self._rulesets, self._boot = store, boot
        self._store = store.sets
        self._version = -1
        self._classes: Classes | None = None
        self._indexes: dict[int, PrefixIndex] = {}
        self._maps: tuple[MapSet, SetMaps] | None = None

    # -- reading ---------------------------------------------------------------------------------
    @property
    def classes(self) -> Classes:
        """The classes, with the sets that rules can name now, or after a revert, as the visible ones."""
        self._refresh()
        if self._classes is None:
            from xdpwall.kernel.bpf.bpffs import wait_grace_period

            self._classes = Classes(
                self._store.read_classes(), self._store.class_rows, wait_grace_period
            )
        disk = self._rulesets.read()
        visible = {row.number for row in disk.ruleset.sets}
        if disk.unconfirmed is not None:  # what the change may be reverted to names these
            visible.update(disk.unconfirmed.set_numbers)
        self._classes.set_visible(frozenset(visible))
        return self._classes

    def kernel_sets(self, ruleset: CommittedRuleset) -> KernelSets:
        """The sets of a ruleset as the compiler takes them."""
        classes = self.classes
        numbers = {row.name: row.number for row in ruleset.sets}
        # A copy: a generation keeps what it was compiled from, to compare.
        return KernelSets(numbers, dict(classes.set_numbers), classes.has_timed)

    def maps(self, dataplane: Dataplane) -> SetMaps:
        """The maps in use, opened anew after they grew."""
        if self._maps is None or self._maps[0] is not dataplane.map_set:
            self._maps = dataplane.map_set, SetMaps(dataplane.map_set.maps, self._boot)
        return self._maps[1]

    def entry_writer(self, dataplane: Dataplane) -> EntryWriter:
        """The writer of single entries."""
        return EntryWriter(self.maps(dataplane), self.classes, self._index)

    def bulk_writer(
        self,
        dataplane: Dataplane,
        number: int,
        others: Callable[[Kind], Iterable[OtherSet]] | None = None,
    ) -> BulkWriter:
        """The writer of whole sets, for set `number`. `others`: the addresses of the other sets, by
        default as the store has them."""
        from xdpwall.dataplane.set_bulk import BulkWriter

        return BulkWriter(
            self.maps(dataplane),
            self.classes,
            self._index,
            others or (lambda kind: self.other_sets(kind, without=number)),
        )

    def other_sets(self, kind: Kind, without: int) -> Iterator[OtherSet]:
        """The `v4` or `v6` addresses of each set but `without`."""
        from xdpwall.dataplane.set_bulk import OtherSet

        for number, counts in self._store.entry_counts().items():
            if number != without and getattr(counts, kind):
                lasting, expiring = self._store.read_set(number).parts()
                yield OtherSet(number, getattr(lasting, kind), getattr(expiring, kind))

    def all_addresses(self, kind: Kind) -> Array:
        """The `v4` or `v6` addresses of all sets, in no order; those of several sets repeatedly."""
        import numpy as np

        parts = [getattr(Entries.empty(), kind)]
        for other in self.other_sets(kind, without=0):
            parts += [other.lasting, other.looked_up]
        return np.concatenate(parts)

    def different_addresses(self, kind: Kind) -> int:
        """How many different `v4` or `v6` addresses the sets have."""
        from xdpwall.values.arrays import all_keys, sorted_unique

        return len(sorted_unique(*all_keys(self.all_addresses(kind))))

    def reset_to_empty(self) -> None:
        """Forget all classes and prefixes: the kernel's maps are empty now."""
        self._classes = None
        self._indexes = {
            family: PrefixIndex(family, prefix_keys(family, Entries.empty())) for family in FAMILIES
        }

    def entry_counts(self) -> dict[Kind, int]:
        """The entries of all sets by kind; the kernel has at most as many, one for several sets."""
        counts = self._store.entry_counts().values()
        return {kind: sum(getattr(one, kind) for one in counts) for kind in KINDS}

    def invalidate(self) -> None:
        """Drop the cache: after an error it may differ from the store and the kernel."""
        self._store.class_rows.clear()
        self._classes = None
        self._indexes = {}

    def has_maps(self, dataplane: Dataplane) -> bool:
        """Whether the kernel has maps for sets at all."""
        return dataplane.map_set.sizes.sets

    # -- classes ----------------------------------------------------------------------------------
    def retire_unused_classes(self, dataplane: Dataplane) -> None:
        """Retire the classes that no entry in the kernel has."""
        import numpy as np

        from xdpwall.dataplane.set_maps import CLASS_MASK
        from xdpwall.values.arrays import sorted_unique

        classes, used = self.classes, set[int]()
        for table in self.maps(dataplane).tables.values():
            _, values = table.lookup_batch()
            values = np.ascontiguousarray(values).view("<u4").ravel() & np.uint32(CLASS_MASK)
            used.update(sorted_unique(values).tolist())
        classes.retire_unused(used)

    def mark_published(self, dataplane: Dataplane) -> None:
        """Record that the active generation has rows for all classes."""
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

        from xdpwall.values.arrays import sorted_unique

        kind = "p4" if family == 4 else "p6"
        parts = [prefix_keys(family, Entries.empty())]
        for number, counts in self._store.entry_counts().items():
            if getattr(counts, kind):
                parts += [
                    prefix_keys(family, part) for part in self._store.read_set(number).parts()
                ]
        return sorted_unique(np.concatenate(parts))
