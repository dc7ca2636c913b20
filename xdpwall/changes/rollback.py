"""Put the ruleset of an older revision in force again, as a revision of its own. Called with the
instance's lock held.

Rules with the id and match that they had keep their counters, as in `apply`. The entries of sets are no
part of a revision: sets that are there stay as they are, also those that came later and hold something.
"""

from __future__ import annotations

from typing import NamedTuple

from xdpwall.errors import NotFound, Refused
from xdpwall.instance.instance import Instance
from xdpwall.ruleset import edits
from xdpwall.ruleset.committed import CommittedRuleset
from xdpwall.ruleset.set_references import rules_by_set
from xdpwall.sets.names import SetRow, free_numbers
from xdpwall.values.author import Author
from xdpwall.values.inputs import first_few

from .bringup import ensure_loaded
from .set_kernel import make_room
from .set_load import commit_sets, sweeping


class PlannedRollback(NamedTuple):
    """The revision that follows, and what has to be said of it."""

    to: int
    new: CommittedRuleset
    made: list[str]
    """Sets that were gone and are there again, empty."""
    kept: list[str]
    """Sets that came later and stay."""


def plan_rollback(
    instance: Instance, revision: int | None, *, allow_empty: bool
) -> PlannedRollback:
    """Plan the way to a revision, None for the one before that in force. NotFound "no-revision" when it
    is not kept; Refused "set-gone" when its rules name a set that is gone, unless `allow_empty`."""
    old = instance.ruleset
    target = _find(instance, revision)
    there = {row.name: row for row in old.sets}
    gone = [row.name for row in target.sets if row.name not in there]
    users = rules_by_set(entry.rule for entry in target.entries)
    if not allow_empty and (named := [name for name in gone if name in users]):
        raise Refused(
            f"revision {target.revision} has rules about sets that are gone with what they held: "
            + ", ".join(f"@{name} ({first_few(users[name])})" for name in named),
            code="set-gone",
            field="allow_empty",
            value=named[0],
            hint=f"make it first: xdpwall set load {named[0]} FILE, or --allow-empty makes it empty",
        )
    numbers = free_numbers(
        {row.number for row in old.sets}.union(instance.store.sets.entry_counts()), len(gone)
    )
    now = instance.clock.now_text()
    made = {name: SetRow(name, n, now) for name, n in zip(gone, numbers, strict=True)}
    had = {row.name for row in target.sets}
    kept = [
        row
        for row in old.sets
        if row.name not in had and instance.store.sets.entry_count(row.number)
    ]
    rows = [there.get(row.name) or made[row.name] for row in target.sets]
    new = edits.with_rules(
        old,
        [entry.rule for entry in target.entries],
        target.policy,
        now=now,
        sets=tuple(sorted([*rows, *kept], key=lambda row: row.name)),
        timeouts=target.timeouts,
    )
    return PlannedRollback(target.revision, new, gone, [row.name for row in kept])


def roll_back(instance: Instance, plan: PlannedRollback, *, by: Author) -> CommittedRuleset:
    """Put a planned rollback in force, all or nothing. Returns what is in force then."""
    if plan.made:
        make_room(instance, ensure_loaded(instance), {})
    with sweeping(instance):
        return commit_sets(instance, plan.new, by=by, action=f"rollback to revision {plan.to}")


def _find(instance: Instance, revision: int | None) -> CommittedRuleset:
    in_force = instance.ruleset
    now = oldest = in_force.revision
    before: CommittedRuleset | None = None
    for ruleset in instance.store.history.rulesets():
        oldest = ruleset.revision
        if oldest == revision:
            return ruleset
        if revision is None and oldest != now:
            # One that changed attachments alone, or nothing, is nowhere to go back to.
            if not ruleset.same_as(in_force):
                return ruleset
            before = before or ruleset
    if before is not None:
        return before
    if revision is None:
        raise NotFound(
            f"no revision before {now} is kept",
            code="no-revision",
            hint="see those that are: xdpwall history",
        )
    raise NotFound(
        f"revision {revision} is not kept; "
        + (f"those from {oldest} to {now} are" if oldest != now else f"{now} alone is"),
        code="no-revision",
        field="revision",
        value=revision,
        hint="see them with: xdpwall history",
    )
