"""Single entries of sets come and go. Called with the instance's lock held.

Recorded on disk first, then written to the kernel; of entries the disk is the truth, so what a dead
process recorded is written by whoever comes next.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from xdpwall.errors import Failed, Full, XdpwallError
from xdpwall.instance.instance import Instance
from xdpwall.sets.change import EntryChange
from xdpwall.sets.entries import AddressEntry, Entries, check_size
from xdpwall.sets.keys import KINDS, Kind, kind_of
from xdpwall.sets.names import find_set
from xdpwall.values.author import Author
from xdpwall.values.times import now_text

from .bringup import loaded
from .crashpoints import crash_point
from .set_kernel import make_room, publish_classes, write_bulk

if TYPE_CHECKING:
    from xdpwall.dataplane.dataplane import Dataplane
    from xdpwall.dataplane.set_single import EntryPlan

EXPIRE_AT_ONCE = 2000
"""Entries taken out under one hold of the lock."""


def change_entries(
    instance: Instance,
    name: str,
    add: Sequence[AddressEntry],
    remove: Sequence[AddressEntry],
    *,
    expires: int,
    by: Author,
) -> tuple[int, int, int]:
    """All of it or nothing: (added or given another timeout, removed, unchanged)."""
    number = find_set(instance.state.sets, name).number
    dataplane = loaded(instance)
    if add:
        held = instance.store.sets.held().get(number)
        check_size((held.total if held else 0) + len(add), name)
        more: dict[Kind, int] = dict.fromkeys(KINDS, 0)
        for entry in add:
            more[kind_of(entry)] += 1
        make_room(instance, dataplane, more)
    wanted = [EntryChange(number, entry, expires) for entry in add]
    wanted += [EntryChange(number, entry, None) for entry in remove]
    plan = _plan(instance, dataplane, wanted)
    if plan.changes:
        _make(instance, dataplane, plan, by=by, action=_words(name, plan.changes))
        instance.store.sets.fold()
    removed = sum(change.expires is None for change in plan.changes)
    return len(plan.changes) - removed, removed, plan.unchanged


def _make(
    instance: Instance, dataplane: Dataplane, plan: EntryPlan, *, by: Author, action: str
) -> None:
    store = instance.store.sets
    try:
        mark = store.change(plan.changes, by=by, action=action, now=now_text())
        crash_point("set-recorded")
        try:
            # Meanwhile the disk is busy with it. Whatever ends this process now, what is recorded
            # is there for the next one; and a machine that ends forgets the kernel's side too.
            _write(instance, dataplane, plan)
            store.synced()
        except BaseException as error:
            _take_back(instance, dataplane, plan.changes, error, by=by, action=action)
            raise
        crash_point("set-written")
        store.mark_applied(mark)
    except BaseException:
        instance.sets.invalidate()
        raise


def _plan(instance: Instance, dataplane: Dataplane, wanted: Sequence[EntryChange]) -> EntryPlan:
    try:
        return instance.sets.single(dataplane).plan(wanted)
    except Full as error:
        if error.code != "too-many-classes":
            raise
        instance.sets.collect(dataplane)
        return instance.sets.single(dataplane).plan(wanted)


def _write(instance: Instance, dataplane: Dataplane, plan: EntryPlan) -> None:
    publish_classes(instance, dataplane, plan.classes())
    instance.sets.single(dataplane).write(plan)
    if plan.for_bulk:
        groups: dict[tuple[int, int | None], list[AddressEntry]] = {}
        for change in plan.for_bulk:
            groups.setdefault((change.number, change.expires), []).append(change.entry)
        for (number, expires), entries in groups.items():
            ends = expires and instance.sets.classes.round_expiry(expires)
            write_bulk(instance, dataplane, number, Entries.from_entries(entries), ends)


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
        mark = store.change(back, by=by, action=f"take back: {action}", now=now_text())
        plan = _plan(instance, dataplane, back)
        _write(instance, dataplane, plan)
        store.synced()
        store.mark_applied(mark)
    except XdpwallError as second:
        raise Failed(
            f"the entries are recorded but not all in the kernel: {error}",
            hint="the next command that changes something puts them there",
            detail=str(second),
        ) from error


def _words(name: str, changes: Sequence[EntryChange]) -> str:
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


def finish_entries(instance: Instance, dataplane: Dataplane) -> None:
    """Write what is recorded and may not be in the kernel: somebody died in between."""
    store = instance.store.sets
    if not (left := store.unapplied()):
        return
    # What is over may be off the disk already: nobody would ever take it out of the kernel again.
    now = time.time()
    left = [c._replace(expires=None) if c.expires and c.expires <= now else c for c in left]
    plan = _plan(instance, dataplane, left)
    make_room(instance, dataplane, {})
    _write(instance, dataplane, plan)
    store.mark_applied(store.last)


def expire(instance: Instance, dataplane: Dataplane, now: float | None = None) -> int:
    """Take out entries whose time is over: packets do not see them any more, memory does."""
    store = instance.store.sets
    # The same moment for entries and classes: one that an entry still bears is not to be reused.
    moment = int(time.time() if now is None else now)
    over = store.expired(moment, EXPIRE_AT_ONCE)
    if not over:
        return 0
    plan = _plan(instance, dataplane, over)
    _write(instance, dataplane, plan)
    crash_point("set-expired")
    store.drop_expired(over)
    if len(over) < EXPIRE_AT_ONCE:
        classes = instance.sets.classes
        classes.retire(classes.expired(moment))
    return len(over)
