"""Attachments that are wanted wherever an interface matches: `veth*`, `ports:docker0`, a name that may come. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace

from xdpwall.rule.iface_selector import is_pattern, matches
from xdpwall.values.terms import Direction, Hook, Place, WantedMode, direction_of, hook_of


@dataclass(frozen=True, slots=True)
class AttachmentPattern:
    """One attachment by policy: wanted until it is detached, in place wherever an interface matches."""

    selector: str
    place: Place
    mode: WantedMode | None
    """XDP only."""
    since: str
    members: frozenset[str] = frozenset()
    """The interfaces that it has attached, or is about to; those of them without a row are not."""
    hold: bool = False
    """Whether the service puts a program back that somebody took off."""

    @property
    def is_name(self) -> bool:
        """Whether it is about one interface, which may not exist yet (`--if-present`)."""
        return not is_pattern(self.selector)

    @property
    def hook(self) -> Hook:
        """xdp or tc."""
        return hook_of(self.place)

    @property
    def direction(self) -> Direction:
        """ingress or egress."""
        return direction_of(self.place)

    @property
    def words(self) -> str:
        """As answers name it: "veth* xdp"."""
        return f"{self.selector} {self.place}"

    def matches(self, name: str, master: str | None) -> bool:
        """Whether it wants the interface."""
        return matches(self.selector, name, master)

    def with_members(self, members: Iterable[str]) -> AttachmentPattern:
        """The same, with these members."""
        return replace(self, members=frozenset(members))


def patterns_to_json(patterns: Iterable[AttachmentPattern]) -> str:
    """As they are stored."""
    return json.dumps(
        [
            {
                "selector": one.selector,
                "place": one.place,
                "mode": one.mode,
                "since": one.since,
                "members": sorted(one.members),
                "hold": one.hold,
            }
            for one in patterns
        ]
    )


def parse_patterns(text: str) -> tuple[AttachmentPattern, ...]:
    """From what patterns_to_json() wrote. ValueError, TypeError, KeyError for anything else."""
    return tuple(
        AttachmentPattern(
            one["selector"],
            one["place"],
            one["mode"],
            one["since"],
            frozenset(one["members"]),
            one.get("hold", False),
        )
        for one in json.loads(text)
    )
