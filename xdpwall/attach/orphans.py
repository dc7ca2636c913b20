"""Orphaned programs: attached by this instance, but their pins were removed.

They filter by the ruleset of that time, and no change reaches them. Without a pin it cannot be
proved that they are ours, so they are never touched; `off`, `detach`, `status` and `restore` report them.
"""

from __future__ import annotations

from collections.abc import Iterable

from xdpwall.errors import Failed
from xdpwall.kernel.net.attached import attached_ids
from xdpwall.ruleset.attachment import Attachment, AttachmentSpec
from xdpwall.values.terms import Place

from .attacher import Attacher
from .hooks import program_name

ORPHANED = "orphaned-programs"
"""The code of the error that there are some."""
_PROGRAMS = ("xdpwall_xdp", "xdpwall_tc")


def find_orphans(attacher: Attacher, attachments: Iterable[Attachment]) -> list[Attachment]:
    """The attachments on whose hook is a program that is named like ours and is not pinned."""
    return [row for row in attachments if is_orphaned(attacher, row.index, row.place)]


def is_orphaned(attacher: Attacher, index: int, place: Place) -> bool:
    """Whether a program that is named like ours and is not pinned is there."""
    return any(
        program_name(other) in _PROGRAMS
        for other in _attached_ids(index, place) - attacher.pins.all_ids()
    )


def _attached_ids(index: int, place: Place) -> frozenset[int]:
    try:
        return attached_ids(index, place)
    except OSError:  # no interface, or at tc no qdisc
        return frozenset()


def describe_orphan(attachment: Attachment | AttachmentSpec) -> str:
    """Say what is wrong, and the commands that mend it."""
    iface = attachment.iface
    if attachment.place == "xdp":
        cure = f"xdpwall attach {iface} --replace, or ip link set dev {iface} xdp off"
    else:
        side = attachment.direction
        cure = f"tc filter show dev {iface} {side}, then tc filter del with its pref"
    return (
        f"{iface} {attachment.place}: a program whose pin was removed still judges packets there by the "
        f"ruleset of that time: {cure}"
    )


def raise_if_orphaned(attacher: Attacher, attachments: Iterable[Attachment]) -> None:
    """Failed "orphaned-programs" if there are any: a change cannot reach them."""
    found = find_orphans(attacher, attachments)
    if found:
        raise Failed(
            f"this does not reach every program: {describe_orphan(found[0])}",
            code=ORPHANED,
            value=[attachment.words for attachment in found],
        )


def unrecorded_pins(
    attacher: Attacher, attachments: Iterable[Attachment]
) -> list[tuple[int, Place]]:
    """(ifindex, place) of every pinned program that the store has no attachment for: the state
    folder was lost."""
    known = {(attachment.index, attachment.place) for attachment in attachments}
    return [entry for entry in attacher.pins.entries() if entry not in known]
