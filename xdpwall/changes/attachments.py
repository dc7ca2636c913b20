"""Attach and detach: the program on an interface, its row in the store, its number in the maps.

An attachment is recorded as "attaching" before it is made, and as "leaving" before it is removed,
so that recovery.py can finish either after a crash. Called with the instance's lock held.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace

from xdpwall.attach.interfaces import index_of, interface_names, link_kind
from xdpwall.attach.orphans import unrecorded_pins
from xdpwall.errors import Full, XdpwallError
from xdpwall.instance.instance import Instance
from xdpwall.limits import ATTACHMENTS
from xdpwall.ruleset.attachment import Attachment, AttachmentSpec
from xdpwall.values.author import Author
from xdpwall.values.terms import Direction, Hook
from xdpwall.values.times import now_text

from .bringup import ensure_loaded
from .crashpoints import crash_point
from .generations import reload_ruleset
from .programs import loader_for


def attach_interface(
    instance: Instance, spec: AttachmentSpec, *, replace_other: bool = False, by: Author
) -> tuple[Attachment, bool]:
    """Attach a program. Returns the attachment and whether anything changed. Raises what
    Attacher.attach() raises."""
    index = index_of(spec.iface)
    for row in instance.attachments:
        if (row.iface, row.place) == (spec.iface, spec.place):
            return _attach_again(instance, spec, row, index, replace_other, by)
    dataplane = ensure_loaded(instance)
    row = Attachment(
        iface=spec.iface,
        place=spec.place,
        index=index,
        wanted=spec.mode if spec.hook == "xdp" else None,
        number=free_number(instance.attachments),
        since=now_text(),
        kind=link_kind(index),
        intent="attaching",
    )
    instance.store.attachments.put(row)
    crash_point("attach-recorded")
    try:
        dataplane.generations.wait_grace_period()
        dataplane.counters.zero_totals(row.number)
        reload_ruleset(instance, dataplane)
        crash_point("attach-loaded")
        load = loader_for(dataplane, row)
        done = instance.attacher.attach(spec, index, load, replace=replace_other)
        if not done.changed:
            # Of ours, but of no row of this name (the interface was renamed, or the state folder
            # lost): it has another number.
            done = instance.attacher.swap(spec, index, done.mode, load)
            _forget_former_names(instance, row, by)
    except BaseException:
        with suppress(XdpwallError):
            instance.store.attachments.delete(row)
        raise
    crash_point("attach-attached")
    return record_attached(instance, replace(row, mode=done.mode), by), True


def _forget_former_names(instance: Instance, row: Attachment, by: Author) -> None:
    """Delete the attachments of a renamed interface's former names; `row` has their program now."""
    for other in instance.attachments:
        if (other.index, other.place) == (row.index, row.place) and other.iface != row.iface:
            words = f"{other.words} is {row.words} now"
            instance.store.attachments.delete(other, by=by, action=words, now=now_text())


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
    done = instance.attacher.attach(spec, index, loader_for(dataplane, row), replace=replace_other)
    if index != row.index and not _shared(instance, row):
        with suppress(XdpwallError):
            instance.attacher.detach(spec, row.index)
    wanted = spec.mode if spec.hook == "xdp" else None
    now = replace(row, index=index, mode=done.mode, wanted=wanted, kind=link_kind(index))
    if done.changed:
        return record_attached(instance, replace(now, since=now_text()), by), True
    if now != row:
        instance.store.attachments.put(now)
    return now, False


def detach_interface(instance: Instance, row: Attachment, *, by: Author) -> None:
    """Detach the program and delete the row. Another owner's program stays."""
    with suppress(Full):
        instance.store.attachments.put(replace(row, intent="leaving"))
    crash_point("detach-recorded")
    if not _shared(instance, row):
        instance.attacher.detach(row.spec, row.index)
    crash_point("detach-detached")
    instance.store.attachments.delete(row, by=by, action=f"detach {row.words}", now=now_text())


def _shared(instance: Instance, row: Attachment) -> bool:
    """Whether the interface index was reused, and belongs to another attachment now."""
    return any(
        (other.index, other.place) == (row.index, row.place) and other.iface != row.iface
        for other in instance.attachments
    )


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


def detach_unrecorded(
    instance: Instance, iface: str | None, hook: Hook | None, direction: Direction | None
) -> list[str]:
    """Detach programs of ours that the store has no attachment for. Returns "eth0 xdp" and so on."""
    names = {index: name for name, index in interface_names().items()}
    gone = []
    for index, place in unrecorded_pins(instance.attacher, instance.attachments):
        spec = AttachmentSpec.at(names.get(index, f"index{index}"), place)
        wanted = hook in (None, spec.hook) and direction in (None, spec.direction)
        if iface in (None, spec.iface) and wanted and instance.attacher.detach(spec, index):
            gone.append(f"{spec.iface} {place}")
    return gone


def free_number(rows: Iterable[Attachment]) -> int:
    """The lowest number that no attachment has. Raises Full."""
    used = {row.number for row in rows}
    for number in range(ATTACHMENTS):
        if number not in used:
            return number
    raise Full(
        f"all {ATTACHMENTS} attachments are in use",
        code="too-many-attachments",
        hint="detach one that is not needed: xdpwall status",
    )


def record_attached(instance: Instance, row: Attachment, by: Author) -> Attachment:
    """Record that an attachment is in place."""
    done = replace(row, intent="attached")
    instance.store.attachments.put(done, by=by, action=f"attach {row.words}", now=now_text())
    return done
