"""Attach and detach: the program on an interface, its row in the store, its number in the maps.

An attachment is recorded as "attaching" before it is made, and as "leaving" before it is removed,
so that recovery.py can finish either after a crash. Called with the instance's lock held.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace

from xdpwall.attach.interfaces import index_of, link_kind
from xdpwall.errors import NeedsPrivileges, XdpwallError
from xdpwall.instance.instance import Instance
from xdpwall.limits import ATTACHMENTS
from xdpwall.ruleset.attachment import Attachment, AttachmentSpec
from xdpwall.values.author import Author
from xdpwall.values.terms import Direction, Hook

from .answering import refresh_answering
from .attachment_numbers import free_number
from .bringup import ensure_loaded
from .crashpoints import crash_point
from .detach import index_was_reused, take_off
from .generations import reload_ruleset
from .guard import guard_attach
from .mutes import muted_numbers
from .set_aside import setting_aside
from .unrecorded import unrecorded_attachments


def attach_interface(
    instance: Instance,
    spec: AttachmentSpec,
    *,
    replace_other: bool = False,
    guarded: bool = False,
    by: Author,
) -> tuple[Attachment, bool]:
    """Attach a program. Returns the attachment and whether anything changed. Raises what
    Attacher.attach() raises, and with `guarded` LockOut."""
    index = index_of(spec.iface)
    for row in instance.attachments:
        if (row.iface, row.place) == (spec.iface, spec.place):
            if _lost_to_another(instance, row, index):
                row = _with_free_number(instance, row)
            if guarded:
                guard_attach_again(instance, row, by=by)
            return _attach_again(instance, spec, row, index, replace_other, by)
    dataplane = ensure_loaded(instance)
    row = new_attachment(instance, spec, index)
    crash_point("attach-recorded")
    try:
        reload_ruleset(instance, dataplane)
        crash_point("attach-loaded")
        if guarded:
            guard_attach(instance, dataplane, row, by=by)
        load = dataplane.programs.loader(row.place, row.number)
        with setting_aside(instance, dataplane) as aside:
            aside.clear_for(spec.place, index)
            done = instance.attacher.attach(spec, index, load, replace=replace_other)
            if not done.changed:
                # Of ours, but of no row of this name (the interface was renamed, or the state
                # folder lost): it has another number.
                done = instance.attacher.swap(spec, index, done.mode, load)
                forget_former_names(instance, row, by)
    except BaseException:
        with suppress(XdpwallError):
            instance.store.attachments.delete(row)
        raise
    crash_point("attach-attached")
    return record_attached(
        instance, replace(row, mode=done.mode, why_generic=done.why_generic), by
    ), True


def guard_attach_again(instance: Instance, row: Attachment, *, by: Author) -> None:
    """Guard the attachment of a recorded program that is not in place. LockOut; NotFound without the
    interface."""
    index = index_of(row.iface)
    there = instance.attacher.find(index, row.place)
    if index != row.index or there is None or not there.ours:
        guard_attach(instance, ensure_loaded(instance), replace(row, index=index), by=by)


def new_attachment(instance: Instance, spec: AttachmentSpec, index: int) -> Attachment:
    """Record an attachment that is about to be made, with a number of its own, whose totals are 0.
    Raises Full."""
    dataplane = ensure_loaded(instance)
    row = Attachment(
        iface=spec.iface,
        place=spec.place,
        index=index,
        wanted=spec.mode if spec.hook == "xdp" else None,
        number=free_number(instance.attachments, muted_numbers(dataplane)),
        since=instance.clock.now_text(),
        kind=link_kind(index),
        intent="attaching",
    )
    instance.store.attachments.put(row)
    try:
        dataplane.generations.wait_grace_period()
        dataplane.counters.zero_totals(row.number)
    except BaseException:
        with suppress(XdpwallError):
            instance.store.attachments.delete(row)
        raise
    return row


def forget_former_names(instance: Instance, row: Attachment, by: Author) -> None:
    """Delete the attachments of a renamed interface's former names; `row` has their program now."""
    for other in instance.attachments:
        if (other.index, other.place) == (row.index, row.place) and other.iface != row.iface:
            words = f"{other.words} is {row.words} now"
            instance.store.attachments.delete(
                other, by=by, action=words, now=instance.clock.now_text()
            )


def _attach_again(
    instance: Instance,
    spec: AttachmentSpec,
    row: Attachment,
    index: int,
    replace_other: bool,
    by: Author,
) -> tuple[Attachment, bool]:
    """Attach what is recorded already: do nothing, or replace a program that was lost (by a reboot,
    with its interface, or displaced)."""
    dataplane = ensure_loaded(instance)
    dataplane.numbers.put(index, row.place, row.number)
    load = dataplane.programs.loader(row.place, row.number)
    with setting_aside(instance, dataplane) as aside:
        there = instance.attacher.find(index, spec.place)
        if index != row.index or there is None or not there.ours:
            aside.clear_for(spec.place, index)
        done = instance.attacher.attach(spec, index, load, replace=replace_other)
        if index != row.index and not done.changed:
            # It came back with another index, or two interfaces changed names.
            instance.attacher.swap(spec, index, done.mode, load)
    wanted = spec.mode if spec.hook == "xdp" else None
    now = replace(
        row,
        index=index,
        mode=done.mode,
        wanted=wanted,
        kind=link_kind(index),
        why_generic=done.why_generic,
    )
    if done.changed:
        return record_attached(instance, replace(now, since=instance.clock.now_text()), by), True
    if now != row:
        instance.store.attachments.put(now)
    refresh_answering(instance, dataplane)
    return now, False


def _lost_to_another(instance: Instance, row: Attachment, index: int) -> bool:
    """Whether the row's number is taken for good: its interface is another one now, and the program on
    the former one could not be detached."""
    if index == row.index or index_was_reused(instance, row):
        return False
    here = instance.attacher.find(index, row.place)
    if here is not None and here.ours:  # it came back with another index
        return False
    try:
        return take_off(instance, row.spec, row.index)[1] is not None
    except NeedsPrivileges:
        # No namespace that can be looked into has it. The kernel tells CAP_SYS_ADMIN alone whether another
        # does: an interface that is here and open comes first.
        instance.attacher.pins.drop(row.index, row.place)
        return False


def matching_attachments(
    rows: Iterable[Attachment],
    iface: str | None,
    hook: Hook | None,
    direction: Direction | None,
) -> list[Attachment]:
    """Select attachments by interface, hook and direction; None is any."""
    return [
        row
        for row in rows
        if iface in (None, row.iface)
        and hook in (None, row.hook)
        and direction in (None, row.direction)
    ]


def _with_free_number(instance: Instance, row: Attachment) -> Attachment:
    dataplane = ensure_loaded(instance)
    number = free_number(
        instance.attachments, muted_numbers(dataplane), shared=row.number >= ATTACHMENTS
    )
    now = replace(row, number=number)
    instance.store.attachments.put(now)
    dataplane.generations.wait_grace_period()
    dataplane.counters.zero_totals(number)
    reload_ruleset(instance, dataplane)
    return now


def record_attached(instance: Instance, row: Attachment, by: Author) -> Attachment:
    """Record that an attachment is in place."""
    done = replace(row, intent="attached")
    instance.store.attachments.put(
        done, by=by, action=f"attach {row.words}", now=instance.clock.now_text()
    )
    refresh_answering(instance, instance.dataplane())
    return done


def record_found(instance: Instance, by: Author) -> None:
    """Record what the kernel has attached and the store does not know."""
    for row in unrecorded_attachments(instance):
        rows = instance.attachments
        same = [one for one in rows if (one.iface, one.place) == (row.iface, row.place)]
        number = same[0].number if same else free_number(rows, shared=row.number >= ATTACHMENTS)
        words = f"found attached: {row.words}"
        found = replace(row, number=number)
        instance.store.attachments.put(found, by=by, action=words, now=instance.clock.now_text())
