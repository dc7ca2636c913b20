"""1,000 packets sent, 1,000 counted, on every way, and the same wherever one looks."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.cli.support import Instance
from tests.support.net.route import Route
from tests.support.packets import frames as f
from xdpwall.views.base import Count

SENT = 1000
VERSIONS: dict[str, Callable[[f.Layer], f.Layer]] = {"ipv4": f.ipv4, "ipv6": f.ipv6}


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("action", ["drop", "accept"])
def test_a_thousand_packets_are_a_thousand(way: Route, action: str, version: str) -> None:
    around = VERSIONS[version]
    frames = [f.ether(around(f.udp(b"x" * (n * 37 % 1400)))) for n in range(SENT)]
    size = sum(map(len, frames))
    way.rules([])  # a rule that stays would keep its counters
    way.rules([f"count {version}", f"{action} udp/53"], ingress="drop", egress="drop")
    before = way.totals()
    assert len(way.send(frames)) == (SENT if action == "accept" else 0)
    after = way.totals()

    listed = way.service.call("GET", "/rules").json["rules"]
    assert [(one["packets"], one["bytes"]) for one in listed[1:]] == [(SENT, size)] * 2
    stats = way.service.call("GET", "/stats").json["rules"]
    assert stats == [{key: one[key] for key in ("id", "packets", "bytes")} for one in listed]
    assert command_line(way, "rule", "list")["rules"] == listed
    for one in listed:
        assert way.service.call("GET", f"/rules/{one['id']}").json == one
    (attachment,) = command_line(way, "status")["attachments"]
    assert attachment["totals"] == after.to_json()

    dropped = (SENT, size) if action == "drop" else (0, 0)
    everything = (SENT + 1, size + 60)  # and the frame that ends the batch
    assert rise(before.seen, after.seen) == everything
    assert rise(before.dropped, after.dropped) == dropped
    assert rise(before.passed, after.passed) == (SENT + 1 - dropped[0], size + 60 - dropped[1])
    assert after.policy_dropped == before.policy_dropped


def test_what_the_policy_drops_is_counted_as_such(way: Route) -> None:
    frames = [f.ether(f.ipv4(f.udp(), ttl=n % 250 + 1)) for n in range(SENT)]
    way.rules(["accept udp/53 ttl 100-101"], ingress="drop", egress="drop")
    before = way.totals()
    assert [frames[n][22] for n in way.send(frames)] == [100, 101] * 4
    after = way.totals()
    fell = (SENT - 8, (SENT - 8) * len(frames[0]))
    assert rise(before.policy_dropped, after.policy_dropped) == fell
    assert rise(before.dropped, after.dropped) == fell


def rise(before: Count, after: Count) -> tuple[int, int]:
    """Packets and bytes."""
    return after.packets - before.packets, after.bytes - before.bytes


def command_line(way: Route, *args: str) -> Any:
    """What the real command line prints with -o json, in the wall's namespace."""
    at = way.service.settings
    done = Instance(at.state_dir, at.bpffs, at.socket, way.firewall).ok(*args, "-o", "json")
    return json.loads(done)
