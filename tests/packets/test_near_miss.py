"""The field that differs: exact for every rule, and changing it makes the rule match."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from ipaddress import ip_address
from typing import Any

import pytest

from tests.support.kernel.dataplane import NUMBERS, PLACES, KernelBench
from tests.support.oracle.duel.draw import draw_case
from tests.support.oracle.duel.duel import runnable
from xdpwall.errors import InvalidInput
from xdpwall.explain.classifier import InForce
from xdpwall.explain.frame import Frame, build_frame
from xdpwall.explain.near_miss import differences, nearest, packet_of
from xdpwall.explain.words import AskedPacket, read_packet
from xdpwall.rule.match import VLAN_NONE, match_of
from xdpwall.rule.rule import Rule
from xdpwall.ruleset.policy import Policy
from xdpwall.values.terms import Place

SEED = 20_261_202
FRAMES = 1500
CHANGED = 1000


def no_sets(name: str, family: int, address: int) -> bool:
    raise AssertionError(name)


class Kept:
    """The classifier in force; loaded anew after the maps grew."""

    def __init__(self, bench: KernelBench) -> None:
        self._bench = bench
        self._maps: object = None
        self._made: InForce | None = None

    def get(self) -> InForce:
        maps = self._bench.dataplane.map_set
        if self._made is None or self._maps is not maps:
            self.close()
            numbers = {(self._bench.iface, place): NUMBERS[place] for place in PLACES}
            self._maps, self._made = maps, InForce(self._bench.dataplane, numbers)
        return self._made

    def close(self) -> None:
        if self._made is not None:
            self._made.close()


@pytest.fixture(scope="module")
def kept(bench: KernelBench) -> Iterator[Kept]:
    made = Kept(bench)
    yield made
    made.close()


def test_a_rule_matches_if_no_field_differs(bench: KernelBench, kept: Kept) -> None:
    """Every rule in front of the decision either matched, or is told with what differs."""
    seen, seed = Counter[str](), SEED
    while seen["frames"] < FRAMES:
        seed += 1
        case = draw_case(seed)
        bench.load(case.rules, case.policy)
        classifier = kept.get()
        for step in filter(runnable, case.steps):
            frame = Frame(step.frame, len(step.frame))
            answer = classifier.run(frame, bench.iface, step.place)
            packet = packet_of(answer.record, bench.iface, step.place == "tc-egress")
            matched = {rule.slot for rule in answer.matched}
            end = len(case.rules) if answer.by is None else answer.by.slot
            for index, rule in enumerate(case.rules[:end]):
                if not rule.enabled or rule.expires is not None:
                    continue
                differ = differences(rule, packet, no_sets)
                assert bool(differ) != (index in matched), (
                    f"seed {seed}: {rule.text}\n{packet}\n{differ}"
                )
                seen.update(one.field for one in differ)
            seen["frames"] += 1
            seen.update(f"unreadable {name}" for name in packet.unreadable())
    wanted = ("family", "src", "dst", "proto", "sport", "dport", "tcp_flags", "vlan", "length")
    assert all(seen[name] > 20 for name in (*wanted, "unreadable dport", "unreadable proto")), seen


POOL = {
    "from": ("10.0.0.1", "10.0.0.0/8", "!10.0.0.0/8", "192.0.2.9", "2001:db8::/32"),
    "to": ("10.0.0.1", "10.1.0.0/16", "2001:db8::2"),
    "sport": ("40000", "1-1023", "!53"),
    "dport": ("22", "80-90,443", "!22"),
    "flags": ("syn/syn,ack", "ack", "none/rst"),
    "vlan": ("5", "none", "!5"),
    "length": ("1-100", "1000-1400"),
    "ttl": ("1", "64-255"),
}
PACKETS = (
    "tcp/22 from 10.0.0.1 to 10.1.0.1",
    "tcp/80 from 10.0.0.1/53 to 10.0.0.1 vlan 5 flags syn,ack",
    "udp/22 from 192.0.2.9 to 10.0.0.1 length 1200 ttl 1",
    "udp/443 from 2001:db8::1 to 2001:db8::2",
    "tcp/23 from 2001:db8::1/100 to 2001:db8::2 flags rst ttl 1",
    "icmp/3/1 from 10.0.0.1 to 10.0.0.1",
    "icmpv6/echo-request from 2001:db8::1 to 2001:db8::2",
    "proto 89 from 10.0.0.1 to 10.1.0.1",
)


def draw_rule(rng: random.Random) -> Rule:
    """A rule on few fields."""
    while True:
        proto = rng.choice(
            ("", "tcp", "udp", "icmp", "icmp/8", "icmp/3/1", "icmpv6/128", "proto 89")
        )
        clauses = rng.sample(sorted(POOL), rng.randint(0, 3))
        words = [rng.choice(("drop", "accept", "count")), proto]
        words += [f"{name} {rng.choice(POOL[name])}" for name in clauses]
        words += rng.choice((["in"], ["out"], [], [], []))
        try:
            return Rule.parse(" ".join(words))
        except InvalidInput:
            continue


def change(packet: AskedPacket, field: str, rule: Rule) -> AskedPacket | None:
    """The packet with one field as the rule wants it; None: that field is no single change."""
    match = match_of(rule)
    changes: dict[str, Any]
    if field in ("src", "dst"):
        negated, prefix = getattr(match, field)
        usual = int(ip_address("172.16.5.5" if prefix.family == 4 else "fd00::5"))
        changes = {field: usual if negated else prefix.address}
    elif field in ("sport", "dport"):
        negated, ranges = getattr(match, field)
        changes = {field: 50_000 if negated else ranges[0][0]}
    elif field == "vlan":
        assert match.vlan is not None
        negated, number = match.vlan
        changes = {"vlan": None if number == VLAN_NONE or negated else number}
        if negated and number == VLAN_NONE:
            changes = {"vlan": 7}
    elif field == "tcp_flags":
        assert match.tcp_flags is not None and packet.tcp_flags is not None
        want, mask = match.tcp_flags
        changes = {"tcp_flags": packet.tcp_flags & ~mask | want}
    elif field in ("ttl", "length"):
        span = getattr(match, field)
        changes = {field: max(span[0], 60) if field == "length" else span[0]}
    elif field in ("icmp_type", "icmp_code"):
        changes = {field: getattr(match, field)}
    elif field == "direction":
        changes = {"direction": rule.direction}
    else:
        return None
    return replace(packet, **changes)


def test_changing_the_field_that_differs_makes_the_rule_match(
    bench: KernelBench, kept: Kept
) -> None:
    rng, changed, decided = random.Random(SEED), Counter[str](), 0
    while sum(changed.values()) < CHANGED:
        rules = [draw_rule(rng) for _ in range(12)]
        bench.load(rules, Policy())
        classifier = kept.get()
        for text in PACKETS:
            packet = replace(read_packet(text), direction=rng.choice(("ingress", "egress")))
            place: Place = rng.choice(PLACES[:2])
            if packet.direction == "egress":
                place = "tc-egress"
            answer = classifier.run(build_frame(packet), bench.iface, place)
            read = packet_of(answer.record, bench.iface, place == "tc-egress")
            end = len(rules) if answer.by is None else answer.by.slot
            took_part = {rule.slot for rule in answer.matched}
            before = [(n, r) for n, r in enumerate(rules[:end]) if n not in took_part]
            for near in nearest(before, read, no_sets, len(rules)):
                if len(near.differs) > 1:
                    continue
                field = near.differs[0].field
                other = change(packet, field, rules[near.index])
                if other is None:
                    continue
                there = place
                if field == "direction":
                    there = "tc-egress" if other.direction == "egress" else "xdp"
                then = classifier.run(build_frame(other), bench.iface, there)
                decider = len(rules) if then.by is None else then.by.slot
                matched = {rule.slot for rule in then.matched}
                assert near.index in matched or decider < near.index, (
                    f"{text}: {field} as in {rules[near.index].text}\n{then}"
                )
                changed[field] += 1
                decided += decider == near.index
    wanted = ("src", "dst", "sport", "dport", "vlan", "tcp_flags", "ttl", "length", "icmp_type")
    assert all(changed[name] > 5 for name in (*wanted, "direction")), changed
    assert decided > CHANGED // 4
