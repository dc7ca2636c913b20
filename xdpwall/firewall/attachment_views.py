"""Views of attachments and interfaces: the store's records and what the kernel says now."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Literal

from xdpwall.attach.in_place import out_of_place
from xdpwall.attach.interfaces import interface_names
from xdpwall.ruleset.attachment import Attachment
from xdpwall.views.attachments import AttachmentView, InterfaceView, Totals

if TYPE_CHECKING:
    from xdpwall.attach.attacher import Attacher
    from xdpwall.dataplane.dataplane import Dataplane

AttachmentState = Literal["attached", "no interface", "displaced"]


def attachment_totals(dataplane: Dataplane | None, rows: Sequence[Attachment]) -> list[Totals]:
    """Read the totals of each row; zeros while the kernel has no maps of ours."""
    if dataplane is None:
        return [Totals() for _ in rows]
    return dataplane.counters.read_totals([row.number for row in rows])


def attachment_views(
    attacher: Attacher, dataplane: Dataplane | None, rows: Sequence[Attachment]
) -> list[AttachmentView]:
    """Read each attachment with its state in the kernel, its totals and the packets it sees."""
    from xdpwall.attach.coverage import coverage

    names = interface_names()
    found = []
    for row, totals in zip(rows, attachment_totals(dataplane, rows), strict=True):
        there = attacher.find(row.index, row.place)
        here = names.get(row.iface, row.index) == row.index
        ours = there is not None and there.ours and here
        before = attacher.bypasses(row.index, row.place) if ours else []
        sees, blind, _ = coverage(row.kind, [row], before)
        found.append(
            AttachmentView(
                iface=row.iface,
                index=row.index,
                hook=row.hook,
                direction=row.direction,
                place=row.place,
                wanted_mode=row.wanted,
                mode=there.mode if ours and there else None,
                program_id=there.program_id if ours and there else None,
                number=row.number,
                since=row.since,
                state=_state(row, ours, names),
                sees=sees,
                blind=blind,
                totals=totals,
            )
        )
    return found


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
    """Warn of attachments that do not filter at this moment."""
    return [
        out_of_place(view.iface, view.place, view.state)
        for view in views
        if view.state != "attached"
    ]


def unrecorded_warnings(rows: Iterable[Attachment]) -> list[str]:
    """Warn of programs of ours that the state folder does not know: they filter all the same."""
    return [
        f"{row.words}: a program of ours judges packets there, but the state folder does not know "
        f"it: attach {row.iface} again, or xdpwall detach --all"
        for row in rows
    ]


def _state(row: Attachment, ours: bool, names: dict[str, int]) -> AttachmentState:
    if ours:
        return "attached"
    return "displaced" if row.iface in names else "no interface"
