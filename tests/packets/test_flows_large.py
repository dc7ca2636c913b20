"""Ten thousand rules of each kind, half of them for states, against the reference: packets of flows between
the rules' addresses, at every hook, with time moved on. FLOWS_PACKETS: make test-flows has more."""

from __future__ import annotations

import os
from dataclasses import replace
from random import Random
from typing import Literal

import pytest

from tests.support.kernel.dataplane import PLACES, KernelBench
from tests.support.kernel.flows import Flows
from tests.support.oracle.classbench.generate import BOTH, ruleset
from tests.support.oracle.classbench.shapes import SHAPES, Kind
from tests.support.oracle.classbench.traffic import inside
from tests.support.oracle.flows.packets import (
    ACK,
    FIN,
    ICMP,
    ICMPV6,
    PSH,
    RST,
    SYN,
    TCP,
    FlowPacket,
)
from tests.support.oracle.flows.tracker import TrackedRule, Tracker
from tests.support.oracle.reference.columns import Columns
from tests.support.oracle.reference.decode import decode
from tests.support.oracle.reference.fast import matches_of
from tests.support.oracle.reference.judge import Attachment
from tests.support.oracle.reference.memory import FragmentMemory
from xdpwall.rule.match import match_of
from xdpwall.rule.rule import Rule
from xdpwall.rule.states import STATES
from xdpwall.ruleset.policy import Policy
from xdpwall.values.terms import Place

RULES, PACKETS = 10_000, int(os.environ.get("FLOWS_PACKETS", "2000"))
ACTIONS = {"accept": 0.5, "drop": 0.35, "count": 0.15}
FLAGS = (SYN, SYN | ACK, ACK, ACK, ACK | PSH, FIN | ACK, RST)
POLICY = Policy(ingress="accept keep", egress="accept keep")
Step = tuple[Place, FlowPacket]


def draw_rules(random: Random, kind: Kind, seed: int) -> list[Rule]:
    """Of ClassBench's kind; half ask for states, and half of those that accept keep."""
    made = []
    for fields in ruleset(kind, RULES, seed, families=BOTH, actions=ACTIONS):
        if random.random() < 0.5:
            fields["state"] = random.sample(STATES, random.randint(1, 3))
        if fields["action"] == "accept" and random.random() < 0.5:
            fields["keep"] = True
        made.append(Rule.parse(fields))
    return made


def draw_packet(random: Random, rules: list[Rule]) -> FlowPacket:
    """The first packet of a flow that some rule is about."""
    r = inside(random, match_of(random.choice(rules)))
    family: Literal[4, 6] = 4 if r.family == 4 else 6
    packet = FlowPacket(family, r.proto, r.src, r.dst, r.sport, r.dport, seq=99, ack=100)
    asks = 8 if r.family == 4 else 128
    return replace(
        packet, flags=SYN if r.proto == TCP else 0, icmp_type=asks if packet.is_icmp else 0, ident=7
    )


def draw_steps(random: Random, rules: list[Rule]) -> list[Step]:
    """Conversations that are mixed: the opener's side arrives, or leaves, and the other way round."""
    flows = [draw_packet(random, rules) for _ in range(PACKETS // 8)]
    arriving: dict[FlowPacket, bool] = {flow: random.random() < 0.5 for flow in flows}
    steps: list[Step] = []
    for _ in range(PACKETS):
        flow = random.choice(flows)
        back = random.random() < 0.5
        place: Place = random.choice(("xdp", "tc-ingress"))
        if arriving[flow] == back:
            place = "tc-egress"
        steps.append((place, later(random, flow, back)))
    return steps


def later(random: Random, flow: FlowPacket, back: bool) -> FlowPacket:
    """Some packet of a flow, or an error about it."""
    four = flow.family == 4
    if random.random() < 0.05:
        sent = flow.back() if back else flow
        kind = ICMP if four else ICMPV6
        return FlowPacket(
            flow.family, kind, sent.dst, sent.src, icmp_type=3 if four else 1, quote=sent
        )
    packet = flow.back() if back else flow
    if flow.proto == TCP:
        flags = random.choice(FLAGS)
        seq = 99 if back else 100
        return replace(packet, flags=flags, seq=seq, ack=100)
    if flow.is_icmp and back:
        return replace(packet, icmp_type=0 if four else 129)
    return packet


def tracked(rules: list[Rule]) -> Tracker:
    """The reference tracker of these rules; what they match is asked of the fast reference."""
    states = [None if rule.state is None else match_of(rule).state for rule in rules]
    return Tracker(
        [
            TrackedRule(
                rule.action,
                states=None
                if bits is None
                else frozenset(name for n, name in enumerate(STATES) if bits >> n & 1),
                keep=bool(rule.keep),
            )
            for rule, bits in zip(rules, states, strict=True)
        ],
        {False: (True, True), True: (True, True)},
    )


@pytest.mark.parametrize("kind", list(SHAPES))
def test_ten_thousand_rules(bench: KernelBench, kind: Kind) -> None:
    random = Random(f"{kind} {PACKETS}")
    rules = draw_rules(random, kind, seed=17)
    steps = draw_steps(random, rules)
    frames = [packet.frame() for _, packet in steps]
    memory = FragmentMemory()
    columns = Columns.of(memory.meet(decode(frame)) for frame in frames)
    among = {
        egress: matches_of(
            columns, rules, Attachment(bench.iface, "egress" if egress else "ingress")
        )
        for egress in (False, True)
    }
    bench.load(rules, POLICY)
    flows, tracker = Flows(bench.dataplane), tracked(rules)
    flows.flush()
    made = flows.table.counts()["made"]
    counted = [0] * len(rules)
    asked, dropped = 0, 0
    for number, ((place, packet), frame) in enumerate(zip(steps, frames, strict=True)):
        if number % 100 == 99:
            seconds = random.choice((6, 60, 150))
            while any(abs(f.deadline - tracker.now - seconds) < 4 for f in tracker.flows.values()):
                seconds += 1
            tracker.move(seconds)
            flows.age(seconds)
        egress = place == "tc-egress"
        judged = tracker.judge(packet, egress=egress, among=among[egress][number])
        assert bench.run(place, frame) is not judged.passes, (number, place, packet)
        asked += judged.state is not None
        dropped += not judged.passes
        for rule in judged.counted:
            counted[rule] += 1
    assert flows.listed() == {
        key: (f.replied, len(f.fins), f.reset, f.assured, f.picked_up)
        for key, f in tracker.flows.items()
    }
    assert [packets for packets, _ in bench.counters()] == counted
    # It was about something: states, drops, and flows.
    assert asked > 0.2 * PACKETS and dropped > 0.1 * PACKETS
    assert flows.table.counts()["made"] - made > PACKETS / 50
    assert {place for place, _ in steps} == set(PLACES)
