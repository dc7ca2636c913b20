"""Whole sets: made, loaded, replaced, deleted. Called with the instance's lock held.

A set is recorded and loaded under a new number, which no rule can name until one commit gives the
name to it; then what bears the old number is swept. A number that holds entries and has no name is
what a change left that did not end, and is swept by whoever comes next.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from . import ruleset, setnames
from .changes import commit, loaded, reload_programs
from .errors import Full, XdpwallError
from .facade import Author
from .faults import crash_point
from .instance import Instance, now_text
from .ruleset import State
from .setentries import Entries, AddressEntry, check_size, parse_entry
from .setkeys import KINDS, Kind, kind_of
from .setnames import SetRow
from .times import seconds_of

if TYPE_CHECKING:
    from .dataplane import Dataplane
    from .model import Ruleset
    from .setbulk import Other

EXACT: tuple[Kind, Kind] = ("v4", "v6")
REBUILD_AT = 4096
"""A sweep of so many entries is worth building the occupancy bitmaps anew."""
LARGE = 1 << 16
"""A set of so many entries leaves memory behind that is worth giving back."""


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
        timed = {parse_entry(text): seconds_of(moment) for text, moment in timeouts.items()}
        left = entries.difference(Entries.from_entries(timed))
        return cls(left, {entry: ends for entry, ends in timed.items() if ends > now})

    def __len__(self) -> int:
        return len(self.entries) + len(self.timed)


def create(instance: Instance, name: str, *, by: Author) -> bool:
    """An empty set; False when there is one of this name."""
    old = instance.state
    if any(row.name == name for row in old.sets):
        return False
    row = SetRow(name, _free_number(instance), now_text())
    new = ruleset.with_sets(old, setnames.put_set(old.sets, row))
    instance.sets.make_room(loaded(instance), {})
    commit_sets(instance, new, by=by, action=f"create set {name}")
    return True


def delete(instance: Instance, name: str, *, by: Author) -> None:
    """Conflict "set-in-use" while a rule refers to it."""
    old = instance.state
    setnames.find_set(old.sets, name)
    setnames.check_set_unused((entry.rule for entry in old.entries), name)
    new = ruleset.with_sets(old, setnames.drop_set(old.sets, name))
    with sweeping(instance):
        commit_sets(instance, new, by=by, action=f"delete set {name}")


def replace(instance: Instance, name: str, content: Content, *, by: Author) -> bool:
    """Exactly this, made when absent; False when the set holds just that already."""
    with sweeping(instance):
        if not (rows := load_new(instance, differing(instance, {name: content}))):
            return False
        old = instance.state
        new = ruleset.with_sets(old, setnames.put_set(old.sets, rows[0]))
        commit_sets(instance, new, by=by, action=f"load set {name}: {len(content)} entries")
    return True


def contents_of(wanted: Ruleset) -> dict[str, Content] | None:
    """The sets of a ruleset file; None leaves those there are."""
    if wanted.sets is None:
        return None
    return {name: Content.of(c.entries, c.timeouts) for name, c in wanted.sets.items()}


def planned_sets(
    old: Sequence[SetRow], contents: Mapping[str, Content] | None, fresh: Sequence[SetRow] = ()
) -> tuple[SetRow, ...] | None:
    """The sets after an `apply`: those of the contents, with the rows of those that were loaded.
    A name without a row yet has number 0."""
    if contents is None:
        return None
    rows = {name: SetRow(name, 0, now_text()) for name in contents}
    rows |= {row.name: row for row in (*old, *fresh) if row.name in contents}
    return tuple(rows[name] for name in sorted(rows))


def commit_sets(instance: Instance, new: State, *, by: Author, action: str) -> State:
    """Commit a ruleset, some of whose sets may have come, gone or got other numbers."""
    old = instance.state
    had = {row.number for row in old.sets}
    for row in new.sets:
        if row.number not in had:
            instance.sets.classes.reserve(row.number)
    try:
        state = commit(instance, new, by=by, action=action)
    except BaseException:
        instance.sets.forget()
        raise
    if state is not old and instance.sets.room(dataplane := loaded(instance)):
        instance.sets.known(dataplane)
    return state


def differing(instance: Instance, contents: Mapping[str, Content] | None) -> dict[str, Content]:
    """Those of the contents that are not what is there already. Full when one is too large."""
    known = {row.name: row.number for row in instance.state.sets}
    found = {}
    for name, content in (contents or {}).items():
        check_size(len(content), name)
        if name not in known or not _same(instance, known[name], content):
            found[name] = content
    return found


def load_new(instance: Instance, contents: Mapping[str, Content]) -> list[SetRow]:
    """Load these under new numbers: the rows to commit. All or nothing for packets, since no rule
    names them yet; inside `sweeping`. Full."""
    if not contents:
        return []
    known = {row.name: row for row in instance.state.sets}
    rows = []
    # First the maps: to make them after a reboot forgets what has no name yet.
    dataplane = loaded(instance)
    for name, content in contents.items():
        row = known.get(name)
        number = _free_number(instance)
        instance.store.sets.stage(number, content.entries, content.timed)
        crash_point("set-staged")
        _into_kernel(instance, dataplane, number, content)
        crash_point("set-loaded")
        rows.append(SetRow(name, number, row.created if row else now_text()))
    return rows


def _into_kernel(
    instance: Instance,
    dataplane: Dataplane,
    number: int,
    content: Content,
    others: Callable[[Kind], Iterable[Other]] | None = None,
) -> None:
    """What is on disk already; the kernel holds nothing of the number."""
    sets = instance.sets
    sets.make_room(dataplane, {}, closely=True)
    parts: list[tuple[Entries, Any]] = [(content.entries, 0)]
    if content.timed:
        parts.append(_with_ends(content.timed, sets.classes.grain(content.timed.values())))
    for entries, ends in parts:
        write_bulk(instance, dataplane, number, entries, ends, others)


def write_bulk(
    instance: Instance,
    dataplane: Dataplane,
    number: int,
    entries: Entries,
    ends: Any,
    others: Callable[[Kind], Iterable[Other]] | None = None,
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
    sets.know(dataplane, bulk.classes)
    sets.bulk(dataplane, number).write(bulk)


@contextmanager
def sweeping(instance: Instance) -> Iterator[None]:
    """Whatever happens inside, afterwards no number without a name holds anything."""
    try:
        yield
    except BaseException:
        instance.sets.forget()
        with suppress(XdpwallError):
            _sweep_if_agreed(instance)
        raise
    # The change is in force; what is left is swept by the next one if this fails.
    with suppress(XdpwallError):
        _sweep_if_agreed(instance)
    if any(held.total >= LARGE for held in instance.store.sets.held().values()):
        from .kernel.memory import give_back

        give_back()


def _sweep_if_agreed(instance: Instance) -> None:
    dataplane = instance.dataplane()
    if dataplane is not None and dataplane.control.revision == instance.state.revision:
        sweep_unnamed(instance, dataplane)


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
            if len(entries) and instance.sets.room(dataplane):
                # Packets that began before the last switch may still look for this number.
                dataplane.settle()
                write_bulk(instance, dataplane, number, entries, None)
        crash_point("set-swept")
        classes = instance.sets.classes
        classes.retire(classes.bearing(number))
        store.forget(number)
        for kind in KINDS:
            swept[kind] += getattr(held, kind)
    _rebuild(instance, dataplane, [kind for kind in KINDS if swept[kind] >= REBUILD_AT])
    if swept["v4"]:
        with suppress(Full):  # a worn table is slower, and right
            dataplane.reserve(swap=lambda: reload_programs(instance, dataplane))


def _rebuild(instance: Instance, dataplane: Dataplane, kinds: list[Kind]) -> None:
    """Occupancy bitmaps of what there is now, without the bits of what there was."""
    from .occupancy import MARKED, Occupied

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
    instance.sets.forget()
    if instance.sets.room(dataplane):
        for table in instance.sets.maps(dataplane).of.values():
            keys, _ = table.lookup_batch()
            table.delete_batch(keys, len(keys))
    named = {row.number for row in instance.state.sets}
    for number in [number for number in store.held() if number not in named]:
        store.forget(number)
    if named:
        instance.sets.make_room(dataplane, {})
    repeated = {kind: _repeated(instance.sets.addresses(kind)) for kind in EXACT}
    instance.sets.start_empty()
    for number in named.intersection(store.held()):
        data = store.read(number)
        content = Content(data.entries, dict(data.timed))
        _into_kernel(instance, dataplane, number, content, repeated.__getitem__)
    store.mark_applied(store.last)
    crash_point("restore-sets")


def _repeated(addresses: Any) -> list[Other]:
    """Those that stand there more than once: what the kernel has of them so far, it has to say."""
    import numpy as np

    from .setarrays import from_keys16, keys16, once
    from .setbulk import Other

    keys = np.sort(keys16(addresses) if addresses.ndim == 2 else addresses)
    twice = once(keys[1:][keys[1:] == keys[:-1]])
    asked = from_keys16(twice) if addresses.ndim == 2 else twice
    return [Other(0, asked[:0], asked)]


def _same(instance: Instance, number: int, content: Content) -> bool:
    held = instance.store.sets.held().get(number)
    if (held.total if held else 0) != len(content):
        return False
    data = instance.store.sets.read(number)
    return dict(data.timed) == content.timed and data.entries == content.entries


def _with_ends(timed: Mapping[AddressEntry, int], grain: int) -> tuple[Entries, dict[Kind, Any]]:
    """The entries, and for each kind when each of them ends, (n,) u8, in multiples of `grain`."""
    import numpy as np

    entries = Entries.from_entries(timed)
    ends: dict[Kind, list[int]] = {kind: [] for kind in KINDS}
    for entry in entries.part():
        ends[kind_of(entry)].append(-(-timed[entry] // grain) * grain)
    return entries, {kind: np.array(ends[kind], "<u8") for kind in KINDS}


def _free_number(instance: Instance) -> int:
    taken = {row.number for row in instance.state.sets}
    return setnames.free_numbers(taken.union(instance.store.sets.held()), 1)[0]
