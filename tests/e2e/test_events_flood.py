"""A flood of drops with events on: each packet is accounted for, and the service stays small."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.net.netns import Lab, wait_for
from tests.support.net.route import Route, route
from tests.support.packets import frames as f
from tests.support.service.events import Events
from xdpwall.dataplane.event_maps import EventMaps
from xdpwall.kernel.bpf.maps import Map

FRAME = f.ether(f.ipv4(f.udp(b"x" * 64, dport=9)))
FLOOD = 60_000
"""Packets; some 50,000 a second come from one socket of Python's."""
MORE_MEMORY = 8 << 20
"""Bytes by which the service may grow between two floods: far less than their records have."""


@pytest.fixture(params=["xdp-native", "tc-ingress"])
def way(request: pytest.FixtureRequest, lab: Lab, tmp_path: Path) -> Iterator[Route]:
    with route(lab, request.param, tmp_path) as made:
        made.rules(["drop udp"])
        yield made


def settings(way: Route, **changes: Any) -> None:
    done = way.service.call("PUT", "/events/settings", changes)
    assert done.status == 200, done.content


def counts(way: Route) -> dict[str, int]:
    found: dict[str, int] = way.service.call("GET", "/events/settings").json["counts"]
    return found


def memory(way: Route) -> int:
    """Bytes that the service has in memory."""
    pages = Path(f"/proc/{way.service.pid}/statm").read_text().split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


class Tally:
    """What one flood did."""

    def __init__(self, way: Route, stream: Events) -> None:
        before, dropped = counts(way), way.totals().dropped.packets
        sent = sum(way.entry.send(FRAME) for _ in range(FLOOD))
        assert sent == FLOOD
        wait_for(lambda: way.totals().dropped.packets - dropped >= FLOOD, "all of it is judged")
        self.dropped = way.totals().dropped.packets - dropped
        after = counts(way)
        for name in after:
            setattr(self, name, after[name] - before[name])
        self.handed_on = self.missed = 0
        while self.handed_on + self.missed < self.sent:
            batch = stream.next("packets")
            self.handed_on += sum(event["packets"] for event in batch["events"])
            self.missed += batch["missed"]

    sent: int
    lost: int
    sampled: int
    limited: int

    @property
    def accounted(self) -> int:
        """For how many packets it is known what became of their events."""
        return self.sent + self.lost + self.sampled + self.limited


def test_every_drop_is_accounted_for(way: Route) -> None:
    with Events(way.service) as stream:
        stream.next("snapshot")
        settings(way, log_drops=True, rate=100)
        few = Tally(way, stream)
        assert few.accounted == few.dropped == FLOOD
        assert few.limited > FLOOD // 2
        settings(way, rate=1_000_000)
        all_of_them = Tally(way, stream)
        assert all_of_them.accounted == all_of_them.dropped == FLOOD
        assert all_of_them.limited == all_of_them.sampled == 0
        assert all_of_them.handed_on + all_of_them.missed == all_of_them.sent
        size = memory(way)
        settings(way, sample=10)
        sampled = Tally(way, stream)
        assert sampled.accounted == sampled.dropped == FLOOD
        assert sampled.sampled > FLOOD // 2
        settings(way, sample=1)
        again = Tally(way, stream)
        assert again.accounted == again.dropped == FLOOD
        assert memory(way) - size < MORE_MEMORY


def test_a_reader_that_sleeps_loses_and_counts(way: Route) -> None:
    settings(way, log_drops=True, rate=1_000_000)
    before = counts(way)
    os.kill(way.service.pid, signal.SIGSTOP)
    try:
        for _ in range(10_000):
            way.entry.send(FRAME)
        # The service is asleep: its maps tell.
        shared = {
            name: Map.open_pinned(way.service.settings.bpffs / "maps" / name)
            for name in ("events", "event_settings", "event_counts", "event_limits")
        }
        maps = EventMaps(shared)
        wait_for(lambda: maps.counts().lost + maps.counts().sent >= sum(before.values()) + 10_000,
                 "all of it is judged")  # fmt: skip
    finally:
        os.kill(way.service.pid, signal.SIGCONT)
    after = counts(way)
    assert after["lost"] > before["lost"]
    assert after["sent"] + after["lost"] == before["sent"] + before["lost"] + 10_000
