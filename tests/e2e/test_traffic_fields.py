"""Every match field, hit and missed by real packets, on every way through the wall.

The rules and frames are those of the test-run table (tests/packets/test_fields.py), sent over real
cables through a service that was told the rules by REST. Each case is one ruleset: count what the
rule is about, then drop it. What must arrive arrives, what must not does not, and both rules have
counted exactly the hits, packets and bytes.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.packets.test_fields import CASES, HIT4, HIT6, Case
from tests.support.net.route import Route

TAGS = (0x8100, 0x88A8)
OF_RULES = {
    "disabled": Case("udp disabled", [], [HIT4, HIT6]),
    "expired": Case("udp until 2020-01-01T00:00:00Z", [], [HIT4, HIT6]),
    "not yet expired": Case("udp for 10m", [HIT4, HIT6], []),
}
ALL = {name: case for name, case in {**CASES, **OF_RULES}.items() if " at " not in name}
"""Without "in at egress" and its like: "in" is sent on every way."""

SEEN: dict[str, Callable[[int | None], bool]] = {
    "vlan 100": lambda vlan: vlan == 100,
    "vlan none": lambda vlan: vlan is None,
    "vlan not 100": lambda vlan: vlan != 100,
}


def tagged(frame: bytes) -> bool:
    """Whether the frame begins with a VLAN tag."""
    return int.from_bytes(frame[12:14], "big") in TAGS


def vlan_below_outer(frame: bytes) -> int | None:
    """The tag that is left in the frame when the outer one was taken off."""
    rest = frame[4:] if tagged(frame) else frame
    return int.from_bytes(rest[14:16], "big") & 0xFFF if tagged(rest) else None


def judged_length(way: Route, frame: bytes) -> int:
    """What the attachment counts: the kernel takes the outer tag off before all but native XDP."""
    return len(frame) - (4 if tagged(frame) and way.way != "xdp-native" else 0)


@pytest.mark.parametrize("name", ALL)
def test_field(way: Route, name: str) -> None:
    case = ALL[name]
    hits, misses = case.hits, case.misses
    if way.place not in case.places:
        hits, misses = [], case.hits
    if way.way == "xdp-generic" and case.rule in SEEN:
        # The outer tag stands beside the frame, where XDP cannot see it; the answers warn of it.
        both = [*case.hits, *case.misses]
        hits = [frame for frame in both if SEEN[case.rule](vlan_below_outer(frame))]
        misses = [frame for frame in both if frame not in hits]
    before = way.totals()
    way.rules([f"count {case.rule}", f"drop {case.rule}"])
    batch = [*hits, *misses]
    assert way.send(batch) == list(range(len(hits), len(batch)))
    listed = way.listed()
    size = sum(judged_length(way, frame) for frame in hits)
    assert [(one["packets"], one["bytes"]) for one in listed] == [(len(hits), size)] * 2
    after = way.totals()
    assert after.dropped.packets - before.dropped.packets == len(hits)
    assert after.passed.packets - before.passed.packets == len(misses) + 1, "and the last frame"
    assert after.errors.packets == 0
