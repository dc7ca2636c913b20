"""Advice about flows: what is said is shown by the reference tracker, and what is well is not spoken of."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Any

import pytest

from tests.support.oracle.flows.packets import ACK, SYN, TCP, FlowPacket
from tests.support.oracle.flows.tracker import Judged, TrackedRule, Tracker
from tests.support.oracle.reference.judge import Attachment, matches
from tests.unit.check.support import as_read
from xdpwall.check.flow_advice import FlowFinding, flow_findings
from xdpwall.check.members import Members
from xdpwall.check.witness import Witness
from xdpwall.firewall.flow_advice import MOST_WARNED, advice_warnings
from xdpwall.rule.rule import Rule
from xdpwall.rule.states import STATES, state_bits
from xdpwall.ruleset.policy import Policy

NOBODY = Members({})
HOST = Policy(ingress="drop", egress="accept keep")
KEPT = "accept state established,related"


class Host:
    """A reference tracker that judges by rules, in both directions."""

    def __init__(self, rules: Sequence[Rule], policy: Policy) -> None:
        self._rules = rules
        by = {False: policy.ingress, True: policy.egress}
        policies = {egress: (v != "drop", v == "accept keep") for egress, v in by.items()}
        self.tracker = Tracker([], policies)

    def judge(self, packet: FlowPacket, *, egress: bool) -> Judged:
        where = Attachment("eth9", "egress" if egress else "ingress")
        self.tracker.rules = [_tracked(rule, where) for rule in self._rules]
        return self.tracker.judge(packet, egress=egress)


def _tracked(rule: Rule, where: Attachment) -> TrackedRule:
    states = None
    if rule.state is not None:
        bits = state_bits(rule.state)
        states = frozenset(name for n, name in enumerate(STATES) if bits >> n & 1)
    return TrackedRule(
        rule.action,
        lambda packet: matches(rule, as_read(packet), where) is not None,
        states,
        rule.keep,
    )


def packet_of(witness: Witness, **changes: Any) -> FlowPacket:
    """The packet of a witness, from one host to another."""
    six = witness.kind == "ipv6"
    ends = ("2001:db8::1", "2001:db8::2") if six else ("198.51.100.1", "198.51.100.2")
    fields: dict[str, Any] = {
        "family": 6 if six else 4,
        "proto": witness.proto,
        "src": ends[0],
        "dst": ends[1],
        "sport": witness.sport or 0,
        "dport": witness.dport or 0,
        "flags": witness.tcp_flags or 0,
        "icmp_type": witness.icmp_type or 0,
        "ident": 7,
    }
    return FlowPacket(**fields | changes)


def answer_to(asks: FlowPacket) -> FlowPacket:
    if asks.proto == TCP:
        return asks.back(flags=SYN | ACK)
    return asks.back(icmp_type={8: 0, 128: 129}.get(asks.icmp_type, 0))


def shown(rules: Sequence[Rule], policy: Policy, one: FlowFinding) -> bool:
    """Whether the reference shows what the finding says."""
    assert one.witness is not None
    host = Host(rules, policy)
    packet, egress = packet_of(one.witness), one.witness.direction == "egress"
    if one.advice == "drops-cookies":
        without = [rule for n, rule in enumerate(rules) if n != one.rule]
        dropped = not host.judge(packet, egress=egress).passes
        return dropped and Host(without, policy).judge(packet, egress=egress).passes
    asked = host.judge(packet, egress=egress)
    if one.advice == "forged-flows":
        made = len(host.tracker.flows)
        host.judge(answer_to(packet), egress=not egress)
        return asked.passes and len(host.tracker.flows) == made + 1
    if one.advice == "no-flow":
        answered = host.judge(answer_to(packet), egress=not egress).passes
        # With keep the answer would have come.
        if one.by_policy:
            way: dict[str, Any] = {one.witness.direction: "accept keep"}
            mended = Host(rules, policy.model_copy(update=way))
        else:
            kept = [
                r.model_copy(update={"keep": n == one.rule or r.keep}) for n, r in enumerate(rules)
            ]
            mended = Host(kept, policy)
        mended.judge(packet, egress=egress)
        return (
            asked.passes
            and not answered
            and mended.judge(answer_to(packet), egress=not egress).passes
        )
    assert one.answer is not None
    answer = packet.back(
        src="198.51.100.77" if packet.family == 4 else "2001:db8::77",
        sport=one.answer.sport or 4000,
        dport=one.answer.dport or packet.sport,
    )
    return asked.passes and not host.judge(answer, egress=not egress).passes


def draw_rules(random: Random) -> list[Rule]:
    rules = []
    for _ in range(random.randint(2, 7)):
        fields: dict[str, Any] = {"action": random.choice(("drop", "accept", "accept", "accept"))}
        proto = random.choice((None, "tcp", "tcp", "udp", "udp", "icmp", "icmpv6"))
        if proto is not None:
            fields["proto"] = proto
        if proto in ("tcp", "udp"):
            for name in ("sport", "dport"):
                if random.random() < 0.4:
                    fields[name] = random.choice(("53", "67", "67", "!53"))
        if random.random() < 0.5:
            fields["direction"] = random.choice(("ingress", "egress"))
        if random.random() < 0.4:
            names = random.sample(STATES, random.randint(1, 3))
            fields["state"] = ",".join(names)
        if fields["action"] == "accept" and random.random() < 0.3:
            fields["keep"] = True
        rules.append(Rule.parse(fields))
    return rules


def test_what_is_said_is_so() -> None:
    random, said = Random(3), set[str]()
    for _ in range(400):
        rules = draw_rules(random)
        verdicts: tuple[Any, ...] = ("accept", "drop", "drop", "accept keep")
        policy = Policy(ingress=random.choice(verdicts), egress=random.choice(verdicts))
        for one in flow_findings(rules, policy, NOBODY):
            said.add(one.advice)
            assert shown(rules, policy, one), (one, [rule.text for rule in rules], policy)
    assert said == {"drops-cookies", "forged-flows", "no-flow", "elsewhere"}


@pytest.mark.parametrize(
    ("policy", "sentences", "found"),
    [
        (HOST, ["accept tcp/80,443 in", KEPT, "accept icmp/echo-request in limit 20/s"], []),
        (HOST, ["drop state invalid", "accept tcp/80 in"], [(0, "drops-cookies", [1])]),
        (HOST, ["accept tcp/80 in", "drop state invalid"], []),
        (HOST, ["drop state invalid", "accept tcp/80 in keep", KEPT], []),
        (HOST, ["drop tcp/81 state invalid", "accept tcp/80 in"], []),
        (HOST, ["drop state new", "accept tcp/80 in"], []),
        (Policy(), ["drop state invalid"], [(0, "drops-cookies", [])]),
        (HOST, ["accept udp/53 in"], [(0, "forged-flows", [])]),
        (HOST, ["accept udp/53 in", "accept udp sport 53 out"], []),
        (HOST, ["accept udp/53 from 10.0.0.0/8 in"], []),
        (HOST, ["accept udp/68 in", "accept udp/546 sport 547 in"], []),
        (Policy(ingress="drop"), ["accept udp/53 in", "accept out keep"], [(0, "forged-flows", [1])]),
        (HOST, ["accept udp/123 out", KEPT], [(0, "no-flow", [1])]),
        (HOST, ["accept udp/123 out keep", KEPT], []),
        (HOST, ["accept udp/123 out", "accept udp sport 123 in", KEPT], []),
        (HOST, ["accept udp/123 out"], []),
        (HOST, ["accept icmp/echo-request", KEPT], [(0, "no-flow", [1])]),
        (HOST, ["accept tcp/443", KEPT], []),
        (HOST, ["accept tcp/443 out", KEPT], [(0, "no-flow", [1])]),
        (HOST, ["accept udp sport 67 dport 68", KEPT], []),
        (Policy(ingress="drop"), ["accept tcp/22 in", KEPT], [(1, "no-flow", [])]),
        (HOST, ["accept udp/67 out keep", KEPT], [(0, "elsewhere", [])]),
        (HOST, ["accept udp/67 out keep", "accept udp/68 sport 67 in", KEPT], []),
        (HOST, ["accept udp/5353 to 224.0.0.251 out keep"], [(0, "elsewhere", [])]),
        (HOST, ["accept udp/9999 to 255.255.255.255 out keep"], [(0, "elsewhere", [])]),
        (Policy(), ["accept udp/67 out keep"], []),
        (Policy(), ["accept udp/53"], []),
    ],
)  # fmt: skip
def test_each_warning(
    policy: Policy, sentences: list[str], found: list[tuple[int, str, list[int]]]
) -> None:
    rules = [Rule.parse(one) for one in sentences]
    said = flow_findings(rules, policy, NOBODY)
    assert [(one.rule, one.advice, list(one.because)) for one in said] == found


def test_the_words_name_the_cure() -> None:
    def said(policy: Policy, *sentences: str, about: str | None = None) -> str:
        rules = [Rule.parse(one).with_id(f"r{n}") for n, one in enumerate(sentences, 1)]
        found = advice_warnings(rules, policy, None if about is None else {about})
        return " / ".join(found)

    assert said(HOST, "accept udp/53,123 to 10.0.0.1 in").endswith(
        "xdpwall rule add accept udp from 10.0.0.1 sport 53,123 out"
    )
    assert said(Policy(ingress="drop"), KEPT).endswith("xdpwall policy set egress accept keep")
    assert "rule r2 (accept tcp/80 in)" in said(HOST, "drop state invalid", "accept tcp/80 in")
    assert "accept udp/68 sport 67 in" in said(HOST, "accept udp/67 out keep")
    # A change tells of what it is a part of.
    order = ("drop state invalid", "accept tcp/80 in", "accept udp/123 out", KEPT)
    assert said(HOST, *order, about="r2").count("rule r1: drops what rule r2") == 1
    assert said(HOST, *order, about="r3").startswith("rule r3: makes and refreshes no flow")
    assert " / " in said(HOST, *order, about="r4") or "rule r3" in said(HOST, *order, about="r4")
    many = [f"accept udp/{port} out" for port in range(1, 40)]
    assert said(HOST, *many, KEPT).count(" / ") == MOST_WARNED
    assert said(HOST, *many, KEPT).endswith("... and 27 more about flows: xdpwall check")
