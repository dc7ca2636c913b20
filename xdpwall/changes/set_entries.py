"""Add, remove and expire single entries of sets. Called with the instance's lock held.

Changes are recorded on disk first, then written to the kernel. Of entries the disk is the truth:
what a process recorded before it died, the next writer writes to the kernel.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from xdpwall.errors import Failed, Full, XdpwallError
from xdpwall.instance.instance import Instance
from xdpwall.sets.change import EntryChange
from xdpwall.sets.entries import AddressEntry, Entries, check_size
from xdpwall.sets.keys import KINDS, Kind, kind_of
from xdpwall.sets.names import find_set
from xdpwall.values.author import Author

from .bringup import ensure_loaded
from .crashpoints import crash_point
from .generations import waiting_rulesets
from .guard_entries import guard_entries
from .set_kernel import make_room, publish_classes, write_bulk

if TYPE_CHECKING:
    from xdpwall.dataplane.dataplane import Dataplane
    from xdpwall.dataplane.set_single import EntryPlan

MAX_EXPIRED_AT_ONCE = 2000
"""Expired entries removed under one hold of the lock."""


def change_entries(
    instance: Instance,
    name: str,
    add: Sequence[AddressEntry],
    remove: Sequence[AddressEntry],
    *,
    expires: int,
    by: Author,
) -> tuple[int, int, int]:
    """Add and remove entries of a set, all or none. Returns how many were (added or given another
    expiry, removed, unchanged). Raises NotFound, Full, LockOut.

    While a change waits that has loaded the set anew, they are added to and removed from what it may be
    reverted to as well.
    """
    number = find_set(instance.ruleset.sets, name).number
    numbers = [number, *_former_number(instance, name, number)]
    dataplane = ensure_loaded(instance)
    if add:
        more: dict[Kind, int] = dict.fromkeys(KINDS, 0)
        for one in numbers:
            check_size(instance.store.sets.entry_count(one) + len(add), name)
        for entry in add:
            more[kind_of(entry)] += len(numbers)
        make_room(instance, dataplane, more)
    wanted = [EntryChange(one, entry, expires) for one in numbers for entry in add]
    wanted += [EntryChange(one, entry, None) for one in numbers for entry in remove]
    plan = _plan_changes(instance, dataplane, wanted)
    mine = [change for change in plan.changes if change.number == number]
    if plan.changes:
        try:
            guard_entries(instance, dataplane, name, add, remove, by=by)
        except BaseException:
            instance.sets.invalidate()  # as in _plan_changes()
            raise
        action = _action_text(name, mine or plan.changes)
        _record_and_write(instance, dataplane, plan, by=by, action=action)
        instance.store.sets.fold_log()
    removed = sum(change.expires is None for change in mine)
    return len(mine) - removed, removed, len(add) + len(remove) - len(mine)


def _former_number(instance: Instance, name: str, number: int) -> list[int]:
    """The number of the set of that name in what a change that waits may be reverted to, where that is
    another."""
    waiting = waiting_rulesets(instance)
    former = () if waiting is None else waiting[1].sets
    return [row.number for row in former if row.name == name and row.number != number]


def _record_and_write(
    instance: Instance, dataplane: Dataplane, plan: EntryPlan, *, by: Author, action: str
) -> None:
    store = instance.store.sets
    try:
        mark = store.log_changes(plan.changes, by=by, action=action, now=instance.clock.now_text())
        crash_point("set-recorded")
        try:
            # While the disk syncs. If this process dies now, the next writer finds the record; if
            # the machine dies, the kernel's maps are gone too.
            _write_plan(instance, dataplane, plan)
            store.wait_synced()
        except BaseException as error:
            _take_back(instance, dataplane, plan.changes, error, by=by, action=action)
            raise
        crash_point("set-written")
        store.mark_applied(mark)
    except BaseException:
        instance.sets.invalidate()
        raise


def _plan_changes(
    instance: Instance, dataplane: Dataplane, wanted: Sequence[EntryChange]
) -> EntryPlan:
    try:
        try:
            return instance.sets.entry_writer(dataplane).plan(wanted)
        except Full as error:
            if error.code != "too-many-classes":
                raise
            instance.sets.retire_unused_classes(dataplane)
            return instance.sets.entry_writer(dataplane).plan(wanted)
    except BaseException:
        instance.sets.invalidate()  # of the classes that it made none is recorded
        raise


def _write_plan(instance: Instance, dataplane: Dataplane, plan: EntryPlan) -> None:
    publish_classes(instance, dataplane, plan.classes())
    instance.sets.entry_writer(dataplane).write(plan)
    if plan.for_bulk:
        groups: dict[tuple[int, int | None], list[AddressEntry]] = {}
        for change in plan.for_bulk:
            groups.setdefault((change.number, change.expires), []).append(change.entry)
        for (number, expires), entries in groups.items():
            rounded = expires and instance.sets.classes.round_expiry(expires)
            write_bulk(instance, dataplane, number, Entries.from_entries(entries), rounded)


def _take_back(
    instance: Instance,
    dataplane: Dataplane,
    changes: Sequence[EntryChange],
    error: BaseException,
    *,
    by: Author,
    action: str,
) -> None:
    store = instance.store.sets
    back = [EntryChange(c.number, c.entry, c.was, c.expires) for c in changes]
    try:
        mark = store.log_changes(
            back, by=by, action=f"take back: {action}", now=instance.clock.now_text()
        )
        plan = _plan_changes(instance, dataplane, back)
        _write_plan(instance, dataplane, plan)
        store.wait_synced()
        store.mark_applied(mark)
    except XdpwallError as second:
        raise Failed(
            f"the entries are recorded but not all in the kernel: {error}",
            hint="the next command that changes something puts them there",
            detail=str(second),
        ) from error


def _action_text(name: str, changes: Sequence[EntryChange]) -> str:
    added = [change.entry.text for change in changes if change.expires is not None]
    removed = [change.entry.text for change in changes if change.expires is None]
    words = []
    if added:
        words.append(f"add {_some(added)} to @{name}")
    if removed:
        words.append(f"remove {_some(removed)} from @{name}")
    return ", ".join(words)


def _some(texts: Sequence[str]) -> str:
    return ", ".join(texts) if len(texts) <= 3 else f"{len(texts)} entries"


def write_unapplied(instance: Instance, dataplane: Dataplane) -> None:
    """Write recorded changes that may not be in the kernel, since a process died in between."""
    store = instance.store.sets
    if not (left := store.unapplied_changes()):
        return
    # An expired entry may be off the disk already: nobody would remove it from the kernel again.
    now = instance.clock.seconds()
    left = [c._replace(expires=None) if c.expires and c.expires <= now else c for c in left]
    plan = _plan_changes(instance, dataplane, left)
    make_room(instance, dataplane, {})
    _write_plan(instance, dataplane, plan)
    store.mark_applied(store.last_mark)


def remove_expired(instance: Instance, dataplane: Dataplane, now: float | None = None) -> int:
    """Remove expired entries from the kernel and the disk; returns how many. Packets ignore them
    already, but they take room."""
    store = instance.store.sets
    # The same moment for entries and classes: a class that an entry still has must not be retired.
    moment = int(instance.clock.seconds() if now is None else now)
    over = store.expired_entries(moment, MAX_EXPIRED_AT_ONCE)
    if not over:
        return 0
    plan = _plan_changes(instance, dataplane, over)
    _write_plan(instance, dataplane, plan)
    crash_point("set-expired")
    store.delete_expired(over)
    if len(over) < MAX_EXPIRED_AT_ONCE:
        classes = instance.sets.classes
        classes.retire(classes.expired(moment))
    return len(over)
