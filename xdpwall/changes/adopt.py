"""`--adopt`: put a state folder's ruleset in the place of one that it does not know.

The maps are made and filled beside those in force, in a folder of their own, with pins of the same
programs. One rename exchanges the two folders; then each program is replaced by one on the new maps,
in one step each. Until then packets are judged by what was in force, so that there is no moment open;
whoever dies between the two has left a restore to finish, which the next writer does.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from xdpwall.attach.interfaces import index_of
from xdpwall.errors import (
    ANOTHER_STATE,
    Conflict,
    Failed,
    NeedsPrivileges,
    Refused,
    XdpwallError,
)
from xdpwall.instance.instance import Instance
from xdpwall.kernel.bpf import bpffs
from xdpwall.kernel.bpf.programs import Program
from xdpwall.ruleset import edits
from xdpwall.ruleset.committed import Diff, diff
from xdpwall.ruleset.ruleset import Ruleset
from xdpwall.ruleset.set_references import negated_sets, sets_named_by
from xdpwall.sets.entries import check_size
from xdpwall.sets.names import SetRow, free_numbers
from xdpwall.store.records import Snapshot
from xdpwall.values.author import Author
from xdpwall.values.terms import Counts

from .attachments import record_found
from .bringup import fill_from_store
from .crashpoints import crash_point
from .detached import forget_detached
from .generations import compile_committed
from .guard import guard_adoption
from .ownership import agree_on_identity, kernel_standing, new_identity, replacement_folder
from .set_load import contents_of, planned_sets
from .set_loss import check_losses

if TYPE_CHECKING:
    from xdpwall.dataplane.dataplane import Dataplane
    from xdpwall.sets.entries import Entries


def adopt_stored(instance: Instance, *, by: Author) -> None:
    """Put the last committed ruleset of the state folder in force; nothing to do where it is. Conflict
    "another-state" when there is none, Refused "empty-set", LockOut."""
    if _is_ours(instance):
        return
    disk = instance.store.read()
    if not disk.ruleset.revision:
        raise Conflict(
            f"{instance.settings.state_dir} has no ruleset to put in force",
            code=ANOTHER_STATE,
            hint="xdpwall apply FILE --adopt takes that of a file",
        )
    _check_sets_filled(instance, disk)
    guard_adoption(
        instance,
        [entry.rule for entry in disk.ruleset.entries],
        disk.ruleset.policy,
        _contents_on_disk(instance, disk),
        by=by,
    )
    _begin(instance, by)
    _take_over(instance, by)


def adopt_ruleset(instance: Instance, wanted: Ruleset, *, by: Author) -> Diff | None:
    """Put a ruleset in force on what the kernel has attached; None where there is nothing to take
    over. Refused "set-not-carried" when a rule names a set that the ruleset does not state."""
    if _is_ours(instance):
        return None
    old = instance.ruleset
    _check_sets_stated(wanted)
    contents, now = contents_of(wanted, instance.clock.seconds()) or {}, instance.clock.now_text()
    for name, content in contents.items():
        check_size(len(content), name)
    known = {row.name: row for row in old.sets}
    taken = {row.number for row in old.sets}.union(instance.store.sets.entry_counts())
    rows = [
        SetRow(name, number, known[name].created if name in known else now)
        for name, number in zip(contents, free_numbers(taken, len(contents)), strict=True)
    ]
    new = edits.with_rules(
        old,
        wanted.rules,
        wanted.policy,
        now=now,
        sets=planned_sets(old.sets, contents if wanted.sets is not None else None, rows, now=now),
        timeouts=wanted.timeouts,
    )
    check_losses(instance, wanted.sets, contents, new, unknown=True)
    for spec in wanted.attachments or ():
        if spec.by_policy:
            continue
        instance.attacher.check(spec, index_of(spec.iface))
    compile_committed(instance, new)
    guard_adoption(
        instance,
        wanted.rules,
        wanted.policy,
        {name: content.all() for name, content in contents.items()},
        by=by,
    )
    held = _held_revision(instance)
    given = instance.store.read().given
    new = replace(new, revision=max(new.revision, held + 1, given + 1))
    _begin(instance, by)
    for row in rows:
        instance.store.sets.write_whole(row.number, contents[row.name])
    instance.store.revisions.record(old, new, by=by, action="apply --adopt", now=now)
    instance.store.revisions.commit(new.revision, _nothing_counted)
    crash_point("adopt-recorded")
    _take_over(instance, by)
    return diff(old, new)


def _contents_on_disk(instance: Instance, disk: Snapshot) -> dict[str, Entries]:
    """What the sets hold that rules name, by name."""
    named = {name for entry in disk.ruleset.entries for _, name in sets_named_by(entry.rule)}
    now = instance.clock.seconds()
    return {
        row.name: instance.store.sets.read_set(row.number).unexpired(now).all()
        for row in disk.ruleset.sets
        if row.name in named
    }


def _is_ours(instance: Instance) -> bool:
    try:
        dataplane = instance.dataplane()
    except Failed:
        return False  # maps of another version: those of this folder were given up before
    return dataplane is None or kernel_standing(dataplane, instance.store.read()) != "another"


def _held_revision(instance: Instance) -> int:
    with suppress(Failed):
        dataplane = instance.dataplane()
        if dataplane is not None:
            return dataplane.control.read().revision
    return 0


def _begin(instance: Instance, by: Author) -> None:
    """From here on the folder is an instance of its own, and knows what the kernel has attached."""
    forget_detached(instance)
    store = instance.store
    store.set_identity(new_identity())
    if store.read().pending:
        store.revisions.drop_pending()
    crash_point("adopt-named")
    record_found(instance, by)


def _take_over(instance: Instance, by: Author) -> None:
    from xdpwall.dataplane.dataplane import Dataplane

    store, folder = instance.store, instance.settings.bpffs
    on = store.read().on
    with suppress(Failed):
        held = instance.dataplane()
        on = on if held is None else held.control.read().on
    if on != store.read().on:
        action = f"found switched {'on' if on else 'off'}"
        store.set_switch(on, by=by, action=action, now=instance.clock.now_text())
    beside = replacement_folder(folder)
    bpffs.remove_tree(beside)
    made = Dataplane(beside)
    try:
        _fill(instance, made, on)
        _pin_programs_again(folder / "progs", beside / "progs")
        crash_point("adopt-filled")
        bpffs.exchange(folder, beside)
    except BaseException as error:
        made.close()
        instance.sets.invalidate()
        with suppress(XdpwallError):
            bpffs.remove_tree(beside)
        if isinstance(error, NeedsPrivileges):
            raise NeedsPrivileges(
                f"{folder} cannot be exchanged for another by this user",
                hint="root can, without the service: systemctl stop xdpwall.socket xdpwall.service, "
                "the same command, then start both",
                detail=f"{error.message}: {error.detail}",
            ) from error
        raise
    made.close()
    instance.drop_dataplane()
    crash_point("adopt-exchanged")
    dataplane = instance.dataplane()
    if dataplane is None:
        raise Failed(f"the maps in {folder} have gone", code="no-maps")
    agree_on_identity(instance, dataplane)


def _fill(instance: Instance, made: Dataplane, on: bool) -> None:
    instance.store.clear_baselines(new_identity())
    made.create()
    made.control.set_events(instance.store.read().events, logging=False)
    made.control.set_switch(on)
    fill_from_store(instance, made)


def _pin_programs_again(source: Path, target: Path) -> None:
    bpffs.ensure_mounted(target)
    for name in bpffs.pin_names(source):
        with Program.open_pinned(source / name) as program:
            program.pin(target / name)


def _check_sets_stated(wanted: Ruleset) -> None:
    """What the kernel has of a set is not known here, and would be gone."""
    for index, rule in enumerate(wanted.rules):
        for field, name in sets_named_by(rule):
            if name not in (wanted.sets or {}):
                raise Refused(
                    f"rules[{index}] names @{name}, and the file does not state what it holds: what "
                    "the kernel has of it would be lost",
                    code="set-not-carried",
                    field=f"rules[{index}].{field}",
                    value=f"@{name}",
                    hint=f"add it to the file's section `sets` ({name}: {{entries: [...]}})",
                )


def _check_sets_filled(instance: Instance, disk: Snapshot) -> None:
    """`drop from not @friends` with an empty set drops all, `accept` lets all in."""
    numbers = {row.name: row.number for row in disk.ruleset.sets}
    for name, rule_id in negated_sets(entry.rule for entry in disk.ruleset.entries):
        if not instance.store.sets.entry_count(numbers[name]):
            raise Refused(
                f"rule {rule_id} is about `not @{name}`, and the set {name} is empty on disk",
                code="empty-set",
                field="sets",
                value=name,
                hint="xdpwall apply FILE --adopt, with a file that states what it holds",
            )


def _nothing_counted(slots: Iterable[int]) -> list[Counts]:
    """The counters of maps that are about to be made."""
    return [(0, 0) for _ in slots]
