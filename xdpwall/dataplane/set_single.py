"""Single changes of what the kernel's sets hold: a handful of map calls for each.

`plan` finds out what the entries are in now and which classes they will bear; `write` does it. In
between the caller has the changes recorded and the generation know the classes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Literal

from xdpwall.sets.change import EntryChange
from xdpwall.sets.classes import Classes, Members, merge_members, with_membership, without_set
from xdpwall.sets.entries import AddressEntry
from xdpwall.sets.prefix_index import PrefixIndex

from .set_maps import SetMaps

LARGE = 5000
"""Prefixes that may have to be written for one change before it is made as a whole load is."""
FAMILIES: tuple[Literal[4, 6], ...] = (4, 6)


@dataclass(slots=True)
class Plan:
    """What to write. `changes` are those that change something, each with what `was`."""

    changes: list[EntryChange] = field(default_factory=list)
    unchanged: int = 0
    exact: dict[AddressEntry, int] = field(default_factory=dict)
    """Address -> class, 0 to take it away."""
    wide: dict[AddressEntry, tuple[int, int]] = field(default_factory=dict)
    """Prefix -> (class with all wider ones', own class or 0 to take it away), the widest first."""
    large: list[EntryChange] = field(default_factory=list)
    """Changes of prefixes with so many inside them that they are for setbulk.py."""

    def classes(self) -> set[int]:
        """Every class that an entry will bear."""
        return {*self.exact.values(), *(effective for effective, _ in self.wide.values())}


class SetTables:
    """What single changes need to know of one instance's sets."""

    def __init__(
        self,
        maps: SetMaps,
        classes: Classes,
        prefixes: Callable[[Literal[4, 6]], PrefixIndex],
    ) -> None:
        """`prefixes` gives the index of a family, when one is needed."""
        self.maps, self.classes, self.prefixes = maps, classes, prefixes

    def plan(self, wanted: Iterable[EntryChange]) -> Plan:
        """From what the kernel holds to what is wanted; of two changes of one entry the later
        counts. Full when there are too many classes."""
        plan = Plan()
        exact: dict[AddressEntry, Members] = {}
        wide: dict[AddressEntry, Members] = {}
        for change in wanted:
            entry = change.entry
            known, read = (exact, self.maps.exact) if entry.exact else (wide, self.maps.own)
            now = known.get(entry)
            if now is None:
                now = self.classes.members(read(entry))
            was = dict(now).get(change.number)
            ends = None if change.expires is None else self.classes.round_expiry(change.expires)
            if was == ends:
                plan.unchanged += 1
                known[entry] = now
            else:
                plan.changes.append(change._replace(was=was))
                then = without_set(now, change.number)
                known[entry] = then if ends is None else with_membership(then, change.number, ends)
        touched = {change.entry for change in plan.changes}
        plan.exact = {e: self.classes.class_of(m) for e, m in exact.items() if e in touched}
        self._plan_wide(plan, {e: m for e, m in wide.items() if e in touched})
        return plan

    def _plan_wide(self, plan: Plan, own: dict[AddressEntry, Members]) -> None:
        """What the changed prefixes and those inside them bear, from the widest inward."""
        for family in FAMILIES:
            changed = {entry: members for entry, members in own.items() if entry.family == family}
            if not changed:
                continue
            index = self.prefixes(family)
            if sum(index.count_inside(entry) for entry in changed) > LARGE:
                plan.large += [c for c in plan.changes if c.entry in changed]
                continue
            inside = {other for entry in changed for other in index.inside(entry)}
            above: list[tuple[AddressEntry, Members]] = []
            for entry in sorted(inside.union(changed), key=lambda e: (e.address, e.length)):
                while above and not _contains(above[-1][0], entry):
                    above.pop()
                outer = above[-1][1] if above else self.classes.members(self.maps.above(entry))
                mine = changed.get(entry)
                if mine is None:
                    mine = self.classes.members(self.maps.own(entry))
                effective = merge_members(outer, mine)
                above.append((entry, effective))
                plan.wide[entry] = (
                    (self.classes.class_of(effective), self.classes.class_of(mine))
                    if mine
                    else (0, 0)
                )

    def write(self, plan: Plan) -> None:
        """Do it. Full (or any other error) may leave a part done; to do it again is no harm."""
        self.maps.tell(self.classes)
        for entry, number in plan.exact.items():
            if number:
                self.maps.occupied.add_one(entry)
            self.maps.put_exact(entry, number)
        for entry, (effective, own) in plan.wide.items():
            index = self.prefixes(entry.family)
            if own:
                self.maps.occupied.add_one(entry)
                index.add(entry)
            self.maps.put_prefix(entry, effective, own)
            if not own:
                index.remove(entry)


def _contains(wide: AddressEntry, entry: AddressEntry) -> bool:
    bits = 32 if wide.family == 4 else 128
    return (entry.address ^ wide.address) >> (bits - wide.length) == 0
