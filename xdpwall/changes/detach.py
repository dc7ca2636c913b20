"""Detach: the program off the interface, wherever that is now, and its row out of the store.

An attachment is recorded as "leaving" before it is removed, so that recovery.py can finish after a crash.
Called with the instance's lock held.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from xdpwall.attach.interfaces import highest_first, interface_names
from xdpwall.attach.orphans import describe_orphan, is_orphaned, unrecorded_pins
from xdpwall.attach.removal import StillAttached
from xdpwall.errors import Conflict, NeedsPrivileges, XdpwallError
from xdpwall.instance.instance import Instance
from xdpwall.limits import ATTACHMENTS
from xdpwall.ruleset.attachment import Attachment, AttachmentSpec
from xdpwall.values.author import Author
from xdpwall.values.terms import Direction, Hook, Place

from .crashpoints import crash_point
from .mutes import mute_program
from .set_aside import HeldByAnother, setting_aside

if TYPE_CHECKING:
    from xdpwall.dataplane.dataplane import Dataplane


@dataclass(slots=True)
class Detached:
    """What became of one attachment."""

    row: Attachment
    left: str | None
    """Where our program still is, in words, if it could not be detached."""
    unrecorded: XdpwallError | None = None
    """Why the disk does not know of it, if so."""


def detach_interface(
    instance: Instance, row: Attachment, *, by: Author, refuse: bool = True
) -> str | None:
    """Detach the program and delete the row. Another owner's program stays. Returns where ours still
    is, in words, if it could not be detached. Raises Conflict "below-xdp" when one of ours above keeps
    it there, and `refuse`; then nothing has changed, and nothing waits."""
    (done,) = detach_in_need(instance, [row], by=by, refuse=refuse)
    if done.unrecorded is not None:
        raise done.unrecorded
    return done.left


def detach_in_need(
    instance: Instance,
    rows: Sequence[Attachment],
    *,
    by: Author,
    refuse: bool = True,
    why: str | None = None,
) -> list[Detached]:
    """Detach whatever the disk does, in this order; what one of them has to write is written for all at once.
    `why` goes into the audit trail. What detach_interface() raises ends it: those before are detached then,
    the others as they were."""
    with suppress(XdpwallError):  # a full disk, or a read-only one
        instance.store.attachments.put_all(replace(row, intent="leaving") for row in rows)
    crash_point("detach-recorded")
    done: list[Detached] = []
    searched: set[int] = set()
    try:
        for row in rows:
            reused = index_was_reused(instance, row)
            left = None
            if not reused:
                others = searched if row.number >= ATTACHMENTS else None
                left = take_off(instance, row.spec, row.index, refuse, others)[1]
            crash_point("detach-detached")
            if left is None:
                _unlist(instance, row)
            done.append(Detached(row, left))
    except XdpwallError:
        with suppress(XdpwallError):
            instance.store.attachments.put_all(rows[len(done) :])
        _forget(instance, done, by, why)
        raise
    _forget(instance, done, by, why)
    return done


def _forget(instance: Instance, done: Sequence[Detached], by: Author, why: str | None) -> None:
    actions = {}
    for one in done:
        words = f"{one.row.words}: {why}" if why else f"detach {one.row.words}"
        actions[one.row] = words + (", which did not succeed" if one.left else "")
    try:
        instance.store.attachments.delete_all(actions, by=by, now=instance.clock.now_text())
    except XdpwallError as error:
        for one in done:
            one.unrecorded = error


def _unlist(instance: Instance, row: Attachment) -> None:
    dataplane = _dataplane_in_need(instance)
    if dataplane is not None and row.number >= ATTACHMENTS:
        dataplane.numbers.drop(row.index, row.place)


def take_off(
    instance: Instance,
    spec: AttachmentSpec,
    index: int,
    refuse: bool = True,
    searched: set[int] | None = None,
) -> tuple[bool, str | None]:
    """Detach a program wherever its interface is, and say whether it was attached. Where it cannot be
    detached it is muted, and the second answer is where it is, in words. Conflict "below-xdp" as for
    detach_interface(); `searched` for remove_programs()."""
    try:
        with setting_aside(instance, _dataplane_in_need(instance)) as aside:
            there = instance.attacher.find(index, spec.place)
            if there is not None and there.ours:
                try:
                    aside.clear_for(spec.place, index)
                except Conflict as error:
                    if refuse and not isinstance(error, HeldByAnother):
                        raise
                    raise StillAttached(error.message, there.program_id) from error
            gone = instance.attacher.detach(spec, index, searched)
            # One without a pin cannot be proved to be ours, and goes on.
            orphaned = is_orphaned(instance.attacher, index, spec.place)
            return gone, describe_orphan(spec) if orphaned else None
    except StillAttached as error:
        muted = mute_program(instance, error.program_id)
        now = (
            "it lets every packet pass from now on" if muted else "it goes on judging packets there"
        )
        return False, f"{spec.iface} {spec.place}: {error.message}; {now}"
    except (NeedsPrivileges, Conflict):
        raise
    except XdpwallError as error:  # the kernel was not to be asked
        return False, f"{spec.iface} {spec.place}: {error.message}"


def check_detachable(instance: Instance, rows: Iterable[Attachment]) -> None:
    """Raise Conflict "below-xdp" when the kernel would keep one of these programs."""
    with setting_aside(instance, _dataplane_in_need(instance)) as aside:
        for row in rows:
            there = instance.attacher.find(row.index, row.place)
            if row.place == "xdp" and there is not None and there.ours:
                aside.plan(row.index)


def _dataplane_in_need(instance: Instance) -> Dataplane | None:
    """The maps, as far as they can be opened: to detach they are not needed."""
    try:
        return instance.dataplane()
    except XdpwallError:
        return None


def index_was_reused(instance: Instance, row: Attachment) -> bool:
    """Whether the interface index was reused, and belongs to another attachment now."""
    return any(
        (other.index, other.place) == (row.index, row.place) and other.iface != row.iface
        for other in instance.attachments
    )


def detach_unrecorded(
    instance: Instance,
    iface: str | None,
    hook: Hook | None,
    direction: Direction | None,
    tried: Collection[tuple[int, Place]] = (),
) -> tuple[list[str], list[str]]:
    """Detach programs of ours that the store has no attachment for, as "eth0 xdp", but those of `tried`;
    the second list says which could not be detached, and where they are."""
    names = {index: name for name, index in interface_names().items()}
    gone, left = [], []
    pins = unrecorded_pins(instance.attacher, instance.attachments)
    for index, place in highest_first(pins, lambda one: one[0]):
        name = names.get(index)
        if name is None:
            where = instance.attacher.whereabouts(index, place)
            name = where.iface if where else f"index{index}"
        spec = AttachmentSpec.at(name, place)
        wanted = hook in (None, spec.hook) and direction in (None, spec.direction)
        if iface in (None, spec.iface) and wanted and (index, place) not in tried:
            removed, remains = take_off(instance, spec, index)
            left += [remains] if remains else []
            gone += [f"{spec.iface} {place}"] if removed else []
    return gone, left
