"""Attachments by policy as they are read back: what each has in place, and what it waits for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from xdpwall.attach.attacher import Attacher
from xdpwall.attach.wanted import (
    WantedPlace,
    all_links,
    wanted_places,
    why_none,
    why_not_attached,
)
from xdpwall.ruleset.attachment import Attachment
from xdpwall.ruleset.attachment_pattern import AttachmentPattern
from xdpwall.values.terms import Place
from xdpwall.views.attachments import AttachmentView, InterfaceView, WaitingView, WantedView


def wanted_views(
    attacher: Attacher, patterns: Sequence[AttachmentPattern], mine: Iterable[AttachmentView]
) -> list[WantedView]:
    """Read what each pattern wants; `mine` are all attachments as they are in the kernel."""
    if not patterns:
        return []
    links = all_links()
    filtered = {(one.index, one.place) for one in mine if one.state == "attached"}
    found = []
    for pattern in patterns:
        places = wanted_places([pattern], links)
        waiting = [one for one in places if (one.link.index, pattern.place) not in filtered]
        found.append(
            WantedView(
                iface=pattern.selector,
                hook=pattern.hook,
                direction=pattern.direction,
                place=pattern.place,
                wanted_mode=pattern.mode,
                hold=pattern.hold,
                since=pattern.since,
                in_place=[one.link.name for one in places if one not in waiting],
                waiting=[
                    WaitingView(iface=one.link.name, why=why, attachable=attachable)
                    for one in waiting
                    for why, attachable in [why_not_attached(attacher, one)]
                ],
                why_none=None if places else why_none(pattern),
            )
        )
    return found


def with_wanted(
    interfaces: Iterable[InterfaceView], wanted: Sequence[WantedView]
) -> list[InterfaceView]:
    """Say of each interface which attachments by policy want it, and why one is not in place."""
    names: dict[str, list[str]] = {}
    waits: dict[str, dict[str, str]] = {}
    for view in wanted:
        words = f"{view.iface} {view.place}"
        for name in (*view.in_place, *(one.iface for one in view.waiting)):
            names.setdefault(name, []).append(words)
        for one in view.waiting:
            waits.setdefault(one.iface, {})[view.place] = one.why
    return [
        one.model_copy(update={"wanted": names[one.name], "waiting": waits.get(one.name, {})})
        if one.name in names
        else one
        for one in interfaces
    ]


def wanted_warnings(wanted: Iterable[WantedView]) -> list[str]:
    """Tell of interfaces that are wanted and not filtered."""
    return [
        _unfiltered(one.iface, view.place, view.iface, one.why)
        for view in wanted
        for one in view.waiting
    ]


def unfiltered(
    attacher: Attacher, patterns: Sequence[AttachmentPattern], rows: Iterable[Attachment]
) -> list[str]:
    """Tell of interfaces that match, could be filtered, and have no attachment."""
    return [
        _unfiltered(one.spec.iface, one.spec.place, one.pattern.selector, why)
        for one, why in missing_places(attacher, patterns, rows)
    ]


def missing_places(
    attacher: Attacher, patterns: Sequence[AttachmentPattern], rows: Iterable[Attachment]
) -> list[tuple[WantedPlace, str]]:
    """The interfaces that match, could be filtered, and have no attachment; and why."""
    if not patterns:
        return []
    there = {(row.iface, row.place) for row in rows}
    missing = [one for one in wanted_places(patterns, all_links()) if one.key not in there]
    told = [(one, *why_not_attached(attacher, one)) for one in missing]
    return [(one, why) for one, why, attachable in told if attachable]


def _unfiltered(iface: str, place: Place, selector: str, why: str) -> str:
    return f"{iface} {place}: not filtered, though {selector} is wanted: {why}"
