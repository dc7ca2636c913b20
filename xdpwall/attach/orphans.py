"""Programs of this instance whose pins somebody removed: nothing of ours reaches them any more.

They go on judging by what was last in force, and by its pins alone nobody can prove whose they
are. So they are never touched; but `off`, `status` and `restore` must not pretend.
"""

from __future__ import annotations

from collections.abc import Iterable

from xdpwall.errors import Failed
from xdpwall.ruleset.attachment import Attachment
from xdpwall.values.terms import Place

from .attacher import Attacher

_PROGRAMS = ("xdpwall_xdp", "xdpwall_tc")


def orphans(attacher: Attacher, rows: Iterable[Attachment]) -> list[Attachment]:
    """The attachments at whose place stands a program that is named like ours and is not pinned."""
    return [
        row
        for row in rows
        if any(
            other.place == row.place and other.name in _PROGRAMS
            for other in attacher.occupants(row.index)
        )
    ]


def describe_orphan(row: Attachment) -> str:
    """What is wrong, and the way out."""
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
    """Failed when there are some: what was asked for does not hold for them."""
    found = orphans(attacher, rows)
    if found:
        raise Failed(
            f"this does not reach every program: {describe_orphan(found[0])}",
            code="orphaned-programs",
            value=[row.words for row in found],
        )


def unrecorded_pins(attacher: Attacher, rows: Iterable[Attachment]) -> list[tuple[int, Place]]:
    """Interface index and place of what is pinned though no row tells of it (the state folder was
    lost)."""
    known = {(row.index, row.place) for row in rows}
    return [entry for entry in attacher.pins.entries() if entry not in known]
