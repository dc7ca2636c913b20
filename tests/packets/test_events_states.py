"""Events of packets whose state was asked for say it; of others they say nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import pytest

from tests.packets.test_events import Reports
from tests.support.kernel.dataplane import KernelBench
from tests.support.kernel.flows import Flows
from tests.support.oracle.flows.packets import ACK, ICMP, SYN, TCP, UDP, FlowPacket
from xdpwall.ruleset.policy import Policy
from xdpwall.values.terms import Place

ENDS: dict[Literal[4, 6], tuple[str, str]] = {
    4: ("10.9.0.1", "198.51.100.1"),
    6: ("fd00:9::1", "2001:db8::1"),
}
TRACKING = Policy(ingress="drop", egress="accept keep")


@pytest.fixture
def reports(bench: KernelBench) -> Iterator[Reports]:
    with Reports(bench) as made:
        made.load("accept tcp/80 log", "count log", "accept state established", policy=TRACKING)
        Flows(bench.dataplane).flush()
        yield made


@pytest.mark.parametrize("arriving", ["xdp", "tc-ingress"])
@pytest.mark.parametrize("family", ENDS)
def test_every_state(reports: Reports, family: Literal[4, 6], arriving: Place) -> None:
    host, world = ENDS[family]
    icmp, reply, unreachable, other = (ICMP, 0, 3, 13) if family == 4 else (58, 129, 1, 140)
    asked = FlowPacket(family, UDP, host, world, 4000, 53)
    assert state_of(reports, asked, "tc-egress") == "new"
    assert state_of(reports, FlowPacket(family, UDP, world, host, 53, 4000), arriving) == (
        "established"
    )
    error = FlowPacket(family, icmp, world, host, icmp_type=unreachable, quote=asked)
    assert state_of(reports, error, arriving) == "related"
    stray = FlowPacket(family, TCP, world, host, 443, 4001, ACK)
    assert state_of(reports, stray, arriving) == "invalid"
    pong = FlowPacket(family, icmp, world, host, icmp_type=reply, ident=7)
    assert state_of(reports, pong, arriving) == "invalid"
    odd = FlowPacket(family, icmp, world, host, icmp_type=other)
    assert state_of(reports, odd, arriving) == "untracked"
    # A rule above decides: nobody asks.
    web = FlowPacket(family, TCP, world, host, 4002, 80, SYN)
    assert state_of(reports, web, arriving) is None


def state_of(reports: Reports, packet: FlowPacket, place: Place) -> str | None:
    """What the only event of a packet says."""
    found: str | None = reports.one(packet.frame(), place).get("state")
    return found
