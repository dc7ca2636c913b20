"""The first rule whose state is the packet's decides, in rulesets of every shape that the programs know apart."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from tests.support.kernel.dataplane import KernelBench
from tests.support.kernel.flows import Flows
from tests.support.oracle.flows.packets import ACK, ICMP, TCP, UDP, FlowPacket
from xdpwall.ruleset.policy import Policy
from xdpwall.values.terms import Place

STATES = ("accept state established in", "accept state related in")
MANY = [f"drop tcp/{1000 + n} from 192.0.{n}.0/24" for n in range(100)]
FRONTS: Mapping[str, list[str]] = {
    "a direction and a port": ["accept tcp/22 in keep"],
    "counting": ["count udp", "count state invalid", "accept tcp/22 in keep"],
    "a rate behind a state": ["count state related in limit 1000/s", "accept udp/5353 in"],
    "more than a word": MANY,
    "more than a word, and rates": ["drop tcp/22 over 6/m burst 6 per src", *MANY],
    "an expiry": ["drop tcp/22 for 1h", "accept tcp/23 keep in"],
}
HERE, THERE = "10.0.0.1", "10.0.0.2"
ASKED = FlowPacket(4, UDP, HERE, THERE, 4000, 53)
ERROR = FlowPacket(4, ICMP, "10.0.0.254", HERE, icmp_type=11, quote=ASKED)
INGRESS: tuple[Place, ...] = ("xdp", "tc-ingress")


@pytest.mark.parametrize("front", FRONTS)
def test_the_state_decides(bench: KernelBench, front: str) -> None:
    """One rule for each state, so that one of them does not match and the next must be found."""
    rules = [*FRONTS[front], *STATES]
    bench.load(rules, Policy(ingress="drop", egress="accept keep"))
    Flows(bench.dataplane).flush()
    for place in INGRESS:
        assert bench.run(place, ERROR.frame())
        assert bench.run(place, ASKED.back().frame())
    assert not bench.run("tc-egress", ASKED.frame())
    for place in INGRESS:
        found = bench.judge(place, ASKED.back().frame())
        assert not found.dropped and rules.index(STATES[0]) in found.counted
        found = bench.judge(place, ERROR.frame())
        assert not found.dropped and rules.index(STATES[1]) in found.counted
        assert bench.run(place, FlowPacket(4, TCP, THERE, HERE, 53, 4000, ACK).frame())
        assert bench.run(place, FlowPacket(4, UDP, THERE, HERE, 54, 4000).frame())
