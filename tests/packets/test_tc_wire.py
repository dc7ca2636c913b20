"""Random frames over real cables: what a test-run refuses, and packets that are not linear."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from tests.support.oracle.duel.case import Case, Step
from tests.support.oracle.duel.duel import runnable
from tests.support.oracle.reference.judge import Ruling, judge
from tests.support.packets import frames as f
from tests.support.packets.wire.bench import WireBench
from tests.support.packets.wire.draw import draw_wire_case
from tests.support.packets.wire.match import WireMatch
from tests.support.packets.wire.taps import stamped
from xdpwall.rule.rule import Rule
from xdpwall.ruleset.policy import Policy
from xdpwall.values.terms import Place

SEED = 20_261_121


@pytest.mark.parametrize("paged", [False, True], ids=["linear", "paged"])
@pytest.mark.parametrize(("place", "cases"), [("tc-ingress", 8), ("tc-egress", 8), ("xdp", 4)])
def test_random_frames(wire: WireBench, place: Place, cases: int, paged: bool) -> None:
    match = WireMatch(wire)
    reached: Counter[str] = Counter()
    for seed in range(SEED, SEED + cases):
        case = draw_wire_case(seed, place)
        for number, ruling in enumerate(match.run(case, paged=paged)):
            if ruling is None:
                reached["dropped by the kernel"] += 1
                continue
            reached["refused by a test-run"] += not runnable(case.steps[number])
            reached["malformed"] += ruling.malformed
            reached["dropped" if ruling.dropped else "passed"] += 1
            linear = wire.taps[number].linear
            reached["headers beyond the linear part"] += linear == 14 < ruling.packet.size
    wanted = ["dropped", "passed", "malformed"]
    if place != "xdp":
        wanted += ["refused by a test-run"] + ["headers beyond the linear part"] * paged
    assert {name: reached[name] for name in wanted if reached[name] < 10 * cases} == {}


def test_the_kernel_takes_no_frame_without_an_ethernet_header(wire: WireBench) -> None:
    """Which is why nothing here is about frames of under 14 bytes."""
    with pytest.raises(OSError, match="Invalid argument"):
        wire.wires["tc-ingress"].send(f.ether(f.arp())[:13])


def test_a_planted_fault_is_found(wire: WireBench) -> None:
    """Were the tag beside the frame overlooked, the comparison would tell."""

    def blind(*args: Any, **named: Any) -> Ruling:
        return judge(*args, **{**named, "stripped": None})

    rule = Rule.parse("drop udp vlan 100")
    case = Case((rule,), Policy(), (Step("tc-egress", stamped(f.ether(f.ipv4(f.udp())), 0, 100)),))
    WireMatch(wire).run(case)
    with pytest.raises(AssertionError, match="went on 0 times and not 1"):
        WireMatch(wire, blind).run(case)
