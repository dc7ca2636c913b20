"""Which interfaces attachments by policy want, and why one of them is not attached."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from xdpwall.errors import XdpwallError
from xdpwall.kernel.net.link_list import BriefLink, brief_links
from xdpwall.kernel.os_errors import os_error
from xdpwall.rule.iface_selector import PORTS
from xdpwall.ruleset.attachment import Attachment, AttachmentSpec
from xdpwall.ruleset.attachment_pattern import AttachmentPattern
from xdpwall.values.terms import Place

from .attacher import Attacher

NEVER = ("not-ethernet", "vrf")
"""Codes of the errors of interfaces that no program of ours can filter."""


@dataclass(frozen=True, slots=True)
class WantedPlace:
    """One interface that a pattern wants attached."""

    pattern: AttachmentPattern
    link: BriefLink

    @property
    def key(self) -> tuple[str, Place]:
        """By which its attachment is found."""
        return self.link.name, self.pattern.place

    @property
    def spec(self) -> AttachmentSpec:
        """The attachment of this interface."""
        return AttachmentSpec.at(self.link.name, self.pattern.place, self.pattern.mode or "auto")


def all_links() -> list[BriefLink]:
    """Every interface; XdpwallError where the kernel does not tell."""
    try:
        return brief_links()
    except OSError as error:
        raise os_error(error.errno or 0, "list the interfaces") from error


def wanted_places(
    patterns: Iterable[AttachmentPattern],
    links: Sequence[BriefLink],
    only: Collection[str] | None = None,
) -> list[WantedPlace]:
    """What the patterns want, each place once, for the first that does; `only` these interfaces."""
    found: dict[tuple[str, Place], WantedPlace] = {}
    for pattern in patterns:
        for link in links:
            if (only is None or link.name in only) and pattern.matches(link.name, link.master):
                found.setdefault((link.name, pattern.place), WantedPlace(pattern, link))
    return list(found.values())


def planned_attachments(specs: Iterable[AttachmentSpec]) -> list[Attachment]:
    """The attachments that a ruleset states, one by one; those by policy as they would be now."""
    specs = list(specs)
    patterns = [
        AttachmentPattern(spec.iface, spec.place, spec.mode, "") for spec in specs if spec.by_policy
    ]
    found = [spec for spec in specs if not spec.by_policy]
    if patterns:
        found += [one.spec for one in wanted_places(patterns, all_links())]
    return [Attachment.planned(spec) for spec in found]


def wanting(
    patterns: Iterable[AttachmentPattern], row: Attachment, links: Sequence[BriefLink]
) -> list[AttachmentPattern]:
    """The patterns that want the interface of an attachment attached there."""
    masters = {link.name: link.master for link in links}
    return [
        one
        for one in patterns
        if one.place == row.place and one.matches(row.iface, masters.get(row.iface))
    ]


def gone_members(
    attacher: Attacher,
    patterns: Iterable[AttachmentPattern],
    rows: Iterable[Attachment],
    links: Sequence[BriefLink],
) -> list[Attachment]:
    """The attachments that patterns made and whose interface has left: deleted, or moved to another network
    namespace, also where another has its name now. One that was renamed has not."""
    names, indexes = {link.name: link.index for link in links}, {link.index for link in links}
    found = []
    for row in rows:
        now = names.get(row.iface)
        if now == row.index or not is_member(patterns, row):
            continue
        # Renamed, or back with another index, and our program on it.
        index = row.index if row.index in indexes else now
        there = None if index is None else attacher.find(index, row.place)
        if there is None or not there.ours:
            found.append(row)
    return found


def is_member(patterns: Iterable[AttachmentPattern], row: Attachment) -> bool:
    """Whether a pattern made the attachment, which therefore goes with its interface."""
    return any(one.place == row.place and row.iface in one.members for one in patterns)


def why_not_attached(attacher: Attacher, place: WantedPlace) -> tuple[str, bool]:
    """Why an interface that is wanted has no program of ours: the kernel's word, or that nobody was there
    to attach it; and whether it could have one."""
    try:
        attacher.check(place.spec, place.link.index)
    except XdpwallError as error:
        return error.message, error.code not in NEVER
    words = f"not attached yet: the service attaches it, or xdpwall appeared {place.link.name}"
    return words, True


def why_none(pattern: AttachmentPattern) -> str:
    """Why a pattern has no interface at the moment."""
    if pattern.selector.startswith(PORTS):
        return f"{pattern.selector.removeprefix(PORTS)} has no ports at the moment"
    if pattern.is_name:
        return f"there is no interface called {pattern.selector}"
    return "no interface has such a name at the moment"
