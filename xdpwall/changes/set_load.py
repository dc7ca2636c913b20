"""Whole sets: made, loaded, replaced, deleted. Called with the instance's lock held.

A set is recorded and loaded under a new number, which no rule can name until one commit gives the
name to it; then what bears the old number is swept. A number that holds entries and has no name is
what a change left that did not end, and is swept by whoever comes next.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from xdpwall.errors import XdpwallError
from xdpwall.instance.instance import Instance
from xdpwall.ruleset import edits
from xdpwall.ruleset.set_references import check_set_unused
from xdpwall.ruleset.state import State
from xdpwall.sets.entries import check_size
from xdpwall.sets.names import SetRow, drop_set, find_set, free_numbers, put_set
from xdpwall.values.author import Author
from xdpwall.values.times import now_text

from .bringup import loaded
from .commit import commit
from .crashpoints import crash_point
from .set_kernel import Content, make_room, put_into_kernel, sweep_unnamed

if TYPE_CHECKING:
    from xdpwall.ruleset.ruleset import Ruleset


LARGE = 1 << 16
"""A set of so many entries leaves memory behind that is worth giving back."""


def create(instance: Instance, name: str, *, by: Author) -> bool:
    """An empty set; False when there is one of this name."""
    old = instance.state
    if any(row.name == name for row in old.sets):
        return False
    row = SetRow(name, _free_number(instance), now_text())
    new = edits.with_sets(old, put_set(old.sets, row))
    make_room(instance, loaded(instance), {})
    commit_sets(instance, new, by=by, action=f"create set {name}")
    return True


def delete(instance: Instance, name: str, *, by: Author) -> None:
    """Conflict "set-in-use" while a rule refers to it."""
    old = instance.state
    find_set(old.sets, name)
    check_set_unused((entry.rule for entry in old.entries), name)
    new = edits.with_sets(old, drop_set(old.sets, name))
    with sweeping(instance):
        commit_sets(instance, new, by=by, action=f"delete set {name}")


def replace(instance: Instance, name: str, content: Content, *, by: Author) -> bool:
    """Exactly this, made when absent; False when the set holds just that already."""
    with sweeping(instance):
        if not (rows := load_new(instance, differing(instance, {name: content}))):
            return False
        old = instance.state
        new = edits.with_sets(old, put_set(old.sets, rows[0]))
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
            instance.sets.classes.reserve_spares(row.number)
    try:
        state = commit(instance, new, by=by, action=action)
    except BaseException:
        instance.sets.invalidate()
        raise
    if state is not old and instance.sets.has_maps(dataplane := loaded(instance)):
        instance.sets.mark_published(dataplane)
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
        put_into_kernel(instance, dataplane, number, content)
        crash_point("set-loaded")
        rows.append(SetRow(name, number, row.created if row else now_text()))
    return rows


@contextmanager
def sweeping(instance: Instance) -> Iterator[None]:
    """Whatever happens inside, afterwards no number without a name holds anything."""
    try:
        yield
    except BaseException:
        instance.sets.invalidate()
        with suppress(XdpwallError):
            _sweep_if_agreed(instance)
        raise
    # The change is in force; what is left is swept by the next one if this fails.
    with suppress(XdpwallError):
        _sweep_if_agreed(instance)
    if any(held.total >= LARGE for held in instance.store.sets.held().values()):
        from xdpwall.kernel.memory import give_back

        give_back()


def _sweep_if_agreed(instance: Instance) -> None:
    dataplane = instance.dataplane()
    if dataplane is not None and dataplane.control.read().revision == instance.state.revision:
        sweep_unnamed(instance, dataplane)


def _same(instance: Instance, number: int, content: Content) -> bool:
    held = instance.store.sets.held().get(number)
    if (held.total if held else 0) != len(content):
        return False
    data = instance.store.sets.read(number)
    return dict(data.timed) == content.timed and data.entries == content.entries


def _free_number(instance: Instance) -> int:
    taken = {row.number for row in instance.state.sets}
    return free_numbers(taken.union(instance.store.sets.held()), 1)[0]
