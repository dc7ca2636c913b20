"""A change of the ruleset in its fixed order: compile, record, write, switch, commit.

Called with the instance's lock held. Whatever fails, kernel and disk are left with the ruleset
that was in force before.
"""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from xdpwall.errors import Failed, XdpwallError
from xdpwall.instance.instance import Instance
from xdpwall.ruleset.committed import CommittedRuleset, new_slots
from xdpwall.store.records import Unconfirmed
from xdpwall.values.author import Author
from xdpwall.values.times import epoch_text

from .bringup import ensure_loaded
from .crashpoints import crash_point
from .generations import activate_generation, compile_committed, next_generation
from .guard import NO_MOVES, Moves, guard_commit
from .programs import prepare_generation
from .recovery import step_back

if TYPE_CHECKING:
    from collections.abc import Sequence

    from xdpwall.dataplane.control_word import Trial
    from xdpwall.dataplane.dataplane import Dataplane
    from xdpwall.ruleset.attachment import Attachment


_EARLY = 64
"""Most rules that come or go in a change that is recorded before it is compiled."""


def commit(
    instance: Instance,
    new: CommittedRuleset,
    *,
    by: Author,
    action: str,
    coming: Sequence[Attachment] = (),
    leaving: Sequence[Attachment] = (),
    moves: Moves = NO_MOVES,
) -> CommittedRuleset:
    """Put `new` into force. Returns the ruleset in force then: the old one when nothing differs.

    `action` is for the audit trail. Where the author wants to confirm (`by.confirm`), it is in force
    until the deadline, and `coming` and `leaving` are the attachments that it makes and removes: the
    ones are attached after this, the others when it is confirmed. `moves`: all that come and go
    with it. Raises Full when it does not fit, Failed when it broke, LockOut when it would cut off who must not be.
    """
    old = instance.ruleset
    if new.same_as(old) and not (coming or leaving):
        return old
    began = time.monotonic()
    # First of all: creating the maps renumbers the classes of the sets.
    dataplane = ensure_loaded(instance)
    if new.revision <= instance.store.read().given:
        old = _renumber(instance, dataplane, old, by)
        new = replace(new, revision=old.revision + 1)
    waits = None
    if by.confirm is not None:
        waits = Unconfirmed(
            new.revision,
            action,
            by.confirm,
            until=epoch_text(int(instance.clock.seconds()) + by.confirm),
            coming=tuple(row.number for row in coming),
            leaving=tuple(row.number for row in leaving),
            set_numbers=tuple(row.number for row in old.sets),
        )
    # A few rules nearly always fit, and compiling them takes as long as the disk does.
    early = _few_differ(new, old)
    try:
        if early:
            _record(instance, old, new, by, action, waits, wait=False)
        compiled = next_generation(instance, dataplane, old, new)
        if slots := new_slots(old, new):
            # An earlier change freed these slots; a packet may still count there until the grace
            # period is over.
            dataplane.generations.wait_grace_period()
            dataplane.counters.zero(slots)
            dataplane.map_set.rates.clear(slots)
        if not early:
            _record(instance, old, new, by, action, waits, wait=True)
    except BaseException:
        dataplane.generations.forget_active()
        if early:
            with suppress(XdpwallError):
                instance.store.revisions.drop_pending()
        raise
    crash_point("after-record")
    try:
        prepare_generation(instance, dataplane, compiled)
        dataplane.generations.fill(compiled)
        # While the disk is busy.
        moves = Moves((*moves.made, *coming), (*moves.going, *leaving))
        guard_commit(instance, dataplane, old, new, by=by, moves=moves)
        instance.store.synced()
        crash_point("after-write")
        dataplane.generations.switch(new.revision, trial=_trial(waits))
        crash_point("after-switch")
        took = time.monotonic() - began
        fill = compiled.needed_sizes.to_json()
        instance.store.revisions.commit(new.revision, dataplane.counters.read, took=took, fill=fill)
    except BaseException as error:
        dataplane.generations.forget_active()
        _undo(instance, dataplane, old, new.revision, error)
        raise
    crash_point("after-commit")
    return instance.ruleset


def _renumber(
    instance: Instance, dataplane: Dataplane, old: CommittedRuleset, by: Author
) -> CommittedRuleset:
    """Let what is in force have the number of the revision that was taken back, as a revision that
    changed nothing: nobody confirms another's change by that number, and what a change is reverted to
    still has the number before its own."""
    same = replace(old, revision=old.revision + 1, step=None)
    action = f"revision {same.revision} was taken back: its number is not given again"
    _record(instance, old, same, replace(by, message=None), action, None, wait=True)
    crash_point("renumber-recorded")
    dataplane.control.renumber(same.revision)
    crash_point("renumber-switched")
    instance.store.revisions.commit(same.revision, dataplane.counters.read)
    return instance.ruleset


def _trial(waits: Unconfirmed | None) -> Trial | None:
    if waits is None:
        return None
    from xdpwall.dataplane.control_word import Trial

    return Trial(waits.seconds, waits.coming, waits.leaving)


def _few_differ(new: CommittedRuleset, old: CommittedRuleset) -> bool:
    step = new.step
    return step is not None and step.since is old.entries and len(step.gone + step.come) <= _EARLY


def _record(
    instance: Instance,
    old: CommittedRuleset,
    new: CommittedRuleset,
    by: Author,
    action: str,
    waits: Unconfirmed | None,
    *,
    wait: bool,
) -> None:
    instance.store.revisions.record(
        old,
        new,
        by=by,
        action=action,
        now=instance.clock.now_text(),
        wait=wait,
        unconfirmed=waits,
    )


def _undo(
    instance: Instance,
    dataplane: Dataplane,
    old: CommittedRuleset,
    revision: int,
    error: BaseException,
) -> None:
    """Restore `old` in the kernel and on disk. Failed when that is not possible."""
    try:
        now = dataplane.control.read()
        if now.pending and now.revision == revision:
            dataplane.control.revert()
        elif now.revision == revision:
            compiled = compile_committed(instance, old, least=dataplane.map_set.sizes.positions)
            activate_generation(instance, dataplane, compiled, old.revision)
    except XdpwallError as second:
        raise Failed(
            f"revision {revision} is in force in the kernel but could not be recorded: {error}",
            hint="the next command records it; make room on the disk if it is full",
            detail=str(second),
        ) from error
    # On a full disk even this may fail; the next writer does it, since the kernel says so.
    with suppress(XdpwallError):
        if instance.ruleset.revision == revision:
            # SQLite took it, and the disk did not.
            step_back(instance, dataplane)
        else:
            instance.store.revisions.drop_pending()
