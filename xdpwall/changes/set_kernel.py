"""Write the entries of sets into the kernel's maps, and delete them there."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from xdpwall.errors import Full
from xdpwall.instance.instance import Instance
from xdpwall.sets.entries import AddressEntry, Entries
from xdpwall.sets.keys import KINDS, Kind, kind_of
from xdpwall.sets.timed import TimedEntries

from .crashpoints import crash_point
from .generations import reload_ruleset, rewrite_both_copies
from .programs import reserve_addresses

if TYPE_CHECKING:
    from xdpwall.compiler.sizes import Sizes
    from xdpwall.dataplane.dataplane import Dataplane
    from xdpwall.dataplane.set_bulk import OtherSet


_MIN_ADDRESSES = 1024
"""The smallest room for addresses of a family, once maps are made anew."""

ADDRESS_KINDS: tuple[Kind, Kind] = ("v4", "v6")


REBUILD_BITMAPS_AT = 4096
"""Deleting so many entries is worth building the occupancy bitmaps anew."""


def load_into_kernel(
    instance: Instance,
    dataplane: Dataplane,
    number: int,
    content: TimedEntries,
    others: Callable[[Kind], Iterable[OtherSet]] | None = None,
) -> None:
    """Write all entries of set `number`, recorded on disk before, into maps that have none of it.
    Raises Full."""
    sets = instance.sets
    make_room(instance, dataplane, {}, exactly=True)
    write_bulk(instance, dataplane, number, content.lasting, 0, others)
    if expiring := content.expiring:
        resolution = sets.classes.expiry_resolution(expiring.values())
        entries, expires = _round_expiries(expiring, resolution)
        write_bulk(instance, dataplane, number, entries, expires, others)


def write_bulk(
    instance: Instance,
    dataplane: Dataplane,
    number: int,
    entries: Entries,
    expires: Any,
    others: Callable[[Kind], Iterable[OtherSet]] | None = None,
) -> None:
    """Plan, publish the classes, write; the arguments are those of BulkWriter.plan and SetCache.
    bulk_writer. Raises Full."""
    sets = instance.sets
    try:
        bulk = sets.bulk_writer(dataplane, number, others).plan(number, entries, expires)
    except Full as error:
        if error.code != "too-many-classes":
            raise
        sets.retire_unused_classes(dataplane)
        bulk = sets.bulk_writer(dataplane, number, others).plan(number, entries, expires)
    publish_classes(instance, dataplane, bulk.classes)
    sets.bulk_writer(dataplane, number).write(bulk)


def sweep_unnamed(instance: Instance, dataplane: Dataplane) -> None:
    """Delete the entries of numbers without a name from the kernel, then from the disk."""
    named = {row.number for row in instance.ruleset.sets}
    store = instance.store.sets
    swept: dict[Kind, int] = dict.fromkeys(KINDS, 0)
    for number, counts in list(store.entry_counts().items()):
        if number in named:
            continue
        content = store.read_set(number)
        for entries in content.parts():
            if len(entries) and instance.sets.has_maps(dataplane):
                # Programs that started before the last switch may still match this number.
                dataplane.generations.wait_grace_period()
                write_bulk(instance, dataplane, number, entries, None)
        crash_point("set-swept")
        classes = instance.sets.classes
        classes.retire(classes.classes_with_set(number))
        store.delete_number(number)
        for kind in KINDS:
            swept[kind] += getattr(counts, kind)
    _rebuild_bitmaps(
        instance, dataplane, [kind for kind in KINDS if swept[kind] >= REBUILD_BITMAPS_AT]
    )
    if swept["v4"]:
        with suppress(Full):  # a table with many tombstones is slower, not wrong
            reserve_addresses(instance, dataplane)


def _rebuild_bitmaps(instance: Instance, dataplane: Dataplane, kinds: list[Kind]) -> None:
    """Build the occupancy bitmaps of these kinds anew, to clear stale bits."""
    from xdpwall.sets.occupancy import BITMAP_KINDS, Occupied

    kinds = [kind for kind in kinds if kind in BITMAP_KINDS]
    if not kinds:
        return
    fresh = Occupied()
    store = instance.store.sets
    for number, counts in store.entry_counts().items():
        if any(getattr(counts, kind) for kind in kinds):
            content = store.read_set(number)
            for entries in content.parts():
                for kind in kinds:
                    fresh.add(kind, getattr(entries, kind))
    for kind in kinds:
        instance.sets.maps(dataplane).occupied.copy_from(fresh, kind)


def restore_sets(instance: Instance, dataplane: Dataplane) -> None:
    """Load all sets from the store into empty or half-filled maps, before the generation that names
    them is written."""
    store = instance.store.sets
    instance.sets.invalidate()
    if instance.sets.has_maps(dataplane):
        for table in instance.sets.maps(dataplane).tables.values():
            keys, _ = table.lookup_batch()
            table.delete_batch(keys, len(keys))
    named = {row.number for row in instance.ruleset.sets}
    for number in [number for number in store.entry_counts() if number not in named]:
        store.delete_number(number)
    if named:
        make_room(instance, dataplane, {})
    repeated = {kind: _in_several_sets(instance.sets.all_addresses(kind)) for kind in ADDRESS_KINDS}
    instance.sets.reset_to_empty()
    for number in named.intersection(store.entry_counts()):
        content = store.read_set(number)
        load_into_kernel(instance, dataplane, number, content, repeated.__getitem__)
    store.mark_applied(store.last_mark)
    crash_point("restore-sets")


def _in_several_sets(addresses: Any) -> list[OtherSet]:
    """The addresses that occur more than once, as those whose class is read from the kernel: it is
    that of the sets loaded so far."""
    import numpy as np

    from xdpwall.dataplane.set_bulk import OtherSet
    from xdpwall.values.arrays import from_keys16, keys16, sorted_unique

    keys = np.sort(keys16(addresses) if addresses.ndim == 2 else addresses)
    twice = sorted_unique(keys[1:][keys[1:] == keys[:-1]])
    asked = from_keys16(twice) if addresses.ndim == 2 else twice
    return [OtherSet(0, asked[:0], asked)]


def _round_expiries(
    expiring: Mapping[AddressEntry, int], resolution: int
) -> tuple[Entries, dict[Kind, Any]]:
    """(the entries, for each kind their expiries rounded up to a multiple of `resolution`: (n,)
    u8)."""
    import numpy as np

    entries = Entries.from_entries(expiring)
    expires: dict[Kind, list[int]] = {kind: [] for kind in KINDS}
    for entry in entries.part():
        expires[kind_of(entry)].append(-(-expiring[entry] // resolution) * resolution)
    return entries, {kind: np.array(expires[kind], "<u8") for kind in KINDS}


def make_room(
    instance: Instance, dataplane: Dataplane, more: Mapping[Kind, int], *, exactly: bool = False
) -> None:
    """Grow the maps so that `more` addresses of each family fit; the rules stay in force.

    `exactly`: count an address of several sets once, as when one set replaces another; that takes
    longer. Raises Full.
    """
    from xdpwall import abi

    counts, sizes = instance.sets.entry_counts(), dataplane.map_set.sizes
    too_many = counts["v4"] + more.get("v4", 0) > abi.MAX_SET4
    if (exactly and sizes.sets) or too_many:
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
    waits = dataplane.control.read().pending
    (rewrite_both_copies if waits else reserve_addresses)(
        instance, dataplane, set4=max(need4, _MIN_ADDRESSES), set6=max(need6, _MIN_ADDRESSES)
    )


def sizes_for(
    instance: Instance, fresh: Mapping[str, TimedEntries], there: Sizes
) -> tuple[int, int]:
    """The room for (IPv4, IPv6) addresses that make_room() would see to for sets that are loaded beside
    those there are; addresses of several sets count in each of them."""
    counts = instance.sets.entry_counts()
    entries = [content.all() for content in fresh.values()]
    need4 = counts["v4"] + sum(len(one.v4) for one in entries)
    need6 = counts["v6"] + sum(len(one.v6) for one in entries)
    if need4 <= there.set4 and need6 <= there.set6 and there.sets:
        return there.set4, there.set6
    return max(need4, _MIN_ADDRESSES), max(need6, _MIN_ADDRESSES)


def publish_classes(instance: Instance, dataplane: Dataplane, wanted: Iterable[int]) -> None:
    """Make classes usable before entries get them: save them on disk, write their expiry steps, and
    compile a new generation if the active one has no rows for them or no look at the clock."""
    cache, store = instance.sets, instance.store.sets
    classes = cache.classes
    wanted = classes.with_successors(wanted)
    if store.class_rows:
        store.flush()
    cache.maps(dataplane).write_expiry_steps(classes, wanted)
    if not needs_generation(instance, dataplane, wanted):
        return
    # A restore has revision 0 until all sets are loaded.
    reload_ruleset(instance, dataplane, revision=dataplane.control.read().revision)
    # No packet may find such a class while the previous copy of the generation still filters it.
    dataplane.generations.wait_grace_period()
    cache.mark_published(dataplane)


def needs_generation(instance: Instance, dataplane: Dataplane, wanted: Iterable[int]) -> bool:
    """Whether the generation in force has no rows for some of these classes, or no look at the clock."""
    from xdpwall.abi import Feature

    cache = instance.sets
    classes = cache.classes
    wanted = classes.with_successors(wanted)
    features = dataplane.control.features
    timeless = features & (Feature.SRC_SET | Feature.DST_SET) and not features & Feature.TIMED_SET
    return bool(
        cache.maps(dataplane).not_in_generation(classes, wanted)
        or (timeless and any(classes.expiry_step(number)[0] for number in wanted))
    )
