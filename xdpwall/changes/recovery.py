"""Make disk and kernel agree after a crash or a reboot. Called with the instance's lock held.

While the maps are alive the kernel's revision wins: a pending change that reached it is marked
committed, one that did not is dropped, and one whose final write failed is undone. When they are
gone, the last committed ruleset counts. Maps that hold what the disk does not know are left alone.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from xdpwall.dataplane.lost_pins import missing_pins_error
from xdpwall.dataplane.pinned_counters import OTHER_VERSION
from xdpwall.dataplane.pinned_identity import PinnedIdentity
from xdpwall.errors import MISSING_PIN, Conflict, Failed, XdpwallError
from xdpwall.instance.instance import Instance
from xdpwall.kernel.bpf import bpffs
from xdpwall.values.author import Author

from .attachments import record_attached
from .bringup import load_from_store
from .clock_change import follow_clock
from .confirm import forget_after_reboot, settle
from .crashpoints import crash_point
from .detach import take_off
from .detached import follow_detached
from .generations import reload_ruleset
from .ownership import agree_on_identity, another_state, check_other_version, kernel_standing
from .programs import reload_programs
from .set_aside import put_back_left

if TYPE_CHECKING:
    from xdpwall.dataplane.dataplane import Dataplane


RECOVERY = Author("recovery", "recovery")


def recover(instance: Instance) -> None:
    """Finish or undo what a dead process left; two small reads when there is nothing to do."""
    numbers = bpffs.pin_numbers(instance.settings.bpffs, "maps-")
    # An interrupted growth leaves two map sets pinned.
    outgrown = len(numbers) > 1
    if outgrown or not instance.holds_newest(numbers):
        # Other maps may be pinned by now than this process has open.
        instance.drop_dataplane()
    dataplane = instance.dataplane()
    snapshot = instance.store.read()
    if dataplane is None:
        follow_detached(instance, by=RECOVERY)
        forget_after_reboot(instance, snapshot, by=RECOVERY)
        if instance.store.read().pending:
            instance.store.revisions.drop_pending()
        _end_attachments(instance)
        return
    if dataplane.lost_pins:
        raise missing_pins_error(dataplane.lost_pins)
    stands = kernel_standing(dataplane, snapshot)
    if stands == "another":
        held = dataplane.control.read().revision
        raise another_state(instance, dataplane.identity.read(), held, snapshot)
    if settle(instance, dataplane, snapshot, by=RECOVERY):
        snapshot = instance.store.read()
        stands = kernel_standing(dataplane, snapshot)
    if outgrown:
        reload_programs(instance, dataplane)
        dataplane.unpin_outgrown()
    control = dataplane.control.read()
    if snapshot.pending:
        # The dead process may have switched since this one waited for a grace period.
        dataplane.generations.forget_grace_period()
        if control.revision == snapshot.pending.revision:
            instance.store.revisions.commit(control.revision, dataplane.counters.read)
        else:
            instance.store.revisions.drop_pending()
    if stands == "behind":
        step_back(instance, dataplane)
    if stands == "fresh":
        dataplane.control.set_switch(snapshot.on)
        load_from_store(instance, dataplane)
    elif control.on != snapshot.on:
        _follow_switch(instance, control.on)
    follow_detached(instance, by=RECOVERY)
    if snapshot.unfinished:
        _end_attachments(instance)
        if snapshot.unconfirmed is None:
            reload_ruleset(instance, dataplane)
    if instance.clock.outdated:
        # While a change waits, programs that cannot be replaced now follow the clock after it.
        with suppress(Conflict):
            follow_clock(instance, dataplane, by=RECOVERY)
    _end_sets(instance, dataplane)
    put_back_left(instance, dataplane)
    agree_on_identity(instance, dataplane)


def step_back(instance: Instance, dataplane: Dataplane) -> None:
    """The disk follows the kernel, which was switched back from the last revision."""
    dataplane.generations.forget_active()
    instance.sets.invalidate()
    instance.store.revisions.step_back(
        dataplane.counters.read, by=RECOVERY, now=instance.clock.now_text()
    )


def renew_maps(instance: Instance) -> None:
    """Pin again the maps that lost their pin. Give up those that another version of xdpwall made, or
    of which no program tells any more: programs that are on them go on filtering, until restore has
    replaced them."""
    try:
        dataplane = instance.dataplane()
        if dataplane is not None and dataplane.lost_pins:
            dataplane.pin_lost()
            instance.drop_dataplane()
    except Failed as error:
        if error.code not in (OTHER_VERSION, MISSING_PIN):
            raise
        disk = instance.store.read()
        check_other_version(instance, disk)
        from xdpwall.dataplane.kept_maps import keep_maps
        from xdpwall.dataplane.pinned_maps import unpin_maps

        folder = instance.settings.bpffs
        if disk.identity is not None and disk.identity == PinnedIdentity(folder).read():
            keep_maps(folder, disk.identity)
            crash_point("restore-kept")

        # Of programs that are on maps without any pin nothing more is asked.
        instance.drop_dataplane()
        unpin_maps(folder)
        crash_point("restore-unpinned")


def _end_sets(instance: Instance, dataplane: Dataplane) -> None:
    """Sweep unfinished loads of sets, write recorded entries to the kernel, delete expired ones."""
    store, disk = instance.store.sets, instance.store.read()
    named = {row.number for row in disk.ruleset.sets}
    # What a change that waits would be reverted to may name the others.
    if disk.unconfirmed is None and not named.issuperset(store.entry_counts()):
        from .set_kernel import sweep_unnamed

        sweep_unnamed(instance, dataplane)
    if store.unapplied_changes():
        from .set_entries import write_unapplied

        # A change that waits must be confirmed or taken back whatever becomes of entries.
        with suppress(*(() if disk.unconfirmed is None else (XdpwallError,))):
            write_unapplied(instance, dataplane)
    if any(held.timed for held in store.entry_counts().values()):
        ends = store.next_expiry()
        if ends is not None and ends <= instance.clock.seconds():
            from .set_entries import remove_expired

            # Programs ignore expired entries, so a failure here must not stop a change.
            with suppress(XdpwallError):
                remove_expired(instance, dataplane)


def _follow_switch(instance: Instance, on: bool) -> None:
    action = f"found switched {'on' if on else 'off'}"
    instance.store.set_switch(on, by=RECOVERY, action=action, now=instance.clock.now_text())


def _end_attachments(instance: Instance) -> None:
    """Record or delete attachments that were being made; detach those that were leaving."""
    for row in instance.attachments:
        if row.intent == "attaching":
            found = instance.attacher.find(row.index, row.place)
            if found is not None and found.ours:
                record_attached(instance, replace(row, mode=found.mode), RECOVERY)
            else:
                instance.store.attachments.delete(row)
        elif row.intent == "leaving":
            try:
                take_off(instance, row.spec, row.index)  # what remains is told by status
            except XdpwallError:  # it goes on judging; no later change may wait for it
                instance.store.attachments.put(replace(row, intent="attached"))
                continue
            instance.store.attachments.delete(
                row, by=RECOVERY, action=f"detach {row.words}", now=instance.clock.now_text()
            )
