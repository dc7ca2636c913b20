"""Types of a few words: hook, direction, mode, verdict, place."""

from __future__ import annotations

from typing import Literal

Counts = tuple[int, int]
"""(packets, bytes)"""

Hook = Literal["xdp", "tc"]
Direction = Literal["ingress", "egress"]
Mode = Literal["native", "generic"]
WantedMode = Literal["auto", "native", "generic"]
Verdict = Literal["accept", "drop"]
Place = Literal["xdp", "tc-ingress", "tc-egress"]
"""An attachment's key within one interface: hook and direction in one word."""


def hook_of(place: Place) -> Hook:
    """The hook of a place."""
    return "xdp" if place == "xdp" else "tc"


def direction_of(place: Place) -> Direction:
    """The direction that a place sees."""
    return "egress" if place == "tc-egress" else "ingress"
