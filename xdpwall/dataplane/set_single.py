"""Single entries written into the kernel's maps of sets: a handful of map calls for each.

`plan` reads which sets the entries are in and decides their new classes, `write` writes those. In
between the caller records the changes on disk and publishes the classes (changes/set_kernel.py).
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

MAX_PREFIXES = 5000
"""Prefixes that one change may rewrite here; a change of more goes through set_bulk.py."""
FAMILIES: tuple[Literal[4, 6], ...] = (4, 6)


@dataclass(slots=True)
class EntryPlan:
    """The map writes of some changes. `changes` are those that change anything, with `was` filled
    in; `unchanged` counts the others."""

    changes: list[EntryChange] = field(default_factory=list)
    unchanged: int = 0
    addresses: dict[AddressEntry, int] = field(default_factory=dict)
    """Address -> class, 0 to delete it."""
    prefixes: dict[AddressEntry, tuple[int, int]] = field(default_factory=dict)
    """Prefix -> (class of its own sets and those of all wider prefixes, class of its own sets or 0 to
    delete it), the widest first."""
    for_bulk: list[EntryChange] = field(default_factory=list)
    """Changes of prefixes that contain more than MAX_PREFIXES others."""

    def classes(self) -> set[int]:
        """Every class that an entry gets."""
        return {*self.addresses.values(), *(effective for effective, _ in self.prefixes.values())}


class EntryWriter:
    """Plans and writes single changes of one instance's sets."""

    def __init__(
        self,
        maps: SetMaps,
        classes: Classes,
        prefixes: Callable[[Literal[4, 6]], PrefixIndex],
    ) -> None:
        """`prefixes` returns the index of a family's prefixes; it is called only when needed."""
        self.maps, self.classes, self.prefixes = maps, classes, prefixes

    def plan(self, wanted: Iterable[EntryChange]) -> EntryPlan:
        """Plan from what the kernel holds to what is wanted; of two changes of one entry the later
        counts. Raises Full: "too-many-classes", "too-many-timeouts"."""
        plan = EntryPlan()
        addresses: dict[AddressEntry, Members] = {}
        prefixes: dict[AddressEntry, Members] = {}
        for change in wanted:
            entry = change.entry
            known, read = (
                (addresses, self.maps.address_class)
                if entry.exact
                else (prefixes, self.maps.own_class)
            )
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
        plan.addresses = {e: self.classes.class_of(m) for e, m in addresses.items() if e in touched}
        self._plan_prefixes(plan, {e: m for e, m in prefixes.items() if e in touched})
        return plan

    def _plan_prefixes(self, plan: EntryPlan, own: dict[AddressEntry, Members]) -> None:
        """The classes of the changed prefixes and of those inside them, from the widest inward."""
        for family in FAMILIES:
            changed = {entry: members for entry, members in own.items() if entry.family == family}
            if not changed:
                continue
            index = self.prefixes(family)
            if sum(index.count_inside(entry) for entry in changed) > MAX_PREFIXES:
                plan.for_bulk += [c for c in plan.changes if c.entry in changed]
                continue
            inside = {other for entry in changed for other in index.inside(entry)}
            above: list[tuple[AddressEntry, Members]] = []
            for entry in sorted(inside.union(changed), key=lambda e: (e.address, e.length)):
                while above and not above[-1][0].contains(entry):
                    above.pop()
                outer = (
                    above[-1][1] if above else self.classes.members(self.maps.wider_class(entry))
                )
                mine = changed.get(entry)
                if mine is None:
                    mine = self.classes.members(self.maps.own_class(entry))
                effective = merge_members(outer, mine)
                above.append((entry, effective))
                plan.prefixes[entry] = (
                    (self.classes.class_of(effective), self.classes.class_of(mine))
                    if mine
                    else (0, 0)
                )

    def write(self, plan: EntryPlan) -> None:
        """Write a plan. After an error, Full among them, a part may be written; writing it again does
        no harm."""
        self.maps.write_expiry_steps(self.classes)
        for entry, number in plan.addresses.items():
            if number:
                self.maps.occupied.add_one(entry)
            self.maps.write_address(entry, number)
        for entry, (effective, own) in plan.prefixes.items():
            index = self.prefixes(entry.family)
            if own:
                self.maps.occupied.add_one(entry)
                index.add(entry)
            self.maps.write_prefix(entry, effective, own)
            if not own:
                index.remove(entry)
