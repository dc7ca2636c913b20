"""Floods at the flow table: what they may make of it, and what not. FLOWS_FLOOD (packets)
and FLOWS_MINUTES (of simulated time): make test-flows has more of both."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from typing import Literal

import numpy as np
import pytest

from tests.support.kernel.dataplane import KernelBench
from tests.support.kernel.flows import Flows
from tests.support.kernel.packet_flood import PacketFlood, Spoofed
from tests.support.oracle.flows.packets import (
    ACK,
    FIN,
    ICMP,
    ICMPV6,
    RST,
    SYN,
    TCP,
    UDP,
    FlowPacket,
)
from xdpwall.dataplane.flow_maps import ASSURED
from xdpwall.dataplane.flow_table import FAMILIES
from xdpwall.ruleset.policy import Policy

Family = Literal[4, 6]
FLOOD = int(os.environ.get("FLOWS_FLOOD", "400000"))
MINUTES = int(os.environ.get("FLOWS_MINUTES", "4"))
PLACES = 262_144
KEPT = 32_768
"""An eighth of the table: so few that no bucket of 16 is full of them, once in 100,000 runs."""
HOST, WORLD = {4: "10.9.0.1", 6: "fd00:9::1"}, {4: "10.0.0.0", 6: "fd00:8::"}
RULES = ("accept tcp/22 in keep", "accept udp/53 in keep", "accept state established,related")
FRIENDS, STRANGERS = Spoofed(seed=1), Spoofed(seed=2)
TO_FRIENDS = Spoofed(side="dst", seed=1)


class Siege:
    """A table with flows of friends."""

    def __init__(self, bench: KernelBench, flood: PacketFlood, family: Family) -> None:
        self.bench, self.flood, self.family = bench, flood, family
        self.flows = Flows(bench.dataplane)

    def tcp(self, flags: int, *, seq: int = 0, ack: int = 0) -> FlowPacket:
        """From the world to the host's port 22; addresses and ports of the world are written anew."""
        return FlowPacket(
            self.family, TCP, WORLD[self.family], HOST[self.family], 0, 22, flags, seq, ack
        )

    def befriend(self, count: int = KEPT) -> None:
        """So many connections, past their handshakes."""
        self.flood.send("xdp", self.tcp(SYN, seq=99), count, FRIENDS)
        answer = self.tcp(SYN).back(flags=SYN | ACK, seq=499, ack=100)
        self.flood.send("tc-egress", answer, count, TO_FRIENDS)
        self.flood.send("xdp", self.tcp(ACK, seq=100, ack=500), count, FRIENDS)
        assert self.assured() == count

    def udp(self) -> FlowPacket:
        """From the world to the host's port 53."""
        return FlowPacket(self.family, UDP, WORLD[self.family], HOST[self.family], 0, 53)

    def open(self, port: int) -> bool:
        """A connection of the host's, among 1,000 strangers a round trip, others each time."""
        syn = FlowPacket(
            self.family, TCP, HOST[self.family], WORLD[self.family], port, 443, SYN, seq=99
        )
        for turn in range(6):  # as often as TCP sends it
            assert not self.bench.run("tc-egress", syn.frame())
            self.flood.send("xdp", self.tcp(SYN), 1000, Spoofed(seed=103 + turn))
            if not self.bench.run("xdp", syn.back(flags=SYN | ACK, seq=499, ack=100).frame()):
                ack = replace(syn, flags=ACK, seq=100, ack=500)
                return not self.bench.run("tc-egress", ack.frame())
        return False

    def assured(self) -> int:
        """Live flows of TCP past its handshake."""
        family = FAMILIES[self.family == 6]
        places = self.flows.table.live(family, self.bench.dataplane.control.jiffies())
        word = self.flows.table._flows(family)["rest"]["ports_meta"][places]
        return int(np.count_nonzero(word >> np.uint64(8) & np.uint64(ASSURED)))

    def made(self) -> int:
        return self.counts()["made"]

    def counts(self) -> dict[str, int]:
        return self.flows.table.counts()

    def picture(self) -> bytes:
        """All that is remembered, but for how many packets it were."""
        family = FAMILIES[self.family == 6]
        flows = self.flows.table._flows(family).copy()
        flows["rest"]["packets"] = 0
        return self.flows.table._words(family).tobytes() + flows.tobytes()


@pytest.fixture(params=[4, 6])
def siege(bench: KernelBench, request: pytest.FixtureRequest) -> Iterator[Siege]:
    bench.load(RULES, Policy(ingress="drop", egress="accept keep"))
    with PacketFlood(bench) as flood:
        made = Siege(bench, flood, request.param)
        made.flows.flush()
        yield made


def test_spoofed_syns_push_out_no_connection(siege: Siege) -> None:
    """Idle ones, at that: a table of the kernel's that forgets what was used least loses all of them."""
    siege.befriend()
    before = siege.counts()
    siege.flood.send("xdp", siege.tcp(SYN), FLOOD, STRANGERS)
    after = siege.counts()
    assert after["made"] - before["made"] >= 0.99 * FLOOD
    assert after["evicted_tcp"] > before["evicted_tcp"]
    assert siege.assured() == KEPT
    # They are not only there: each is still found.
    siege.flows.grow_older(40)
    assert (
        siege.assured()
        == KEPT
        == len(siege.flows.table.live(FAMILIES[siege.family == 6], _now(siege)))
    )
    rule = siege.bench.counters()[0][0]
    siege.flood.send("tc-egress", siege.tcp(0).back(flags=ACK, seq=500, ack=100), KEPT, TO_FRIENDS)
    assert siege.counts()["made"] == after["made"]
    siege.flood.send("xdp", siege.tcp(ACK, seq=100, ack=500), KEPT, FRIENDS)
    assert siege.bench.counters()[0][0] - rule == KEPT
    assert siege.counts()["made"] == after["made"]


@pytest.mark.parametrize(
    "flags", [ACK, RST, RST | ACK, SYN | ACK, FIN, FIN | ACK, 0, SYN | FIN, FIN | 8 | 32]
)
def test_segments_of_nothing_make_nothing(siege: Siege, flags: int) -> None:
    """Neither at the rule that keeps, nor where a state is asked for."""
    siege.befriend(1000)
    before, picture, count = siege.counts(), siege.picture(), FLOOD // 20
    closed = siege.tcp(flags, ack=500)
    siege.flood.send("xdp", replace(closed, dport=80), count, STRANGERS)
    assert siege.bench.totals("xdp").policy_dropped.packets >= count
    siege.flood.send("xdp", closed, count, STRANGERS)
    after = siege.counts()
    assert after["invalid"] - before["invalid"] == 2 * count
    assert after["made"] == before["made"]
    assert siege.picture() == picture


def test_forged_resets_are_taken_back(siege: Siege) -> None:
    """Of exactly the right addresses and ports: what the host ignores must not end a flow."""
    siege.befriend(1000)
    siege.flood.send("xdp", siege.tcp(RST, seq=7), 1000, FRIENDS)
    assert {flow.state for flow in siege.flows.flows()} == {"closed"}
    assert all(flow.expires <= 11 for flow in siege.flows.flows())
    siege.flood.send("tc-egress", siege.tcp(0).back(flags=ACK, seq=500, ack=100), 1000, TO_FRIENDS)
    flows = siege.flows.flows()
    assert {(flow.state, flow.assured) for flow in flows} == {("established", True)}
    assert all(flow.expires > 7990 for flow in flows)


def test_forged_errors_change_nothing(siege: Siege) -> None:
    """About flows that are there, or not: no flow is made, refreshed or ended by an error."""
    siege.befriend(1000)
    siege.flows.age(4000)
    host, four = HOST[siege.family], siege.family == 4
    sent = siege.tcp(0).back(flags=ACK)
    error = FlowPacket(
        siege.family, ICMP if four else ICMPV6, "192.0.2.1" if four else "2001:db8::1", host,
        icmp_type=3 if four else 1, quote=sent,
    )  # fmt: skip
    picture, before = siege.picture(), siege.counts()
    # Of the quoted packet the destination is written anew.
    start = 14 + (20 if four else 40) + 8
    quoted = _Quoted(start)
    rule = siege.bench.counters()[2][0]
    for sequence, related in ((1, True), (3, False)):
        siege.flood.send("xdp", error, 1000, quoted.of(sequence))
        assert siege.bench.counters()[2][0] - rule == 1000, related
    after = siege.counts()
    assert after["made"] == before["made"]
    assert after["invalid"] - before["invalid"] == 1000
    assert siege.picture() == picture


class _Quoted:
    """The destination of what an error quotes."""

    def __init__(self, start: int) -> None:
        self._start = start

    def of(self, seed: int) -> Spoofed:
        start = self._start

        class Inner(Spoofed):
            def offsets(self, packet: FlowPacket) -> tuple[int, int]:
                return start + TO_FRIENDS.offsets(packet)[0] - 14, start + TO_FRIENDS.offsets(
                    packet
                )[1] - 14

        return Inner(side="dst", seed=seed)


def test_full_for_long(siege: Siege) -> None:
    """Every minute more strangers than there is room for, by TCP and UDP. Those who are at home stay, idle
    or not, and whoever comes anew gets in, if need be by sending his SYN again."""
    siege.befriend(1000)
    for minute in range(MINUTES):
        siege.flood.send("xdp", siege.tcp(SYN), 150_000, Spoofed(seed=100 + minute % 3))
        siege.flood.send("xdp", siege.udp(), 150_000, STRANGERS)
        assert siege.open(5000 + minute)
        if minute % 2:
            siege.flood.send("xdp", siege.tcp(ACK, seq=100, ack=500), 500, FRIENDS)
        siege.flows.age(60)
        assert siege.assured() == 1000 + minute + 1
    assert siege.counts()["evicted_tcp"] and siege.counts()["evicted_udp"]


def test_the_newest_is_not_the_next_to_go(siege: Siege) -> None:
    """In a full table of flows that came within one second, a stranger to each bucket pushes out any."""
    siege.flood.send("xdp", siege.tcp(SYN), 2 * PLACES, STRANGERS)
    siege.flood.send("xdp", siege.tcp(SYN), 1000, Spoofed(seed=3))
    siege.flows.end_at_once()
    siege.flood.send("xdp", siege.tcp(SYN), PLACES // 16, Spoofed(seed=4))
    established, made = siege.bench.counters()[2][0], siege.made()
    answer = siege.tcp(SYN).back(flags=SYN | ACK, seq=499, ack=100)
    siege.flood.send("tc-egress", answer, 1000, Spoofed(side="dst", seed=3))
    assert siege.made() == made
    # A sixteenth of them is gone; of those that came last it would be two thirds.
    assert siege.bench.counters()[2][0] - established > 800


def _now(siege: Siege) -> int:
    return siege.bench.dataplane.control.jiffies()
