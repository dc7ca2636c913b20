"""Put what sets hold into the kernel's maps, and take it out."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from xdpwall.errors import Full
from xdpwall.instance.instance import Instance
from xdpwall.sets.entries import AddressEntry, Entries, parse_entry
from xdpwall.sets.keys import KINDS, Kind, kind_of
from xdpwall.values.times import epoch_seconds

from .crashpoints import crash_point
from .generations import regenerate
from .programs import reserve_addresses

if TYPE_CHECKING:
    from xdpwall.dataplane.dataplane import Dataplane
    from xdpwall.dataplane.set_bulk import OtherSet


_SPARE_ROOM = 1024
"""Addresses that fit besides those there are, when room has to be made anyway."""

EXACT: tuple[Kind, Kind] = ("v4", "v6")


REBUILD_AT = 4096
"""A sweep of so many entries is worth building the occupancy bitmaps anew."""


@dataclass(frozen=True, slots=True)
class Content:
    """What a set is to hold whole: entries for good, and those that expire (seconds since 1970)."""

    entries: Entries
    timed: Mapping[AddressEntry, int]

    @classmethod
    def of(cls, entries: Entries, timeouts: Mapping[str, str] | None) -> Content:
        """`timeouts` are of some of the entries, by spelling; those that are over are left out."""
        if not timeouts:
            return cls(entries, {})
        now = time.time()
        timed = {parse_entry(text): epoch_seconds(moment) for text, moment in timeouts.items()}
        left = entries.difference(Entries.from_entries(timed))
        return cls(left, {entry: ends for entry, ends in timed.items() if ends > now})

    def __len__(self) -> int:
        return len(self.entries) + len(self.timed)


def put_into_kernel(
    instance: Instance,
    dataplane: Dataplane,
    number: int,
    content: Content,
    others: Callable[[Kind], Iterable[OtherSet]] | None = None,
) -> None:
    """What is on disk already; the kernel holds nothing of the number."""
    sets = instance.sets
    make_room(instance, dataplane, {}, closely=True)
    parts: list[tuple[Entries, Any]] = [(content.entries, 0)]
    if content.timed:
        parts.append(
            _with_ends(content.timed, sets.classes.expiry_resolution(content.timed.values()))
        )
    for entries, ends in parts:
        write_bulk(instance, dataplane, number, entries, ends, others)


def write_bulk(
    instance: Instance,
    dataplane: Dataplane,
    number: int,
    entries: Entries,
    ends: Any,
    others: Callable[[Kind], Iterable[OtherSet]] | None = None,
) -> None:
    """Plan, make the classes known, write: the arguments of `BulkTables.plan`."""
    sets = instance.sets
    try:
        bulk = sets.bulk(dataplane, number, others).plan(number, entries, ends)
    except Full as error:
        if error.code != "too-many-classes":
            raise
        sets.collect(dataplane)
        bulk = sets.bulk(dataplane, number, others).plan(number, entries, ends)
    publish_classes(instance, dataplane, bulk.classes)
    sets.bulk(dataplane, number).write(bulk)


def sweep_unnamed(instance: Instance, dataplane: Dataplane) -> None:
    """Take out of the kernel, then off the disk, what numbers without a name hold."""
    named = {row.number for row in instance.state.sets}
    store = instance.store.sets
    swept: dict[Kind, int] = dict.fromkeys(KINDS, 0)
    for number, held in list(store.held().items()):
        if number in named:
            continue
        data = store.read(number)
        for entries in (data.entries, Entries.from_entries(entry for entry, _ in data.timed)):
            if len(entries) and instance.sets.has_maps(dataplane):
                # Packets that began before the last switch may still look for this number.
                dataplane.generations.wait_grace_period()
                write_bulk(instance, dataplane, number, entries, None)
        crash_point("set-swept")
        classes = instance.sets.classes
        classes.retire(classes.classes_with_set(number))
        store.forget(number)
        for kind in KINDS:
            swept[kind] += getattr(held, kind)
    _rebuild(instance, dataplane, [kind for kind in KINDS if swept[kind] >= REBUILD_AT])
    if swept["v4"]:
        with suppress(Full):  # a worn table is slower, and right
            reserve_addresses(instance, dataplane)


def _rebuild(instance: Instance, dataplane: Dataplane, kinds: list[Kind]) -> None:
    """Occupancy bitmaps of what there is now, without the bits of what there was."""
    from xdpwall.sets.occupancy import MARKED, Occupied

    kinds = [kind for kind in kinds if kind in MARKED]
    if not kinds:
        return
    fresh = Occupied()
    store = instance.store.sets
    for number, held in store.held().items():
        if any(getattr(held, kind) for kind in kinds):
            data = store.read(number)
            for entries in (data.entries, Entries.from_entries(entry for entry, _ in data.timed)):
                for kind in kinds:
                    fresh.add(kind, getattr(entries, kind))
    for kind in kinds:
        instance.sets.maps(dataplane).occupied.take(fresh, kind)


def restore_sets(instance: Instance, dataplane: Dataplane) -> None:
    """Into maps that hold none, or a part: everything that the disk has, before the generation
    that names the sets."""
    store = instance.store.sets
    instance.sets.invalidate()
    if instance.sets.has_maps(dataplane):
        for table in instance.sets.maps(dataplane).tables.values():
            keys, _ = table.lookup_batch()
            table.delete_batch(keys, len(keys))
    named = {row.number for row in instance.state.sets}
    for number in [number for number in store.held() if number not in named]:
        store.forget(number)
    if named:
        make_room(instance, dataplane, {})
    repeated = {kind: _repeated(instance.sets.addresses(kind)) for kind in EXACT}
    instance.sets.start_empty()
    for number in named.intersection(store.held()):
        data = store.read(number)
        content = Content(data.entries, dict(data.timed))
        put_into_kernel(instance, dataplane, number, content, repeated.__getitem__)
    store.mark_applied(store.last)
    crash_point("restore-sets")


def _repeated(addresses: Any) -> list[OtherSet]:
    """Those that stand there more than once: what the kernel has of them so far, it has to say."""
    import numpy as np

    from xdpwall.dataplane.set_bulk import OtherSet
    from xdpwall.values.arrays import from_keys16, keys16, once

    keys = np.sort(keys16(addresses) if addresses.ndim == 2 else addresses)
    twice = once(keys[1:][keys[1:] == keys[:-1]])
    asked = from_keys16(twice) if addresses.ndim == 2 else twice
    return [OtherSet(0, asked[:0], asked)]


def _with_ends(timed: Mapping[AddressEntry, int], grain: int) -> tuple[Entries, dict[Kind, Any]]:
    """The entries, and for each kind when each of them ends, (n,) u8, in multiples of `grain`."""
    import numpy as np

    entries = Entries.from_entries(timed)
    ends: dict[Kind, list[int]] = {kind: [] for kind in KINDS}
    for entry in entries.part():
        ends[kind_of(entry)].append(-(-timed[entry] // grain) * grain)
    return entries, {kind: np.array(ends[kind], "<u8") for kind in KINDS}


def make_room(
    instance: Instance, dataplane: Dataplane, more: Mapping[Kind, int], *, closely: bool = False
) -> None:
    """Grow the maps until they hold `more` addresses of each family; the rules stay in force. Full.

    `closely`: count first what several sets have in common, as those that replace each other do.
    """
    from xdpwall import abi

    counts, sizes = instance.sets.counts(), dataplane.map_set.sizes
    too_many = counts["v4"] + more.get("v4", 0) > abi.MAX_SET4
    if (closely and sizes.sets) or too_many:
        rooms: dict[Kind, int] = {"v4": sizes.set4, "v6": sizes.set6}
        for kind, room in rooms.items():
            if counts[kind] > room:
                counts[kind] = instance.sets.different_addresses(kind)
    need4, need6 = (counts[kind] + more.get(kind, 0) for kind in ("v4", "v6"))
    if need4 <= sizes.set4 and need6 <= sizes.set6 and sizes.sets:
        return
    if need4 > abi.MAX_SET4:
        raise Full(
            f"{need4:,} IPv4 addresses in all sets; together they hold at most {abi.MAX_SET4:,}",
            code="sets-too-large",
        )
    reserve_addresses(
        instance, dataplane, set4=max(need4, _SPARE_ROOM), set6=max(need6, _SPARE_ROOM)
    )


def publish_classes(instance: Instance, dataplane: Dataplane, wanted: Iterable[int]) -> None:
    """Make classes known before entries are written with their numbers: save them on disk, and see
    to it that the generation in force has rows for them and looks at the time of those that end."""
    from xdpwall.abi import Feature

    cache, store = instance.sets, instance.store.sets
    classes = cache.classes
    wanted = classes.with_successors(wanted)
    if store.class_rows:
        store.save()
    cache.maps(dataplane).write_expiry_steps(classes, wanted)
    features = dataplane.control.features
    timeless = features & (Feature.SRC_SET | Feature.DST_SET) and not features & Feature.TIMED_SET
    if not cache.maps(dataplane).not_in_generation(classes, wanted) and not (
        timeless and any(classes.expiry_step(number)[0] for number in wanted)
    ):
        return
    regenerate(instance, dataplane)
    # No packet may meet such a class while the copy that was left behind judges it.
    dataplane.generations.wait_grace_period()
    cache.mark_published(dataplane)
