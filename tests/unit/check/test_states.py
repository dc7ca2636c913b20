"""Rules with `state` and `keep`: against a world of packets in each state that the reference tracker finds them in."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from random import Random
from typing import Any

import pytest

from tests.support.oracle.flows.packets import ICMP, ICMPV6, SYN, TCP, UDP, FlowPacket
from tests.support.oracle.flows.tracker import TrackedRule, Tracker
from tests.support.oracle.reference.judge import Attachment, matches
from tests.support.oracle.reference.packet import Packet
from tests.unit.check.support import as_read
from xdpwall.check.findings import Fault, find_faults, outcome_of
from xdpwall.check.members import Members
from xdpwall.rule.rule import Rule
from xdpwall.rule.states import STATES, state_bits
from xdpwall.ruleset.policy import Policy

NOBODY = Members({})
WHERE = tuple(Attachment("eth9", direction) for direction in ("ingress", "egress"))
POLICIES = (Policy(), Policy(ingress="drop", egress="accept keep"), Policy(ingress="drop"))
ENDS = {4: ("10.0.0.1", "10.0.0.2"), 6: ("2001:db8::1", "2001:db8::2")}
ICMP_TYPES = {4: (0, 3, 5, 8, 11, 13), 6: (1, 2, 100, 128, 129)}
FLAGS = (2, 16, 18, 4, 17)
Kind = tuple[Any, ...]
"""What of a packet its possible states hang on, in the world of this file."""


def draw_packet(random: Random) -> FlowPacket:
    """Few endpoints, so that packets meet flows, and some are from an endpoint to itself."""
    family: Any = random.choice((4, 6))
    own = ICMP if family == 4 else ICMPV6
    src, dst = random.choice(ENDS[family]), random.choice(ENDS[family])
    proto = random.choice((TCP, TCP, UDP, own, own, 2, 47))
    ports: dict[str, Any] = {"sport": random.choice((22, 53)), "dport": random.choice((22, 53))}
    if proto == TCP:
        return FlowPacket(family, proto, src, dst, **ports, flags=random.choice(FLAGS))
    if proto == UDP:
        return FlowPacket(family, proto, src, dst, **ports)
    if proto != own:
        return FlowPacket(family, proto, src, dst)
    kind = random.choice(ICMP_TYPES[family])
    quote = FlowPacket(family, UDP, dst, src, **ports)
    return FlowPacket(family, proto, src, dst, icmp_type=kind, ident=1, quote=quote)


def kind_of(packet: FlowPacket) -> Kind:
    return packet.family, packet.proto, packet.flags, packet.icmp_type, packet.dport, packet.src


@functools.cache
def world() -> tuple[tuple[Packet, int, Attachment], ...]:
    """(packet, bit of its state, where), of each state that packets of its kind were met in."""
    random, found = Random(1), dict[tuple[Kind, int], FlowPacket]()
    tracker = Tracker([TrackedRule("accept", states=frozenset(STATES), keep=True)], {})
    tracker.policies = {False: (True, True), True: (True, True)}
    for _ in range(30_000):
        packet = draw_packet(random)
        state = tracker.state(packet)
        found.setdefault((kind_of(packet), STATES.index(state)), packet)
        tracker.judge(packet, egress=random.random() < 0.5)
        if random.random() < 0.02:
            tracker.move(random.choice((31, 9000)))
    return tuple(
        (as_read(packet), state, where) for (_, state), packet in found.items() for where in WHERE
    )


def draw_rules(random: Random) -> Iterator[Rule]:
    for _ in range(random.randint(2, 7)):
        fields: dict[str, Any] = {"action": random.choice(("drop", "accept", "accept", "count"))}
        proto = random.choice((None, None, "tcp", "tcp", "udp", "icmp", "icmpv6", 47, 2))
        if proto is not None:
            fields["proto"] = proto
        if proto in ("tcp", "udp") and random.random() < 0.5:
            fields["dport"] = random.choice(("22", "53", "0-65535", "!22"))
        if proto == "tcp" and random.random() < 0.4:
            fields["tcp_flags"] = random.choice(("syn/syn,ack,rst,fin", "ack/ack", "none/ack"))
        if proto == "icmp" and random.random() < 0.5:
            fields["icmp_type"] = random.choice((8, 0, 3, 13))
        if random.random() < 0.6:
            names = random.sample(STATES, random.randint(1, 4))
            fields["state"] = random.choice(("", "!")) + ",".join(names)
        if random.random() < 0.25:
            fields["direction"] = random.choice(("ingress", "egress"))
        if fields["action"] == "accept" and random.random() < 0.3:
            fields["keep"] = True
        yield Rule.parse(fields)


def hits_of(rules: Sequence[Rule], packet: Packet, state: int, where: Attachment) -> list[int]:
    return [
        n
        for n, rule in enumerate(rules)
        if (rule.state is None or state_bits(rule.state) >> state & 1)
        and matches(rule, packet, where)
    ]


@pytest.mark.parametrize("seed", range(60))
def test_against_every_packet_in_every_state(seed: int) -> None:
    """What is found is so, and what is so is found."""
    random = Random(seed)
    rules, policy = list(draw_rules(random)), random.choice(POLICIES)
    report = find_faults(rules, policy, NOBODY)
    found: dict[int, Fault] = {one.rule: one.fault for one in report.findings}
    assert not report.undecided
    reached, matters, met = set[int](), set[int](), set[int]()
    for packet, state, where in world():
        hits = hits_of(rules, packet, state, where)
        met.update(hits)
        acting = [n for n in hits if rules[n].action != "count"]
        ahead = acting[0] if acting else len(rules)
        reached.update(n for n in hits if n <= ahead)
        if acting:
            default = policy.egress if where.direction == "egress" else policy.ingress
            then = outcome_of(rules[acting[1]]) if acting[1:] else default
            if outcome_of(rules[acting[0]]) != then:
                matters.add(acting[0])
    for n, rule in enumerate(rules):
        fault = found.get(n)
        said = (n, fault, [one.text for one in rules], policy)
        if n not in met:
            assert fault == "impossible", said
        elif n not in reached:
            assert fault in ("shadowed", "equal", "contradiction"), said
        elif n in matters:
            assert fault is None, said
        elif rule.action != "count":
            assert fault == "redundant", said
        else:
            assert fault in (None, "equal"), said


def test_the_world_has_each_state() -> None:
    """Nothing is proved by a world in which nothing happens."""
    seen = {(packet.proto, state) for packet, state, _ in world()}
    assert {state for proto, state in seen if proto == TCP} == {0, 1, 3}
    assert {state for proto, state in seen if proto == ICMP} == {0, 1, 2, 3, 4}
    assert any(packet.tcp_flags == SYN and state == 1 for packet, state, _ in world())


@pytest.mark.parametrize(
    ("sentences", "fault"),
    [
        (["drop state new", "drop state established"], None),
        (["accept state established", "drop state established"], "contradiction"),
        (["accept tcp state new,established,invalid", "drop tcp"], "shadowed"),
        (["accept tcp/22", "accept tcp/22 keep"], "shadowed"),
        (["accept tcp/22 keep", "accept tcp/22 keep"], "equal"),
        (["accept tcp state related"], "impossible"),
        (["accept icmp/echo-request state invalid"], "impossible"),
        (["accept icmp/destination-unreachable fragment later state related"], "impossible"),
        (["drop tcp/22 over 6/m", "drop tcp/22 state new"], None),
        (["accept tcp/22 limit 6/m", "accept tcp/22 limit 7/m", "accept tcp/22 state new"], None),
    ],
)
def test_the_last_rule(sentences: list[str], fault: str | None) -> None:
    rules = [Rule.parse(one) for one in sentences]
    report = find_faults(rules, Policy(), NOBODY)
    assert {one.rule: one.fault for one in report.findings}.get(len(rules) - 1) == fault


@pytest.mark.parametrize(
    ("rule", "behind", "policy", "found"),
    [
        ("accept tcp/22", "accept tcp", Policy(ingress="drop", egress="drop"), True),
        ("accept tcp/22 keep", "accept tcp", Policy(ingress="drop", egress="drop"), False),
        ("accept tcp/22", "accept tcp keep", Policy(ingress="drop", egress="drop"), False),
        ("accept tcp/22 out", "count udp", Policy(egress="accept keep"), False),
        ("accept tcp/22 out keep", "count udp", Policy(egress="accept keep"), True),
        ("accept tcp/22 state new", "accept tcp", Policy(ingress="drop", egress="drop"), False),
        ("drop state invalid in", "count udp", Policy(ingress="drop"), True),
        ("drop state invalid in", "accept tcp/22", Policy(ingress="drop"), False),
    ],
)
def test_what_becomes_of_its_flow_counts(
    rule: str, behind: str, policy: Policy, found: bool
) -> None:
    rules = [Rule.parse(rule), Rule.parse(behind)]
    faults = [one for one in find_faults(rules, policy, NOBODY).findings if one.rule == 0]
    assert [one.fault for one in faults] == ["redundant"] * found
