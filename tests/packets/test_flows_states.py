"""State x packet: each case of the semantics by name, at both hooks, for both families."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Literal

import pytest

from tests.support.kernel.dataplane import KernelBench
from tests.support.kernel.flows import Flows
from tests.support.oracle.flows.packets import (
    ACK,
    FIN,
    GRE,
    ICMP,
    ICMPV6,
    IGMP,
    RST,
    SCTP,
    SYN,
    TCP,
    UDP,
    FlowPacket,
)
from tests.support.packets import frames as f
from xdpwall.rule.states import STATES
from xdpwall.ruleset.policy import Policy
from xdpwall.values.terms import Place

Family = Literal[4, 6]
HERE, THERE = {4: "10.0.0.1", 6: "2001:db8::1"}, {4: "10.0.0.2", 6: "2001:db8::2"}
LOCAL: Mapping[Family, tuple[str, str]] = {
    4: ("169.254.0.1", "169.254.0.2"),
    6: ("fe80::1", "fe80::2"),
}
ERROR, ECHO, REPLY = {4: 3, 6: 1}, {4: 8, 6: 128}, {4: 0, 6: 129}


def out(family: Family, proto: int, **more: int) -> FlowPacket:
    """A packet from here to there."""
    ports = (40000, 80) if proto in (TCP, UDP, SCTP) else (0, 0)
    packet = FlowPacket(family, proto, HERE[family], THERE[family], *ports)
    return replace(packet, **more)  # type: ignore[arg-type]


def icmp(family: Family, kind: int, **more: object) -> FlowPacket:
    """ICMP of the family, from there to here."""
    proto = ICMP if family == 4 else ICMPV6
    packet = FlowPacket(family, proto, THERE[family], HERE[family], icmp_type=kind)
    return replace(packet, **more)  # type: ignore[arg-type]


def error(family: Family, about: FlowPacket, kind: int | None = None) -> FlowPacket:
    return icmp(family, ERROR[family] if kind is None else kind, quote=about)


Case = Callable[[Family], tuple[list[FlowPacket], FlowPacket]]
"""What went out before, by a policy that keeps, and the packet that comes in."""
SYN_ACK = {"flags": SYN | ACK, "seq": 499, "ack": 100}
CASES: Mapping[str, tuple[Case, str]] = {
    "SYN": (lambda v: ([], out(v, TCP, flags=SYN).back()), "new"),
    "SYN with ECE and CWR": (lambda v: ([], out(v, TCP, flags=SYN | 0xC0).back()), "new"),
    "SYN-ACK nobody asked for": (lambda v: ([], out(v, TCP, **SYN_ACK).back()), "invalid"),
    "ACK": (lambda v: ([], out(v, TCP, flags=ACK).back()), "invalid"),
    "RST": (lambda v: ([], out(v, TCP, flags=RST).back()), "invalid"),
    "FIN": (lambda v: ([], out(v, TCP, flags=FIN).back()), "invalid"),
    "no flags": (lambda v: ([], out(v, TCP, flags=0).back()), "invalid"),
    "SYN-ACK": (
        lambda v: ([out(v, TCP, flags=SYN)], out(v, TCP).back(**SYN_ACK)),
        "established",
    ),
    "reset of a SYN": (
        lambda v: ([out(v, TCP, flags=SYN)], out(v, TCP).back(flags=RST | ACK)),
        "established",
    ),
    "SYN-ACK to another port": (
        lambda v: ([out(v, TCP, flags=SYN, sport=40001)], out(v, TCP).back(**SYN_ACK)),
        "invalid",
    ),
    "a picked-up connection's segment": (
        lambda v: ([out(v, TCP, flags=ACK)], out(v, TCP).back(flags=ACK)),
        "established",
    ),
    "UDP": (lambda v: ([], out(v, UDP).back()), "new"),
    "UDP answer": (lambda v: ([out(v, UDP)], out(v, UDP).back()), "established"),
    "UDP from another port": (lambda v: ([out(v, UDP)], out(v, UDP).back(sport=81)), "new"),
    "SCTP answer": (lambda v: ([out(v, SCTP)], out(v, SCTP).back()), "established"),
    "GRE answer": (lambda v: ([out(v, GRE)], out(v, GRE).back()), "established"),
    "GRE": (lambda v: ([], out(v, GRE).back()), "new"),
    "ping": (lambda v: ([], icmp(v, ECHO[v])), "new"),
    "ping answer nobody asked for": (lambda v: ([], icmp(v, REPLY[v])), "invalid"),
    "ping answer": (
        lambda v: (
            [icmp(v, ECHO[v], src=HERE[v], dst=THERE[v], ident=0)],
            icmp(v, REPLY[v], ident=0),
        ),
        "established",
    ),
    "ping answer of another one": (
        lambda v: (
            [icmp(v, ECHO[v], src=HERE[v], dst=THERE[v], ident=5)],
            icmp(v, REPLY[v], ident=6),
        ),
        "invalid",
    ),
    "ping the other way": (
        lambda v: (
            [icmp(v, ECHO[v], src=HERE[v], dst=THERE[v], ident=0)],
            icmp(v, ECHO[v], ident=0),
        ),
        "new",
    ),
    "error about UDP": (lambda v: ([out(v, UDP)], error(v, out(v, UDP))), "related"),
    "error about TCP": (
        lambda v: ([out(v, TCP, flags=SYN)], error(v, out(v, TCP, flags=SYN))),
        "related",
    ),
    "error about a ping": (
        lambda v: (
            [icmp(v, ECHO[v], src=HERE[v], dst=THERE[v], ident=5)],
            error(v, icmp(v, ECHO[v], src=HERE[v], dst=THERE[v], ident=5)),
        ),
        "related",
    ),
    "error about nothing": (lambda v: ([], error(v, out(v, UDP))), "invalid"),
    "error about somebody else's packet": (
        lambda v: ([out(v, UDP)], error(v, out(v, UDP).back())),
        "invalid",
    ),
    "error about an error": (
        lambda v: ([out(v, UDP)], error(v, error(v, out(v, UDP)).back())),
        "invalid",
    ),
    "error about a later fragment": (
        lambda v: ([out(v, UDP)], error(v, replace(out(v, UDP), fragment="later"))),
        "invalid",
    ),
    "error without a quote": (lambda v: ([out(v, UDP)], icmp(v, ERROR[v])), "invalid"),
    "redirect": (
        lambda v: ([out(v, UDP)], error(v, out(v, UDP), {4: 5, 6: 137}[v])),
        "redirect",
    ),
    "router solicitation": (lambda v: ([], icmp(v, {4: 10, 6: 133}[v])), "untracked"),
    "IGMP, or protocol 2": (lambda v: ([], out(v, IGMP).back()), "igmp"),
    "ICMP of the other family": (
        lambda v: ([], out(v, ICMPV6 if v == 4 else ICMP).back()),
        "new",
    ),
    "from an endpoint to itself": (
        lambda v: ([], replace(out(v, UDP, sport=80), dst=HERE[v])),
        "invalid",
    ),
    "link-local answer": (
        lambda v: (
            [replace(out(v, UDP), src=LOCAL[v][0], dst=LOCAL[v][1])],
            replace(out(v, UDP), src=LOCAL[v][0], dst=LOCAL[v][1]).back(),
        ),
        "established",
    ),
}
BY_FAMILY = {"redirect": {4: "invalid", 6: "untracked"}, "igmp": {4: "untracked", 6: "new"}}
COUNTED = [f"count state {state}" for state in STATES]
INGRESS: tuple[Place, ...] = ("xdp", "tc-ingress")


@pytest.fixture(scope="module")
def counting(bench: KernelBench) -> KernelBench:
    """States are counted; what goes out makes flows, what comes in makes none and changes none."""
    bench.load([*COUNTED, "drop in"], Policy(ingress="drop", egress="accept keep"))
    return bench


def state_of(bench: KernelBench, place: Place, frame: bytes) -> str | None:
    counted = [n for n in bench.judge(place, frame).counted if n < len(STATES)]
    assert len(counted) < 2
    return STATES[counted[0]] if counted else None


@pytest.mark.parametrize("shape", ["plain", "extension headers", "vlan"])
@pytest.mark.parametrize("place", INGRESS)
@pytest.mark.parametrize("family", [4, 6])
@pytest.mark.parametrize("case", CASES)
def test_state(counting: KernelBench, case: str, family: Family, place: Place, shape: str) -> None:
    make, wanted = CASES[case]
    before, packet = make(family)
    Flows(counting.dataplane).flush()
    extension = shape == "extension headers"
    vlan = 7 if shape == "vlan" else None
    for one in before:
        assert not counting.run("tc-egress", one.frame(extension=extension, vlan=vlan))
    found = state_of(counting, place, packet.frame(extension=extension, vlan=vlan))
    assert found == BY_FAMILY.get(wanted, {}).get(family, wanted)


@pytest.mark.parametrize("place", INGRESS)
@pytest.mark.parametrize("action", ["accept", "drop", "count"])
def test_what_cannot_be_read_matches_drop_alone(
    bench: KernelBench, action: str, place: Place
) -> None:
    cut = (
        f.ether(f.ipv4(f.raw(6, b"\0" * 3))),
        f.ether(f.ipv4(f.raw(6, b"\0" * 8))),  # ports, but no flags
        f.ether(f.ipv4(f.raw(17, b"\0" * 3))),
        f.ether(f.ipv4(f.raw(1, b"\x08"))),
        f.ether(f.ipv4(f.raw(1, b"\x08\0\0\0"))),  # an echo without its identifier
        f.ether(f.ipv4(f.udp(), words=4)),
        f.ether(f.ipv6(f.raw(6, b"\0" * 3))),
        f.ether(f.ipv6(f.raw(58, b"\x80\0\0\0"))),
        f.ether(f.ipv6(f.raw(0, b"\x06"))),
    )
    policy = Policy(ingress="accept" if action == "drop" else "drop")
    for sentence in ("state new", "state not new", "state established,invalid"):
        bench.load([f"{action} {sentence}"], policy)
        Flows(bench.dataplane).flush()
        for frame in cut:
            assert bench.run(place, frame), (sentence, frame.hex())
        assert not Flows(bench.dataplane).flows()


@pytest.mark.parametrize("place", INGRESS)
def test_other_frames_have_no_state(bench: KernelBench, place: Place) -> None:
    bench.load(["drop state not established"])
    for frame in (f.ether(f.arp(), pad=60), f.ether(f.llc())):
        assert not bench.run(place, frame)
