"""What flows say of a packet that our programs drop is told of it, at XDP and tc, to people and programs."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.packets import frames as f
from tests.support.service.tracing import Trace
from tests.trace.conftest import Place

FIRST = 2001
LAST = FIRST + 3
"""Ports of no other test."""


@pytest.fixture(scope="module")
def mode() -> str:
    return "native"


@pytest.fixture
def tracking(place: Place) -> Iterator[Place]:
    """Strays are dropped by a rule for their state, and what is new by one that asks for none."""
    with place.space.inside():
        texts = {
            "stray": f"drop tcp/{FIRST}-{LAST} in state invalid",
            "fresh": f"drop tcp/{FIRST}-{LAST} in",
        }
        for rule, text in texts.items():
            place.firewall.done("rule", "add", text, "--id", rule)
        yield place
        place.firewall.done("rule", "delete", *texts)


def send(place: Place, cable: int, dport: int, flags: str) -> None:
    segment = f.tcp(dport=dport, flags=flags)
    packet = f.ipv4(segment, src=f"10.9.{cable}.2", dst=f"10.9.{cable}.1")
    assert place.wires[cable].send(f.ether(packet))


def test_the_state_of_what_is_dropped(tracking: Place) -> None:
    with Trace(tracking.firewall) as records, Trace(tracking.firewall, output="table") as lines:
        for cable in (0, 1):
            send(tracking, cable, FIRST + 2 * cable, "ack")
            send(tracking, cable, FIRST + 2 * cable + 1, "syn")
        records.until(lambda drop: drop.get("dport") == LAST)
        assert records.interrupt() == 130
        while f":{LAST} " not in lines.text:
            assert lines._read()
        assert lines.interrupt() == 130
    told = {
        drop["dport"]: (drop["rule"], drop["place"], drop.get("state"))
        for drop in records.drops
        if FIRST <= drop.get("dport", 0) <= LAST
    }
    assert told == {
        FIRST: ("stray", "xdp", "invalid"),
        FIRST + 1: ("fresh", "xdp", "new"),
        FIRST + 2: ("stray", "tc-ingress", "invalid"),
        FIRST + 3: ("fresh", "tc-ingress", "new"),
    }
    for port, (rule, place, state) in told.items():
        (line,) = (one for one in lines.text.splitlines() if f":{port} " in one)
        why = " (TCP ACK, no flow, no socket)" if state == "invalid" else ""
        assert f" state {state}{why}: " in line and f"rule {rule} ({place})" in line
