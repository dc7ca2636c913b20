"""Attachments that are wanted wherever an interface matches: `veth*`, `ports:docker0`, a name that may come. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace

from xdpwall.rule.fields import parse_iface_name
from xdpwall.values.inputs import parse_text
from xdpwall.values.terms import Direction, Hook, Place, WantedMode, direction_of, hook_of

PORTS = "ports:"
"""In front of the name of a bridge, bond or other master: its ports."""


def is_pattern(text: str) -> bool:
    """Whether it may stand for several interfaces: with a `*`, or `ports:` in front."""
    return "*" in text or text.startswith(PORTS)


def parse_selector(field: str, value: object) -> str:
    """A name, a name with `*` in it, or `ports:` and the name of a master. InvalidInput."""
    text = parse_text(field, value, "the name of an interface")
    parse_iface_name(field, text.removeprefix(PORTS))
    return text


def matches(selector: str, name: str, master: str | None) -> bool:
    """Whether an interface is meant; `master` is the bridge or bond that it is a port of."""
    if selector.startswith(PORTS):
        return master == selector.removeprefix(PORTS)
    if "*" not in selector:
        return selector == name
    first, *between, last = selector.split("*")
    at, end = len(first), len(name) - len(last)
    if end < at or not (name.startswith(first) and name.endswith(last)):
        return False
    for part in between:  # the leftmost place of each leaves most room for the next
        found = name.find(part, at, end)
        if found < 0:
            return False
        at = found + len(part)
    return True


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
