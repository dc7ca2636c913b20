"""Attach many interfaces at once, which share a program: what one attachment waits for is waited for once.

Called with the instance's lock held. As in attachments.py, all are recorded as "attaching" first, so that
recovery.py can finish them after a crash.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from xdpwall.attach.interfaces import lowest_first
from xdpwall.attach.wanted import WantedPlace
from xdpwall.errors import Conflict, XdpwallError
from xdpwall.instance.instance import Instance
from xdpwall.kernel.net.xdp import BELOW_XDP
from xdpwall.ruleset.attachment import Attachment
from xdpwall.ruleset.attachment_pattern import AttachmentPattern
from xdpwall.values.author import Author

from .attachment_numbers import free_numbers
from .attachments import forget_former_names
from .bringup import ensure_loaded
from .crashpoints import crash_point
from .generations import place_members
from .guard import guard_attachments
from .mutes import muted_numbers
from .set_aside import setting_aside

if TYPE_CHECKING:
    from xdpwall.dataplane.dataplane import Dataplane


def attach_members(
    instance: Instance,
    places: Sequence[WantedPlace],
    *,
    guarded: bool,
    by: Author,
    attached: Callable[[Attachment], None],
    patterns: Sequence[AttachmentPattern] | None = None,
) -> tuple[list[Attachment], dict[WantedPlace, XdpwallError]]:
    """Attach interfaces that have no attachment there. Returns those that are, and why others are not.
    Raises Full, and with `guarded` LockOut; nothing is attached then. `attached` is called for each at
    once; `patterns` are recorded with them."""
    dataplane = ensure_loaded(instance)
    ordered = lowest_first(places, lambda one: one.link.index)
    rows = _planned(instance, dataplane, ordered)
    # Not waited for: what the machine's end takes off the disk it takes out of the kernel.
    instance.store.attachments.put_all(rows, patterns, wait=False)
    crash_point("attach-recorded")
    done: list[Attachment] = []
    failed: dict[WantedPlace, XdpwallError] = {}
    try:
        dataplane.generations.wait_grace_period()
        for row in rows:
            dataplane.counters.zero_totals(row.number)
            dataplane.numbers.put(row.index, row.place, row.number)
        place_members(instance, dataplane, rows)
        crash_point("attach-loaded")
        if guarded:
            guard_attachments(instance, dataplane, rows, by=by)
        for one, row in zip(ordered, rows, strict=True):
            try:
                made = _attach(instance, dataplane, row, by=by)
            except XdpwallError as error:
                failed[one] = error
            else:
                attached(made)
                done.append(made)
                crash_point("attach-attached")
    finally:
        # What is not done is taken back also after an error that ends it all.
        now, kept = instance.clock.now_text(), {row.number for row in done}
        left = [row for row in rows if row.number not in kept]
        with suppress(XdpwallError):
            instance.store.attachments.settle(
                [replace(row, intent="attached") for row in done], left, by=by, now=now
            )
            instance.store.synced()
        for row in left:
            dataplane.numbers.drop(row.index, row.place)
    return done, failed


def _planned(
    instance: Instance, dataplane: Dataplane, places: Sequence[WantedPlace]
) -> list[Attachment]:
    now = instance.clock.now_text()
    numbers = free_numbers(instance.attachments, muted_numbers(dataplane), len(places), shared=True)
    return [
        Attachment(
            iface=one.link.name,
            place=one.pattern.place,
            index=one.link.index,
            wanted=one.pattern.mode,
            number=number,
            since=now,
            kind=one.link.kind,
            intent="attaching",
        )
        for one, number in zip(places, numbers, strict=True)
    ]


def _attach(instance: Instance, dataplane: Dataplane, row: Attachment, *, by: Author) -> Attachment:
    load = dataplane.programs.loader(row.place, row.number)
    with setting_aside(instance, dataplane) as others:
        try:
            done = instance.attacher.attach(row.spec, row.index, load)
        except Conflict as error:
            if error.code != BELOW_XDP:
                raise
            others.clear_for(row.place, row.index)
            done = instance.attacher.attach(row.spec, row.index, load)
        if not done.changed:
            # Ours, of a former name or of a state folder that was lost: it has another number.
            done = instance.attacher.swap(row.spec, row.index, done.mode, load)
            forget_former_names(instance, row, by)
    return replace(row, mode=done.mode, why_generic=done.why_generic)
