"""Attachments by policy in an `apply`: the interfaces that they stand for now, and what is recorded of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from xdpwall.attach.wanted import WantedPlace, all_links, is_member, wanted_places
from xdpwall.errors import XdpwallError
from xdpwall.instance.instance import Instance
from xdpwall.ruleset.attachment import AttachmentSpec
from xdpwall.ruleset.attachment_pattern import AttachmentPattern
from xdpwall.values.author import Author

from .patterns import find_pattern


@dataclass(frozen=True, slots=True)
class PatternPlan:
    """What becomes of the attachments by policy."""

    specs: tuple[AttachmentSpec, ...] | None
    """The attachments of the ruleset, interface by interface; None leaves those there are."""
    patterns: tuple[AttachmentPattern, ...]
    """Afterwards."""
    coming: tuple[AttachmentPattern, ...] = ()
    leaving: tuple[AttachmentPattern, ...] = ()
    fresh: tuple[WantedPlace, ...] = ()
    """The interfaces that they attach at once."""

    @property
    def changes(self) -> bool:
        """Whether any comes or leaves."""
        return bool(self.coming or self.leaving)

    def record(self, instance: Instance, *, by: Author) -> None:
        """Write them to disk, when all else is done."""
        if self.specs is None or self.patterns == instance.store.read().patterns:
            return
        words = [f"attach {one.words}" for one in self.coming]
        words += [f"detach {one.words}" for one in self.leaving]
        instance.store.attachments.set_patterns(
            self.patterns,
            by=by if words else None,
            action=", ".join(words),
            now=instance.clock.now_text(),
        )


def plan_patterns(instance: Instance, wanted: Sequence[AttachmentSpec] | None) -> PatternPlan:
    """Plan for the attachments of a ruleset. An interface that matches and cannot be attached is left out:
    `status` says why."""
    before = instance.store.read().patterns
    if wanted is None:
        return PatternPlan(None, before)
    asked = [spec for spec in wanted if spec.by_policy]
    if not asked:
        return PatternPlan(tuple(wanted), (), (), before)
    specs = [spec for spec in wanted if not spec.by_policy]
    stated = {(spec.iface, spec.place) for spec in specs}
    rows = {(row.iface, row.place): row for row in instance.attachments}
    patterns = [_pattern(instance, before, spec) for spec in asked]
    members: dict[str, set[str]] = {one.words: set(one.members) for one in patterns}
    fresh: list[WantedPlace] = []
    for place in wanted_places(patterns, all_links()):
        if place.key in stated:
            continue
        stated.add(place.key)
        if place.key in rows:
            specs.append(place.spec)
        elif _attachable(instance, place.spec, place.link.index):
            fresh.append(place)
        else:
            continue
        members[place.pattern.words].add(place.link.name)
    # What has been attached stays, also when it matches no more.
    specs += [
        row.spec for key, row in rows.items() if key not in stated and is_member(patterns, row)
    ]
    named = {(spec.iface, spec.place) for spec in wanted}
    after = tuple(
        one.with_members(
            name for name in members[one.words] if one.is_name or (name, one.place) not in named
        )
        for one in patterns
    )
    known = {(one.selector, one.place, one.mode, one.hold) for one in before}
    kept = {(one.selector, one.place) for one in after}
    return PatternPlan(
        tuple(specs),
        after,
        tuple(one for one in after if (one.selector, one.place, one.mode, one.hold) not in known),
        tuple(one for one in before if (one.selector, one.place) not in kept),
        tuple(fresh),
    )


def _pattern(
    instance: Instance, before: Sequence[AttachmentPattern], spec: AttachmentSpec
) -> AttachmentPattern:
    known = find_pattern(before, spec)
    mode = spec.mode if spec.hook == "xdp" else None
    if known is not None and (known.mode, known.hold) == (mode, spec.hold):
        return known
    members = frozenset[str]() if known is None else known.members
    since = instance.clock.now_text()
    return AttachmentPattern(spec.iface, spec.place, mode, since, members, spec.hold)


def _attachable(instance: Instance, spec: AttachmentSpec, index: int) -> bool:
    try:
        instance.attacher.check(spec, index)
    except XdpwallError:
        return False
    return True
