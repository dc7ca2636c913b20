"""Whether attachments are in place, as the kernel tells it, and what is said of those that are not."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache, partial

from xdpwall.ruleset.attachment import Attachment
from xdpwall.views.attachments import PlaceState

from .attacher import Attacher
from .interfaces import interface_names


@dataclass(frozen=True, slots=True)
class Placement:
    """Where an attachment's program is."""

    state: PlaceState
    index: int
    """Of the interface that carries it, here; as recorded when none does."""
    where: str | None = None
    """ "veth0 in network namespace box", when it was moved."""
    called: str | None = None
    """The interface's name now, when it is another than the attachment's."""


def placement(
    attacher: Attacher,
    row: Attachment,
    names: Mapping[str, int],
    ours: Callable[[], frozenset[int]],
    *,
    search: bool = True,
) -> Placement:
    """Ask the kernel; OSError when it does not tell. `names` are all interfaces, `ours` gives
    attacher.pins.ids(). `search`: look into other network namespaces when the program is not here,
    which takes milliseconds.

    An interface that was renamed counts as the same while no other one has taken its name.
    """
    index = names.get(row.iface, row.index)
    if index != row.index:  # it may have come back with another index, and our program on it
        ours = partial(_pinned, attacher, row)
    if attacher.in_place(index, row.place, ours):
        return Placement("attached", index, called=new_name(row, names))
    if search and (found := attacher.whereabouts(row.index, row.place)) and not found.here:
        return Placement("moved", row.index, found.words)
    return Placement("displaced" if row.iface in names else "no interface", row.index)


def new_name(row: Attachment, names: Mapping[str, int]) -> str | None:
    """The name now of the attachment's interface, where it was renamed and no other one has taken its
    name. `names` are all interfaces."""
    if row.iface in names:
        return None
    return next((name for name, index in names.items() if index == row.index), None)


def former_name(iface: str, rows: Iterable[Attachment]) -> str | None:
    """The name under which an interface that is called `iface` now was attached, where it was renamed
    since and is not attached by its new one."""
    wanted, names = list(rows), interface_names()
    if any(row.iface == iface for row in wanted):
        return None
    return next((row.iface for row in wanted if new_name(row, names) == iface), None)


def judged_names(rows: Iterable[Attachment]) -> set[str]:
    """The names by which rules may name an interface that is there: all interfaces' own, and that
    under which one was attached before it was renamed."""
    names = interface_names()
    return names.keys() | {row.iface for row in rows if new_name(row, names) is not None}


def _pinned(attacher: Attacher, row: Attachment) -> frozenset[int]:
    return frozenset(attacher.pins.attached_ids(row.index, row.place))


def place_warnings(
    attacher: Attacher, attachments: Iterable[Attachment], *, search: bool = True
) -> list[str]:
    """Ask the kernel for each: a sentence for one that judges no packet here, or that it does not tell.
    `search` as for placement()."""
    wanted = list(attachments)
    if not wanted:
        return []
    names, ours = interface_names(), cache(attacher.pins.ids)
    found = []
    for one in wanted:
        try:
            there = placement(attacher, one, names, ours, search=search)
        except OSError as error:
            found.append(f"{one.words}: the kernel does not tell what is attached: {error}")
            continue
        if there.state != "attached":
            found.append(out_of_place(one.iface, one.place, there.state, there.where))
    return found


def stand_in_warnings(attacher: Attacher) -> list[str]:
    """Tell of filters that still judge in the place of an XDP program of ours."""
    names = {index: name for name, index in interface_names().items()}
    return [
        f"{names[index]} xdp: until then a filter of ours at tc ingress judges in its place"
        for index in attacher.stand_ins.indexes()
        if index in names
    ]


def renamed(iface: str, place: str, called: str) -> str:
    """Say under which name the packets of a renamed interface are judged, and how that is ended."""
    return (
        f"{iface} {place}: the interface is called {called} now, and its packets are judged as those of "
        f"{iface}, by the rules on {iface}; the new name from now on: let the rules name {called}, then "
        f"xdpwall attach {called}"
    )


def out_of_place(iface: str, place: str, state: PlaceState, where: str | None = None) -> str:
    """Say what is wrong with an attachment, and what puts it back."""
    if state == "no interface":
        return (
            f"{iface} {place}: the interface does not exist; when it comes back the service attaches "
            "it, or without it: xdpwall restore"
        )
    if state == "moved":
        return (
            f"{iface} {place}: the interface was moved, and our program judges packets on {where}; "
            f"xdpwall detach {iface} takes it off there"
        )
    return (
        f"{iface} {place}: our program is not attached (any more); put it back with: "
        "xdpwall restore"
    )
