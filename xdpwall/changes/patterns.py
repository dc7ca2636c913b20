"""Attachments by policy: put in place wherever an interface matches, and taken away when that leaves.

Once attached, an interface stays attached until it leaves or is detached, also when it matches no more
(it was renamed, or left the bridge): nothing is opened by itself. Members are recorded before they are
attached, so that a crash leaves none that nobody wants. Called with the instance's lock held.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace

from xdpwall.attach.interfaces import index_of
from xdpwall.attach.wanted import (
    NEVER,
    WantedPlace,
    all_links,
    gone_members,
    wanted_places,
    wanting,
    why_none,
)
from xdpwall.errors import Conflict, XdpwallError
from xdpwall.instance.instance import Instance
from xdpwall.kernel.net.link_list import BriefLink
from xdpwall.rule.iface_selector import is_pattern
from xdpwall.ruleset.attachment import Attachment, AttachmentSpec
from xdpwall.ruleset.attachment_pattern import AttachmentPattern
from xdpwall.values.author import Author
from xdpwall.values.terms import Direction, Hook

from .detach import detach_in_need, detach_interface
from .member_attach import attach_members


@dataclass(slots=True)
class MatchOutcome:
    """What attach_matching() has done."""

    attached: list[Attachment] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    """"veth1 xdp: why", of those that were tried."""
    left_out: list[str] = field(default_factory=list)
    """As `failed`, of interfaces that no program can filter."""


def attach_matching(
    instance: Instance,
    *,
    by: Author,
    only: Collection[str] | None = None,
    guarded: bool = False,
    attached: Callable[[Attachment], None] = lambda row: None,
) -> MatchOutcome:
    """Attach every interface that a pattern wants and that has no attachment there, or those of `only`; end
    the attachments of interfaces that have left. One that fails is told, and the others go on; but LockOut,
    with `guarded`, ends it. `attached` is called for each at once."""
    outcome = MatchOutcome()
    patterns = instance.store.read().patterns
    if not patterns:
        return outcome
    links = all_links()
    _end_gone(instance, patterns, links, by)
    there = {(row.iface, row.place) for row in instance.attachments}
    fresh = [one for one in wanted_places(patterns, links, only) if one.key not in there]
    if not fresh:
        return outcome
    outcome.attached, failed = attach_members(
        instance,
        fresh,
        guarded=guarded,
        by=by,
        attached=attached,
        patterns=_with_members(instance, fresh),
    )
    for one, error in failed.items():
        if error.code != "no-interface":  # else it has left again
            found = outcome.left_out if error.code in NEVER else outcome.failed
            found.append(f"{one.spec.iface} {one.spec.place}: {error.message}")
    return outcome


def want_pattern(
    instance: Instance, spec: AttachmentSpec, *, by: Author
) -> tuple[AttachmentPattern, bool, MatchOutcome]:
    """Want a pattern from now on, and attach what matches. Returns it, whether it is new, and what was
    attached. LockOut, with nothing changed, where that would cut off the author; Conflict "other-mode"."""
    before = instance.store.read().patterns
    known = find_pattern(before, spec)
    if known is not None and spec.mode not in ("auto", known.mode):
        raise Conflict(
            f"{known.words} is wanted in {known.mode} mode, {spec.mode} was asked for",
            code="other-mode",
            field="mode",
            value=spec.mode,
            hint=f"`xdpwall detach '{spec.iface}' --hook xdp` first, or ask for --mode auto",
        )
    if known is None:
        if not (spec.if_present or is_pattern(spec.iface)):
            index_of(spec.iface)  # a slip of the pen is no wish
        mode = spec.mode if spec.hook == "xdp" else None
        since = instance.clock.now_text()
        known = AttachmentPattern(spec.iface, spec.place, mode, since, hold=spec.hold)
        _record(instance, [*before, known], by, f"attach {known.words}")
    elif spec.hold and not known.hold:
        held = replace(known, hold=True)
        others = [one for one in before if one != known]
        _record(instance, [*others, held], by, f"hold {known.words}")
        known = held
    made: list[Attachment] = []
    try:
        outcome = attach_matching(instance, by=by, guarded=True, attached=made.append)
    except BaseException:
        for row in made:
            with suppress(XdpwallError):
                detach_interface(instance, row, by=by)
        _record(instance, before, by, f"{known.words}: not attached")
        raise
    now = find_pattern(instance.store.read().patterns, spec)
    assert now is not None
    return now, known not in before, outcome


def find_pattern(
    patterns: Sequence[AttachmentPattern], spec: AttachmentSpec
) -> AttachmentPattern | None:
    """The pattern of these words, None when it is not wanted."""
    same = (one for one in patterns if (one.selector, one.place) == (spec.iface, spec.place))
    return next(same, None)


def forget_patterns(instance: Instance, gone: Collection[AttachmentPattern], *, by: Author) -> None:
    """Want these no more; what they have attached is as if it had been attached by name."""
    if gone:
        words = ", ".join(one.words for one in gone)
        left = [one for one in instance.store.read().patterns if one not in gone]
        _record(instance, left, by, f"detach {words}")


def matching_patterns(
    patterns: Sequence[AttachmentPattern],
    selector: str | None,
    hook: Hook | None,
    direction: Direction | None,
) -> list[AttachmentPattern]:
    """Select patterns by their words, hook and direction; None is any."""
    return [
        one
        for one in patterns
        if selector in (None, one.selector)
        and hook in (None, one.hook)
        and direction in (None, one.direction)
    ]


def members_of(
    patterns: Collection[AttachmentPattern], rows: Sequence[Attachment]
) -> list[Attachment]:
    """The attachments that these patterns have made."""
    members = {(name, one.place) for one in patterns for name in one.members}
    return [row for row in rows if (row.iface, row.place) in members]


def check_not_wanted(
    instance: Instance, rows: Sequence[Attachment], gone: Collection[AttachmentPattern]
) -> None:
    """Conflict "wanted-by-pattern" where a pattern that stays would attach one of these again."""
    stay = [one for one in instance.store.read().patterns if one not in gone]
    if not stay:
        return
    links = all_links()
    for row in rows:
        if wants := wanting(stay, row, links):
            raise Conflict(
                f"{row.words} is wanted by the attachment {wants[0].words}, which would attach it again",
                code="wanted-by-pattern",
                field="iface",
                value=row.iface,
                hint=f"xdpwall detach '{wants[0].selector}' ends it for all that it matches",
            )


def own_by_name(instance: Instance, row: Attachment) -> None:
    """An interface that a pattern has attached was attached by name: it stays when the pattern goes."""
    patterns = instance.store.read().patterns
    now = tuple(
        one.with_members(one.members - {row.iface}) if one.place == row.place else one
        for one in patterns
        if not (one.is_name and (one.selector, one.place) == (row.iface, row.place))
    )
    if now != patterns:
        instance.store.attachments.set_patterns(now)


def unmatched(patterns: Sequence[AttachmentPattern], links: Sequence[BriefLink]) -> list[str]:
    """ "eth1 xdp: there is no interface called eth1", of each pattern that has none at the moment."""
    return [f"{one.words}: {why_none(one)}" for one in patterns if not wanted_places([one], links)]


def _end_gone(
    instance: Instance,
    patterns: Sequence[AttachmentPattern],
    links: Sequence[BriefLink],
    by: Author,
) -> None:
    """End the attachments of members that have left; a program that went with one is taken off there."""
    gone = gone_members(instance.attacher, patterns, instance.attachments, links)
    if gone:
        detach_in_need(instance, gone, by=by, why="the interface has gone")
        left = {(row.iface, row.place) for row in gone}
        instance.store.attachments.set_patterns(
            one.with_members(name for name in one.members if (name, one.place) not in left)
            for one in instance.store.read().patterns
        )


def _with_members(instance: Instance, fresh: Sequence[WantedPlace]) -> list[AttachmentPattern]:
    return [
        replace(
            one,
            members=one.members
            | {place.link.name for place in fresh if place.pattern.words == one.words},
        )
        for one in instance.store.read().patterns
    ]


def _record(
    instance: Instance, patterns: Sequence[AttachmentPattern], by: Author, action: str
) -> None:
    instance.store.attachments.set_patterns(
        patterns, by=by, action=action, now=instance.clock.now_text()
    )
