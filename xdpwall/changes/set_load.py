"""Create, load, replace and delete whole sets. Called with the instance's lock held.

A set is recorded and loaded under a new number, which no rule can name until one commit gives the
name to it; then the entries of the old number are swept. A number that has entries and no name was
left by an interrupted change; the next writer sweeps it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from xdpwall.errors import XdpwallError
from xdpwall.instance.instance import Instance
from xdpwall.ruleset import edits
from xdpwall.ruleset.committed import CommittedRuleset
from xdpwall.ruleset.set_references import check_set_unused
from xdpwall.sets.entries import check_size
from xdpwall.sets.names import SetRow, drop_set, find_set, free_numbers, put_set
from xdpwall.sets.timed import TimedEntries
from xdpwall.values.author import Author

from .bringup import ensure_loaded
from .commit import commit
from .crashpoints import crash_point
from .guard import NO_MOVES, Moves
from .set_kernel import load_into_kernel, make_room, sweep_unnamed

if TYPE_CHECKING:
    from xdpwall.ruleset.attachment import Attachment
    from xdpwall.ruleset.ruleset import Ruleset


GIVE_BACK_AT = 1 << 16
"""After work on a set of so many entries, freed memory is given back to the kernel."""


def create_set(instance: Instance, name: str, *, by: Author) -> bool:
    """Create an empty set; False if there is one of this name."""
    old = instance.ruleset
    if any(row.name == name for row in old.sets):
        return False
    row = SetRow(name, _free_number(instance), instance.clock.now_text())
    new = edits.with_sets(old, put_set(old.sets, row))
    make_room(instance, ensure_loaded(instance), {})
    commit_sets(instance, new, by=by, action=f"create set {name}")
    return True


def delete_set(instance: Instance, name: str, *, by: Author) -> None:
    """Delete a set and its entries. Raises NotFound, or Conflict "set-in-use" while a rule names it."""
    old = instance.ruleset
    find_set(old.sets, name)
    check_set_unused((entry.rule for entry in old.entries), name)
    new = edits.with_sets(old, drop_set(old.sets, name))
    with sweeping(instance):
        commit_sets(instance, new, by=by, action=f"delete set {name}")


def replace_set(instance: Instance, name: str, content: TimedEntries, *, by: Author) -> bool:
    """Replace all entries of a set, or create it; False if it has just these already. Raises Full."""
    with sweeping(instance):
        if not (
            rows := load_under_new_numbers(instance, changed_contents(instance, {name: content}))
        ):
            return False
        old = instance.ruleset
        new = edits.with_sets(old, put_set(old.sets, rows[0]))
        commit_sets(instance, new, by=by, action=f"load set {name}: {len(content)} entries")
    return True


def contents_of(wanted: Ruleset, now: float) -> dict[str, TimedEntries] | None:
    """The sets of a ruleset by name, without what has expired by `now`, in seconds since 1970; None
    if it states none, which leaves the sets as they are."""
    if wanted.sets is None:
        return None
    return {
        name: TimedEntries.from_timeouts(c.entries, c.timeouts, now)
        for name, c in wanted.sets.items()
    }


def planned_sets(
    old: Sequence[SetRow],
    contents: Mapping[str, TimedEntries] | None,
    fresh: Sequence[SetRow] = (),
    *,
    now: str,
) -> tuple[SetRow, ...] | None:
    """The sets after an `apply`, by name: those of `contents`, with the rows of `fresh` before `old`.
    A set that is not loaded yet has number 0, and was created `now`, a canonical time."""
    if contents is None:
        return None
    rows = {name: SetRow(name, 0, now) for name in contents}
    rows |= {row.name: row for row in (*old, *fresh) if row.name in contents}
    return tuple(rows[name] for name in sorted(rows))


def commit_sets(
    instance: Instance,
    new: CommittedRuleset,
    *,
    by: Author,
    action: str,
    coming: Sequence[Attachment] = (),
    leaving: Sequence[Attachment] = (),
    moves: Moves = NO_MOVES,
) -> CommittedRuleset:
    """Commit a ruleset in which sets may have been created, deleted or given other numbers."""
    old = instance.ruleset
    had = {row.number for row in old.sets}
    for row in new.sets:
        if row.number not in had:
            instance.sets.classes.reserve_spares(row.number)
    try:
        ruleset = commit(
            instance,
            new,
            by=by,
            action=action,
            coming=coming,
            leaving=leaving,
            moves=moves,
        )
    except BaseException:
        instance.sets.invalidate()
        raise
    if by.confirm is not None:
        return ruleset  # what it may be reverted to has no rows for new classes
    if ruleset is not old and instance.sets.has_maps(dataplane := ensure_loaded(instance)):
        instance.sets.mark_published(dataplane)
    return ruleset


def changed_contents(
    instance: Instance, contents: Mapping[str, TimedEntries] | None
) -> dict[str, TimedEntries]:
    """The contents that differ from what the sets have. Raises Full when one is too large."""
    known = {row.name: row.number for row in instance.ruleset.sets}
    found = {}
    for name, content in (contents or {}).items():
        check_size(len(content), name)
        if name not in known or not _holds_already(instance, known[name], content):
            found[name] = content
    return found


def load_under_new_numbers(
    instance: Instance, contents: Mapping[str, TimedEntries]
) -> list[SetRow]:
    """Load contents under new numbers and return the rows to commit. No packet sees them before the
    commit, since no rule names them. Call it inside `sweeping`. Raises Full."""
    if not contents:
        return []
    known = {row.name: row for row in instance.ruleset.sets}
    rows = []
    # First the maps: making them after a reboot deletes numbers that have no name yet.
    dataplane = ensure_loaded(instance)
    for name, content in contents.items():
        row = known.get(name)
        number = _free_number(instance)
        instance.store.sets.write_whole(number, content)
        crash_point("set-staged")
        load_into_kernel(instance, dataplane, number, content)
        crash_point("set-loaded")
        rows.append(SetRow(name, number, row.created if row else instance.clock.now_text()))
    return rows


@contextmanager
def sweeping(instance: Instance) -> Iterator[None]:
    """Run a change; whether it succeeds or not, sweep the numbers without a name afterwards."""
    try:
        yield
    except BaseException:
        instance.sets.invalidate()
        with suppress(XdpwallError):
            _sweep_if_in_sync(instance)
        raise
    # The change is in force; if the sweep fails, the next writer repeats it.
    with suppress(XdpwallError):
        _sweep_if_in_sync(instance)
    if any(one.total >= GIVE_BACK_AT for one in instance.store.sets.entry_counts().values()):
        from xdpwall.kernel.memory import give_back

        give_back()


def _sweep_if_in_sync(instance: Instance) -> None:
    dataplane, disk = instance.dataplane(), instance.store.read()
    if dataplane is None or disk.unconfirmed is not None:
        return
    if dataplane.control.read().revision == disk.ruleset.revision:
        sweep_unnamed(instance, dataplane)


def _holds_already(instance: Instance, number: int, content: TimedEntries) -> bool:
    if instance.store.sets.entry_count(number) != len(content):
        return False
    return instance.store.sets.read_set(number) == content


def _free_number(instance: Instance) -> int:
    taken = {row.number for row in instance.ruleset.sets}
    return free_numbers(taken.union(instance.store.sets.entry_counts()), 1)[0]
