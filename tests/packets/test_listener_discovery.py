"""Multicast listener discovery lives under a drop policy; what only looks like it does not."""

from __future__ import annotations

import pytest

from tests.support.kernel.dataplane import PLACES, Judgement, KernelBench
from tests.support.packets import frames as f
from tests.support.packets.listener import ALMOST, CUT, LISTENER
from xdpwall.ruleset.policy import Policy
from xdpwall.values.terms import Place

DROP = Policy(ingress="drop", egress="drop")
JUDGE = Policy(ingress="drop", egress="drop", neighbor_discovery="judge")
ACCEPTED = LISTENER | CUT


def tagged(frame: bytes) -> bytes:
    """The same in two VLANs."""
    inner = f.tag(f.tag(f.Layer(0x86DD, frame[14:]), 7), 100, ethertype=0x88A8)
    return f.ether(inner)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("name", ACCEPTED)
def test_it_is_accepted_unless_the_policy_says_judge(
    bench: KernelBench, name: str, place: Place
) -> None:
    for frame in (ACCEPTED[name], tagged(ACCEPTED[name]), ACCEPTED[name] + bytes(20)):
        bench.load(["count icmpv6"], DROP)
        assert bench.judge(place, frame) == Judgement(False, (0,))
        bench.load([], JUDGE)
        assert bench.run(place, frame)


@pytest.mark.parametrize("place", PLACES)
def test_rules_come_first(bench: KernelBench, place: Place) -> None:
    bench.load(["drop icmpv6/130", "accept icmpv6/131"], DROP)
    assert bench.judge(place, LISTENER["type 130"]) == Judgement(True, (0,))
    assert bench.judge(place, LISTENER["type 131"]) == Judgement(False, (1,))
    assert bench.judge(place, LISTENER["type 132"]) == Judgement(False, ())


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("name", ALMOST)
def test_what_only_looks_like_it_is_judged(bench: KernelBench, name: str, place: Place) -> None:
    bench.load([], DROP)
    dropped = bench.totals(place).policy_dropped.packets
    assert bench.run(place, ALMOST[name])
    assert bench.run(place, tagged(ALMOST[name]))
    assert bench.totals(place).policy_dropped.packets == dropped + 2
