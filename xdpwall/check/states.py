"""States that no packet of a kind can be in, as boxes without frames (space.py). Pure.

Two packets are in a state that their kind excludes elsewhere: one whose two endpoints are the same is
`invalid` whatever its protocol, which is why that state is ruled out of no protocol with ports.
"""

from __future__ import annotations

from typing import Literal

from xdpwall.rule.states import STATES

from .dimension import Spans, runs_of

_ECHO = {"ipv4": (8, 0), "ipv6": (128, 129)}
"""ICMP types of an echo request and of its reply."""
_ERRORS: dict[str, tuple[int, ...]] = {"ipv4": (3, 11, 12), "ipv6": (1, 2, 3, 4)}
"""Judged by what they quote."""
_BAD: dict[str, tuple[int, ...]] = {"ipv4": (4, 5), "ipv6": ()}
"""Source quench and redirect."""
_IGMP = 2


def impossible_states(
    family: Literal["ipv4", "ipv6"], *, fragments: bool
) -> list[dict[str, Spans]]:
    """Boxes of fields and states that go together in no packet; `fragments`: that field counts too."""
    icmp = 1 if family == "ipv4" else 58
    own = {icmp, _IGMP} if family == "ipv4" else {icmp}
    boxes: list[dict[str, Spans]] = [
        {
            "proto": runs_of(number for number in range(256) if number not in own),
            "state": _without("new", "established", "invalid"),
        }
    ]
    if family == "ipv4":
        boxes.append({"proto": ((_IGMP, _IGMP),), "state": _without("untracked")})
    request, reply = _ECHO[family]
    kinds: list[tuple[tuple[int, ...], Spans]] = [
        ((request,), _without("new", "established")),
        ((reply,), _without("established", "invalid")),
        (_ERRORS[family], _without("related", "invalid")),
        (_BAD[family], _without("invalid")),
    ]
    told = {number for types, _ in kinds for number in types}
    kinds.append((tuple(n for n in range(256) if n not in told), _without("untracked")))
    for types, states in kinds:
        if types:
            boxes.append({"proto": ((icmp, icmp),), "icmp": _of_types(types), "state": states})
    if fragments:  # what a later one quotes is in the first
        later = {"fragment": ((2, 2),), "state": _only("related")}
        boxes.append({"proto": ((icmp, icmp),), **later})
    return boxes


def _only(*names: str) -> Spans:
    return runs_of(n for n, name in enumerate(STATES) if name in names)


def _without(*names: str) -> Spans:
    return runs_of(n for n, name in enumerate(STATES) if name not in names)


def _of_types(types: tuple[int, ...]) -> Spans:
    return tuple((first << 8, last << 8 | 0xFF) for first, last in runs_of(types))
