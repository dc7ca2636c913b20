"""Views of attachments and interfaces: the store's records and what the kernel says now."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from typing import TYPE_CHECKING

from xdpwall.attach.hooks import program_name
from xdpwall.attach.in_place import out_of_place, placement, renamed
from xdpwall.attach.interfaces import interface_names
from xdpwall.attach.orphans import unrecorded_pins
from xdpwall.attach.whereabouts import find_programs
from xdpwall.kernel.os_errors import os_error
from xdpwall.ruleset.attachment import Attachment
from xdpwall.views.attachments import AttachmentView, InterfaceView, Totals

if TYPE_CHECKING:
    from xdpwall.attach.attacher import Attacher
    from xdpwall.dataplane.dataplane import Dataplane


def attachment_totals(dataplane: Dataplane | None, rows: Sequence[Attachment]) -> list[Totals]:
    """Read the totals of each row; zeros while the kernel has no maps of ours."""
    if dataplane is None:
        return [Totals() for _ in rows]
    return dataplane.counters.read_totals([row.number for row in rows])


def attachment_views(
    attacher: Attacher, dataplane: Dataplane | None, rows: Sequence[Attachment]
) -> list[AttachmentView]:
    """Read each attachment with its state in the kernel, its totals and the packets it sees; what it
    is blind to, none of those given on the same interface sees."""
    from xdpwall.attach.coverage import coverage

    names, pinned = interface_names(), cache(attacher.pins.ids)
    places, beside = [], dict[int, list[Attachment]]()
    for row in rows:
        try:
            now = placement(attacher, row, names, pinned)
        except OSError as error:
            raise os_error(error.errno or 0, f"ask what is attached to {row.iface}") from error
        places.append(now)
        if now.state == "attached":
            beside.setdefault(now.index, []).append(row)
    found = []
    for row, now, totals in zip(rows, places, attachment_totals(dataplane, rows), strict=True):
        there = attacher.find(now.index, row.place) if now.state == "attached" else None
        ours = there is not None and there.ours
        before = attacher.bypasses(now.index, row.place) if ours else []
        sees = coverage(row.kind, [row], before).sees if ours else []
        blind = coverage(row.kind, beside[now.index]).blind if ours else []
        found.append(
            AttachmentView(
                iface=row.iface,
                index=0 if now.state == "no interface" else now.index,
                hook=row.hook,
                direction=row.direction,
                place=row.place,
                wanted_mode=row.wanted,
                mode=there.mode if ours and there else None,
                program_id=there.program_id if ours and there else None,
                number=row.number,
                since=row.since,
                state=now.state,
                whereabouts=now.where,
                called=now.called,
                sees=sees,
                blind=blind,
                totals=totals,
            )
        )
    return found


def blind_view(view: AttachmentView, unseen: int) -> AttachmentView:
    """The view of an attachment that is known to see nothing."""
    seen = " and ".join(view.sees) or "anything"
    words = f"{seen}: the program is handed no packet"
    return view.model_copy(update={"unseen": unseen, "sees": [], "blind": [words, *view.blind]})


def interface_views(attacher: Attacher, ours: Sequence[AttachmentView]) -> list[InterfaceView]:
    """List every interface with our attachments, others' programs and what would cover the rest."""
    from xdpwall.attach.coverage import coverage, list_interfaces

    found = []
    for view in list_interfaces():
        mine = [one for one in ours if one.index == view.index and one.state == "attached"]
        found.append(
            view.model_copy(
                update={
                    "attachments": mine,
                    "others": attacher.occupants(view.index),
                    "suggestions": coverage(view.kind, mine)[2] if mine else [],
                }
            )
        )
    return found


def attachment_warnings(views: Iterable[AttachmentView]) -> list[str]:
    """Warn of attachments that do not filter at this moment, or do under a former name."""
    found = []
    for view in views:
        if view.state != "attached":
            found.append(out_of_place(view.iface, view.place, view.state, view.whereabouts))
        elif view.called:
            found.append(renamed(view.iface, view.place, view.called))
    return found


def passing_warnings(dataplane: Dataplane | None, rows: Iterable[Attachment]) -> list[str]:
    """Tell of attachments in place that judge nothing, as a change that waits takes them away or has been
    taken back."""
    if dataplane is None or not (passing := dataplane.control.passing()):
        return []
    why = (
        "it is detached once the change that waits is confirmed"
        if dataplane.control.seconds_left()
        else "the change that attached it was not confirmed in time"
    )
    return [
        f"{row.words} lets every packet pass at the moment: {why}"
        for row in rows
        if row.number in passing
    ]


def stray_warnings(
    attacher: Attacher, dataplane: Dataplane | None, rows: Iterable[Attachment]
) -> list[str]:
    """Tell of programs of ours that belong to no attachment and are on no interface of this network
    namespace as pinned: those that could not be detached, and let every packet pass, and others."""
    muted = set(dataplane.control.muted().values()) if dataplane else set()
    strays = set(muted)
    for index, place in unrecorded_pins(attacher, rows):
        if attacher.find(index, place) is None:
            strays.update(attacher.pins.attached_ids(index, place))
    found = find_programs(strays)
    warnings = []
    for program_id in sorted(strays):
        name = program_name(program_id)
        if name is None or not (program_id in found or program_id in muted):
            continue
        where = found[program_id].words if program_id in found else "an interface that is not found"
        does = "lets every packet pass" if program_id in muted else "judges packets"
        warnings.append(
            f"a program of ours ({name}, id {program_id}) is still on {where}, and {does} there: "
            "xdpwall detach --all takes it off, where it can be reached"
        )
    return warnings


def unrecorded_warnings(rows: Iterable[Attachment]) -> list[str]:
    """Warn of programs of ours that the state folder does not know: they filter all the same."""
    return [
        f"{row.words}: a program of ours judges packets there, but the state folder does not know "
        f"it: attach {row.iface} again, or xdpwall detach --all"
        for row in rows
    ]
