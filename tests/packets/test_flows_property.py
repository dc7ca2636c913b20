"""Random packets of random flows, with time moved on: the programs and the reference tracker agree."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.kernel.dataplane import KernelBench
from tests.support.kernel.flows import Flows
from tests.support.oracle.flows.packets import (
    ACK,
    FIN,
    GRE,
    ICMP,
    ICMPV6,
    IGMP,
    PSH,
    RST,
    SCTP,
    SYN,
    TCP,
    UDP,
    FlowPacket,
)
from tests.support.oracle.flows.tracker import TrackedRule, Tracker
from xdpwall.rule.states import STATES
from xdpwall.ruleset.policy import Policy
from xdpwall.values.terms import Place

FAMILIES: tuple[Literal[4, 6], ...] = (4, 6)
ADDRESSES = {4: ("10.0.0.1", "10.0.0.2"), 6: ("2001:db8::1", "2001:db8::2")}
FLAGS = (SYN, SYN | ACK, ACK, ACK | PSH, FIN | ACK, RST, RST | ACK, FIN, SYN | FIN, 0)
COUNTED = [f"count state {state}" for state in STATES]
RULESETS: dict[str, tuple[list[str], list[TrackedRule], Policy, dict[bool, tuple[bool, bool]]]] = {
    "host": (
        ["accept state established,related", "accept tcp/22 keep", "accept tcp/80"],
        [
            TrackedRule("accept", states=frozenset(("established", "related"))),
            TrackedRule("accept", lambda p: (p.proto, p.dport) == (TCP, 22), keep=True),
            TrackedRule("accept", lambda p: (p.proto, p.dport) == (TCP, 80)),
        ],
        Policy(ingress="drop", egress="accept keep"),
        {False: (False, False), True: (True, True)},
    ),
    "stateless in front": (
        ["accept tcp/80", "drop state not new,established", "accept udp keep", "count state new"],
        [
            TrackedRule("accept", lambda p: (p.proto, p.dport) == (TCP, 80)),
            TrackedRule("drop", states=frozenset(("related", "invalid", "untracked"))),
            TrackedRule("accept", lambda p: p.proto == UDP, keep=True),
            TrackedRule("count", states=frozenset(("new",))),
        ],
        Policy(ingress="accept keep", egress="accept"),
        {False: (True, True), True: (True, False)},
    ),
}
PLACES: tuple[Place, ...] = ("xdp", "tc-ingress", "tc-egress")


@st.composite
def packets(draw: st.DrawFn) -> FlowPacket:
    """A packet of one of few flows."""
    family = draw(st.sampled_from(FAMILIES))
    src, dst = draw(st.permutations(ADDRESSES[family]))
    icmp = ICMP if family == 4 else ICMPV6
    proto = draw(st.sampled_from((TCP, TCP, TCP, TCP, UDP, UDP, icmp, icmp, SCTP, GRE, IGMP)))
    changes: dict[str, Any] = {}
    if proto in (TCP, UDP, SCTP):
        ports = [draw(st.sampled_from((22, 80))), 40000]
        changes["sport"], changes["dport"] = ports if draw(st.booleans()) else ports[::-1]
    if proto == TCP:
        changes["flags"] = draw(st.sampled_from(FLAGS))
        changes["seq"] = draw(st.sampled_from((99, 2**32 - 1)))
        changes["ack"] = draw(st.sampled_from((100, 0, 99, 100 + 256 * 1024, 101 + 256 * 1024)))
    if proto == icmp:
        kinds = (8, 8, 0, 0, 3, 11, 5, 13) if family == 4 else (128, 128, 129, 129, 1, 2, 4, 135)
        changes["icmp_type"] = draw(st.sampled_from(kinds))
        changes["ident"] = draw(st.sampled_from((0, 7)))
    if draw(st.integers(0, 9)) == 0:
        changes["fragment"] = draw(st.sampled_from(("first", "later")))
        changes["datagram"] = draw(st.integers(1, 2))
    if draw(st.integers(0, 30)) == 0:
        dst = src
    return FlowPacket(family, proto, src, dst, **changes)


@st.composite
def steps(draw: st.DrawFn) -> FlowPacket | int:
    """A packet, or seconds that go by."""
    if draw(st.integers(0, 7)) == 0:
        return draw(st.sampled_from((6, 20, 60, 150, 400, 5000)))
    packet = draw(packets())
    is_error = packet.is_icmp and packet.icmp_type in ((3, 11) if packet.family == 4 else (1, 2, 4))
    if is_error and draw(st.integers(0, 5)):
        quote = draw(packets().filter(lambda p: p.family == packet.family))
        packet = replace(packet, quote=quote, dst=quote.src if draw(st.booleans()) else packet.dst)
    return packet


@pytest.mark.parametrize("name", RULESETS)
@pytest.mark.parametrize("counting", [False, True])
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_same_verdict_same_state_same_table(
    bench: KernelBench, name: str, counting: bool, data: st.DataObject
) -> None:
    sentences, rules, policy, policies = RULESETS[name]
    front = [TrackedRule("count", states=frozenset((state,))) for state in STATES]
    wanted = [*COUNTED, *sentences] if counting else sentences
    if [rule.text for rule in bench.rules] != wanted:
        bench.load(wanted, policy)
    flows = Flows(bench.dataplane)
    flows.flush()
    tracker = Tracker([*front, *rules] if counting else rules, policies)
    whole: dict[tuple[object, ...], FlowPacket] = {}
    for step in data.draw(st.lists(st.one_of(steps()), min_size=1, max_size=40)):
        if isinstance(step, int):
            seconds = step
            while any(abs(f.deadline - tracker.now - seconds) < 4 for f in tracker.flows.values()):
                seconds += 5
            tracker.move(seconds)
            flows.age(seconds)
            continue
        packet = step
        if packet.fragment != "none":
            where = (packet.src, packet.dst, packet.datagram, packet.family)
            if packet.fragment == "first":
                whole[(*where, packet.proto if packet.family == 4 else 0)] = packet
            else:
                first = whole.get((*where, packet.proto if packet.family == 4 else 0))
                if first is None:
                    continue
                packet = replace(first, fragment="later")
        place = data.draw(st.sampled_from(PLACES))
        flows.hold()
        judged = tracker.judge(packet, egress=place == "tc-egress")
        found = bench.judge(place, packet.frame(extension=data.draw(st.integers(0, 5)) == 0))
        assert (not found.dropped, found.counted) == (judged.passes, judged.counted), packet
        flows.hold()
        assert flows.listed() == {
            key: (f.replied, len(f.fins), f.reset, f.assured, f.picked_up)
            for key, f in tracker.flows.items()
        }, packet
        for key, left in flows.remaining().items():
            assert abs(tracker.flows[key].deadline - tracker.now - left) < 4, packet
