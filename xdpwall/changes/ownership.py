"""Whose ruleset the kernel holds: this state folder's, or one that may not be replaced unasked.

A state folder that was lost, emptied, exchanged or put back from an old copy knows nothing of what
the kernel judges by. To go on from it would put its rules, perhaps none, in the place of those.
"""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from xdpwall.dataplane.pinned_identity import PinnedIdentity
from xdpwall.errors import ANOTHER_STATE, Conflict
from xdpwall.instance.instance import Instance
from xdpwall.kernel.bpf import bpffs
from xdpwall.store.records import Snapshot
from xdpwall.values.switched_off import HELD_BY_KERNEL
from xdpwall.views.status import KernelView

from .crashpoints import crash_point
from .programs import reload_programs

if TYPE_CHECKING:
    from xdpwall.dataplane.dataplane import Dataplane

Standing = Literal["ours", "fresh", "behind", "another"]
"""ours: the kernel's revision is the folder's, or the pending one. fresh: maps of a restore that
died, which hold nothing yet. behind: the last revision was switched back when its final write
failed. another: the kernel holds what this folder does not know."""


def standing(identity: str | None, revision: int, disk: Snapshot) -> Standing:
    """Compare the kernel's id and revision with what is on disk."""
    same = identity == disk.identity
    if identity is None and revision == 0 and disk.ruleset.revision:
        return "fresh"
    if not same and None not in (identity, disk.identity):
        return "another"
    pending = disk.pending.revision if disk.pending else None
    if revision in (disk.ruleset.revision, pending):
        return "ours"
    if same and identity is not None and revision == disk.ruleset.revision - 1:
        return "behind"
    return "another"


def kernel_standing(dataplane: Dataplane, disk: Snapshot) -> Standing:
    """Read how maps that are open stand to what is on disk."""
    return standing(dataplane.identity.read(), dataplane.control.read().revision, disk)


def another_state(instance: Instance, theirs: str | None, held: int, disk: Snapshot) -> Conflict:
    """The error of a change that would replace what this folder does not know: `theirs` is the kernel's
    id, `held` its revision."""
    folder, revision = instance.settings.state_dir, disk.ruleset.revision
    if theirs is not None and theirs == disk.identity:
        has = f"revision {revision} of the same instance"
    else:
        has = f"revision {revision} of another instance" if revision else "no ruleset"
    return _conflict(f"{HELD_BY_KERNEL} {held}, and {folder} has {has}", instance)


def foreign_kernel(instance: Instance, disk: Snapshot) -> tuple[Conflict, KernelView] | None:
    """The error that a change would meet, and what the kernel judges by; None where it holds what is
    on disk, or nothing."""
    dataplane = instance.dataplane()
    if dataplane is None:
        return None
    identity, control = dataplane.identity.read(), dataplane.control.read()
    if standing(identity, control.revision, disk) != "another":
        return None
    # Another process may have switched since `disk` was read; what it switched to was recorded before.
    disk = instance.store.read()
    if standing(identity, control.revision, disk) != "another":
        return None
    from xdpwall.compiler.compile import policy_of

    judges = dataplane.control.in_force()
    held = KernelView(
        revision=judges.revision, policy=policy_of(dataplane.map_set.policy_bits(judges.copy))
    )
    return another_state(instance, identity, judges.revision, disk), held


def check_other_version(instance: Instance, disk: Snapshot) -> None:
    """Conflict "another-state" unless maps that cannot be opened, since another version laid them
    out, may be given up for what is on disk: theirs must not be another's id, and there must be
    something to put in their place."""
    theirs = PinnedIdentity(instance.settings.bpffs).read()
    known = theirs is not None and theirs == disk.identity
    strange = None not in (theirs, disk.identity) and not known
    if strange or not (known or disk.ruleset.revision or disk.attachments):
        folder = instance.settings.state_dir
        raise _conflict(
            f"the maps are of another version of xdpwall, and {folder} is not their state", instance
        )


def agree_on_identity(instance: Instance, dataplane: Dataplane) -> None:
    """Give disk and kernel, which hold the same revision, the same id where one of them has none."""
    mine, theirs = instance.store.read().identity, dataplane.identity.read()
    if mine is not None and mine == theirs:
        return
    if mine is None:
        mine = theirs or new_identity()
        instance.store.set_identity(mine)
    if theirs is None:
        # A restore that died before this may have left programs on the maps of before.
        reload_programs(instance, dataplane)
        crash_point("adopt-swapped")
        bpffs.remove_tree(replacement_folder(instance.settings.bpffs))
        dataplane.identity.write(mine)


def replacement_folder(folder: Path) -> Path:
    """Where `--adopt` makes the maps that replace those of an instance."""
    return folder.with_name(f"{folder.name}-next")


def new_identity() -> str:
    """128 random bits as 32 hexadecimal digits."""
    return secrets.token_hex(16)


def _conflict(message: str, instance: Instance) -> Conflict:
    return Conflict(
        f"{message}: nothing was changed, what is attached filters as before",
        code=ANOTHER_STATE,
        hint="put the right state folder back, or take over: xdpwall apply FILE --adopt puts a file's "
        "ruleset in the place of what is in force, xdpwall restore --adopt that of the state folder",
    )
