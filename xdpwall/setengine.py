"""What changes of sets share in one process: classes, indexes of prefixes, and the kernel's maps.

All of it is made when first needed and again after another process has written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Literal

from . import layout
from .errors import Full
from .generation import SetWorld
from .layout import Feature
from .prefixindex import PrefixIndex, keys_of
from .setclasses import Classes
from .setentries import Entries
from .setkeys import KINDS, Kind
from .setmaps import SetMaps
from .settables import FAMILIES, SetTables

if TYPE_CHECKING:
    from typing import Any

    import numpy as np

    from .dataplane import Dataplane
    from .instance import Instance
    from .mapset import MapSet
    from .ruleset import State
    from .setbulk import BulkTables, Other

    Array = np.ndarray[Any, Any]

_SETS = Feature.SRC_SET | Feature.DST_SET
_SPARE_ROOM = 1024
"""Addresses that fit besides those there are, when room has to be made anyway."""


class SetEngine:
    """One instance's sets. Callers hold the instance's lock."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance
        self._store = instance.store.sets
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
            from .kernel.bpffs import grace

            self._classes = Classes(self._store.classes(), self._store.class_rows, grace)
        self._classes.see(frozenset(row.number for row in self._instance.state.sets))
        return self._classes

    def world(self, state: State) -> SetWorld:
        """What the compiler has to know for a ruleset."""
        classes = self.classes
        numbers = {row.name: row.number for row in state.sets}
        # A copy: a generation is held against what it was compiled from.
        return SetWorld(numbers, dict(classes.numbers), classes.timed)

    def maps(self, dataplane: Dataplane) -> SetMaps:
        """The maps in use; others after they grew."""
        if self._maps is None or self._maps[0] is not dataplane.sets:
            self._maps = dataplane.sets, SetMaps(dataplane.sets.maps)
        return self._maps[1]

    def single(self, dataplane: Dataplane) -> SetTables:
        """For single changes."""
        return SetTables(self.maps(dataplane), self.classes, self._index)

    def bulk(
        self,
        dataplane: Dataplane,
        number: int,
        others: Callable[[Kind], Iterable[Other]] | None = None,
    ) -> BulkTables:
        """For loads and sweeps of one number; `others` as there, by default what is on disk."""
        from .setbulk import BulkTables

        return BulkTables(
            self.maps(dataplane),
            self.classes,
            self._index,
            others or (lambda kind: self.others(kind, without=number)),
        )

    def others(self, kind: Kind, without: int) -> Iterator[Other]:
        """What all sets but one have of a family's addresses."""
        from .setbulk import Other

        for number, held in self._store.held().items():
            if number != without and getattr(held, kind):
                data = self._store.read(number)
                ending = Entries.from_entries(e for e, _ in data.timed)
                yield Other(number, getattr(data.entries, kind), getattr(ending, kind))

    def addresses(self, kind: Kind) -> Array:
        """All addresses of a family in any set, in any order."""
        import numpy as np

        parts = [getattr(Entries.empty(), kind)]
        for other in self.others(kind, without=0):
            parts += [other.lasting, other.asked]
        return np.concatenate(parts)

    def _different(self, kind: Kind) -> int:
        """How many addresses of a family there are in all sets."""
        from .setarrays import all_keys, once

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

    def forget(self) -> None:
        """Something broke half-way: what is in memory may not be what is true."""
        self._store.class_rows.clear()
        self._classes = None
        self._indexes = {}

    def room(self, dataplane: Dataplane) -> bool:
        """Whether the kernel has maps for sets at all."""
        return dataplane.sets.sizes.sets

    # -- before entries are written --------------------------------------------------------------
    def make_room(
        self, dataplane: Dataplane, more: Mapping[Kind, int], *, closely: bool = False
    ) -> None:
        """Maps that hold so many more addresses; the same rules go on meanwhile. Full.

        `closely`: look first how many sets have the same ones, as those that follow each other do.
        """
        from .changes import reload_programs

        counts, sizes = self.counts(), dataplane.sets.sizes
        too_many = counts["v4"] + more.get("v4", 0) > layout.MAX_SET4
        if (closely and sizes.sets) or too_many:
            rooms: dict[Kind, int] = {"v4": sizes.set4, "v6": sizes.set6}
            for kind, room in rooms.items():
                if counts[kind] > room:
                    counts[kind] = self._different(kind)
        need4, need6 = (counts[kind] + more.get(kind, 0) for kind in ("v4", "v6"))
        if need4 <= sizes.set4 and need6 <= sizes.set6 and sizes.sets:
            return
        if need4 > layout.MAX_SET4:
            raise Full(
                f"{need4:,} IPv4 addresses in all sets; together they hold at most "
                f"{layout.MAX_SET4:,}",
                code="sets-too-large",
            )
        dataplane.reserve(
            set4=max(need4, _SPARE_ROOM),
            set6=max(need6, _SPARE_ROOM),
            swap=lambda: reload_programs(self._instance, dataplane),
        )

    def know(self, dataplane: Dataplane, wanted: Iterable[int]) -> None:
        """Before entries bear these classes: what they stand for is on disk, and the generation in
        force has rows for them, and time for those that end."""
        from .changes import regenerate

        classes = self.classes
        wanted = classes.with_rest(wanted)
        if self._store.class_rows:
            self._store.save()
        self.maps(dataplane).tell(classes, wanted)
        features = dataplane.features
        timeless = features & _SETS and not features & Feature.TIMED_SET
        if not self.maps(dataplane).unknown(classes, wanted) and not (
            timeless and any(classes.ending(number)[0] for number in wanted)
        ):
            return
        regenerate(self._instance, dataplane)
        # No packet may meet such a class while the copy that was left behind judges it.
        dataplane.settle()
        self.known(dataplane)

    def collect(self, dataplane: Dataplane) -> None:
        """Give back classes that no entry bears any more: combinations that came and went."""
        import numpy as np

        from .setbulk import distinct
        from .setmaps import OWN

        classes, borne = self.classes, set[int]()
        for table in self.maps(dataplane).of.values():
            _, values = table.lookup_batch()
            values = np.ascontiguousarray(values).view("<u4").ravel() & np.uint32(OWN)
            borne.update(distinct(values).tolist())
        classes.keep(borne)

    def known(self, dataplane: Dataplane) -> None:
        """A generation with all classes, as rules see them now, is in force."""
        self.maps(dataplane).mark(self.classes)

    # -- inside ----------------------------------------------------------------------------------
    def _refresh(self) -> None:
        version = self._store.version()
        if version != self._version:
            self.forget()
            self._version = version

    def _index(self, family: Literal[4, 6]) -> PrefixIndex:
        self._refresh()
        if family not in self._indexes:
            self._indexes[family] = PrefixIndex(family, self._read_prefixes(family))
        return self._indexes[family]

    def _read_prefixes(self, family: Literal[4, 6]) -> Array:
        import numpy as np

        from .setbulk import distinct

        kind = "p4" if family == 4 else "p6"
        parts = [keys_of(family, Entries.empty())]
        for number, held in self._store.held().items():
            if getattr(held, kind):
                data = self._store.read(number)
                parts.append(keys_of(family, data.entries))
                parts.append(keys_of(family, Entries.from_entries(e for e, _ in data.timed)))
        return distinct(np.concatenate(parts))
