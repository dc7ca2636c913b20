"""Orphaned programs: attached by this instance, but their pins were removed.

They filter by the ruleset of that time, and no change reaches them. Without a pin it cannot be
proved that they are ours, so they are never touched; `off`, `status` and `restore` report them.
"""

from __future__ import annotations

from collections.abc import Iterable

from xdpwall.errors import Failed
from xdpwall.ruleset.attachment import Attachment
from xdpwall.values.terms import Place

from .attacher import Attacher

_PROGRAMS = ("xdpwall_xdp", "xdpwall_tc")


def orphans(attacher: Attacher, rows: Iterable[Attachment]) -> list[Attachment]:
    """The attachments on whose hook is a program that is named like ours and is not pinned."""
    return [
        row
        for row in rows
        if any(
            other.place == row.place and other.name in _PROGRAMS
            for other in attacher.occupants(row.index)
        )
    ]


def describe_orphan(row: Attachment) -> str:
    """Say what is wrong, and the commands that mend it."""
    if row.place == "xdp":
        cure = f"xdpwall attach {row.iface} --replace, or ip link set dev {row.iface} xdp off"
    else:
        side = row.direction
        cure = f"tc filter show dev {row.iface} {side}, then tc filter del with its pref"
    return (
        f"{row.words}: a program whose pin was removed still judges packets there by the ruleset of "
        f"that time: {cure}"
    )


def raise_if_orphaned(attacher: Attacher, rows: Iterable[Attachment]) -> None:
    """Failed "orphaned-programs" if there are any: a change cannot reach them."""
    found = orphans(attacher, rows)
    if found:
        raise Failed(
            f"this does not reach every program: {describe_orphan(found[0])}",
            code="orphaned-programs",
            value=[row.words for row in found],
        )


def unrecorded_pins(attacher: Attacher, rows: Iterable[Attachment]) -> list[tuple[int, Place]]:
    """(ifindex, place) of every pinned program that the store has no attachment for: the state
    folder was lost."""
    known = {(row.index, row.place) for row in rows}
    return [entry for entry in attacher.pins.entries() if entry not in known]
