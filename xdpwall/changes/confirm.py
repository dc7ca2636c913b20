"""A change that waits for its confirmation: kept, taken back, or found reverted by the kernel.

The kernel reverts it by itself at the deadline (bpf/classify.h), with every process of ours dead. What
comes next makes the disk agree: here, called with the instance's lock held.

    deadline in the kernel     the disk's last revision    what is done
    not over                   is the change's             nothing: it waits
    over                       is the change's             the control word says so, the disk steps back
    none, revision is its own  is the change's             it was confirmed: recorded
    none, the revision before  is the change's             it was taken back: the disk steps back
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from xdpwall.errors import CHANGE_PENDING, Conflict, NotFound, XdpwallError
from xdpwall.instance.instance import Instance
from xdpwall.store.records import Snapshot, Unconfirmed
from xdpwall.values.author import Author

from .crashpoints import crash_point
from .detach import detach_interface

if TYPE_CHECKING:
    from xdpwall.dataplane.dataplane import Dataplane
    from xdpwall.store.metrics import ReadCounters

NOT_CONFIRMED = "was not confirmed"
"""In the audit trail: why a change is not in force any more."""


def settle(instance: Instance, dataplane: Dataplane, disk: Snapshot, *, by: Author) -> bool:
    """Make the disk agree with a kernel that has reverted or kept a change. Returns whether there was
    anything to do; maps are alive, and their revision is the disk's or the pending one."""
    waits = disk.unconfirmed
    if waits is None:
        return False
    left, revision = dataplane.control.seconds_left(), dataplane.control.read().revision
    if left is not None and left > 0:
        if disk.pending is not None:
            # The process died between the switch and its record.
            instance.store.revisions.commit(waits.revision, dataplane.counters.read)
        return disk.pending is not None
    if left is None and revision == waits.revision:
        _keep(instance, waits, disk, dataplane, by)
    else:
        take_back(instance, dataplane, waits, by=by, why=f"{NOT_CONFIRMED} in time")
    return True


def forget_after_reboot(instance: Instance, disk: Snapshot, *, by: Author) -> None:
    """The maps are gone: a change that nobody confirmed is not restored."""
    waits = disk.unconfirmed
    if waits is None:
        return
    _drop_coming(instance, waits, by)
    why = f"{NOT_CONFIRMED} before the maps were lost"
    _forget(instance, lambda slots: [(0, 0)] * len(slots), by=by, why=why)


def confirm_change(instance: Instance, revision: int | None, *, by: Author) -> Unconfirmed:
    """Keep the change that waits; `revision` None is whichever it is. NotFound "nothing-pending",
    Conflict "other-change" where another waits, "already-reverted" where its time is over."""
    disk = instance.store.read()
    waits, dataplane = disk.unconfirmed, instance.dataplane()
    if waits is None or dataplane is None:
        _refuse_if_reverted(instance, revision)
        raise NotFound("no change waits for its confirmation", code="nothing-pending")
    if revision is not None and revision != waits.revision:
        raise Conflict(
            f"revision {revision} does not wait for its confirmation, revision {waits.revision} does",
            code="other-change",
            field="revision",
            value=revision,
            hint="look at it first: xdpwall status",
        )
    if not dataplane.control.confirm():
        take_back(instance, dataplane, waits, by=by, why=f"{NOT_CONFIRMED} in time")
        raise already_reverted(waits.revision, f"within {waits.seconds} s")
    crash_point("confirm-kept")
    _keep(instance, waits, disk, dataplane, by)
    return waits


def _refuse_if_reverted(instance: Instance, revision: int | None) -> None:
    """Conflict "already-reverted" where the service, another command or a restore has made the disk agree
    with the revert before the confirmation came, and the ruleset was not changed since."""
    last = instance.store.audit.newest_change()
    if last is None:
        return
    action, in_force = last
    reverted = in_force + 1
    if action.startswith(f"revision {reverted} {NOT_CONFIRMED} ") and revision in (None, reverted):
        raise already_reverted(reverted, "in time")


def already_reverted(revision: int, within: str) -> Conflict:
    """The error of a confirmation that comes too late."""
    return Conflict(
        f"revision {revision} was not confirmed {within} and is reverted: "
        f"revision {revision - 1} is in force",
        code="already-reverted",
        hint="make the change again, with more time: --confirm SECONDS",
    )


def take_back(
    instance: Instance, dataplane: Dataplane, waits: Unconfirmed, *, by: Author, why: str
) -> None:
    """Put what was in force before the change in force again, in the kernel, then on disk."""
    dataplane.control.revert()
    crash_point("revert-switched")
    dataplane.generations.forget_active()
    dataplane.generations.forget_grace_period()
    instance.sets.invalidate()
    _drop_coming(instance, waits, by)
    crash_point("revert-detached")
    _forget(instance, dataplane.counters.read, by=by, why=why)


def _forget(instance: Instance, read: ReadCounters, *, by: Author, why: str) -> None:
    """Take a change back on disk, whether it was marked committed there or not."""
    revisions = instance.store.revisions
    if instance.store.read().pending is not None:
        revisions.drop_pending(was_in_force=True)
    else:
        revisions.step_back(read, by=by, now=instance.clock.now_text(), why=why)


def change_pending(waits: Unconfirmed, left: float | None) -> Conflict:
    """The error of another change while one waits."""
    time = "" if left is None else f", which is reverted in {max(0, round(left))} s"
    return Conflict(
        f"revision {waits.revision} waits for its confirmation{time}: nothing else is changed "
        "until then",
        code=CHANGE_PENDING,
        value=waits.revision,
        hint=f"xdpwall confirm {waits.revision} keeps it, xdpwall rollback takes it back",
    )


def _keep(
    instance: Instance, waits: Unconfirmed, disk: Snapshot, dataplane: Dataplane, by: Author
) -> None:
    if disk.pending is not None:
        instance.store.revisions.commit(waits.revision, dataplane.counters.read)
    for row in instance.attachments:
        if row.number in waits.leaving:
            detach_interface(instance, row, by=by, refuse=False)
    crash_point("confirm-detached")
    instance.store.revisions.confirm(by=by, now=instance.clock.now_text())


def _drop_coming(instance: Instance, waits: Unconfirmed, by: Author) -> None:
    for row in instance.attachments:
        if row.number in waits.coming:
            # One that cannot be taken off lets everything pass, and the recovery tries again.
            with suppress(XdpwallError):
                detach_interface(instance, row, by=by, refuse=False)
