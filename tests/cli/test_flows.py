"""xdpwall flows: what it prints once, and again and again."""

from __future__ import annotations

import json
import socket

from tests.support.net.netns import wait_for
from tests.support.packets import frames as f
from tests.support.packets.packets import Wire

from .support import Instance


def test_flows_once_and_again(wall: Instance) -> None:
    assert "nothing is tracked" in wall.here("flows").stdout
    wall.done("attach", "veth0")
    wall.done("rule", "add", "accept tcp/22 keep")
    assert "0 of 262,144 (v4), 0 (v6)" in wall.here("flows", "--top").stdout
    looks = wall.here("flows", "-w", "--times", "3", "--interval", "0.05", "-j").stdout.splitlines()
    assert [json.loads(one)["total"] for one in looks] == [0, 0, 0]
    shown = wall.here("flows", "--watch", "--times", "2", "--interval", "0.05").stdout
    assert shown.count("no flows") == 2
    assert "ended 0 flows" in wall.here("flows", "flush").stderr


def test_a_stray_word_is_told_the_option(wall: Instance) -> None:
    for said, stray in (("tcp", "tcp"), ("--top 3", "3"), ("state established", "state")):
        refused = wall.here("flows", *said.split())
        assert refused.exit_code == 2
        assert f"no such command {stray!r}" in refused.stderr
        assert "--proto tcp" in refused.stderr
        assert "--limit 20" in refused.stderr


def test_status_and_metrics_count_them(served: Instance) -> None:
    """A question that leaves makes a flow, and a stray acknowledgement is invalid: each place says so."""
    assert served.service is not None and served.box is not None
    served.done("attach", "veth0")
    served.done("attach", "veth0", "--hook", "tc", "--direction", "egress")
    served.done("rule", "add", "accept state established")
    served.done("policy", "set", "egress", "accept", "keep")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        asking.sendto(b"x", ("10.9.0.2", 9))
    wait_for(lambda: served.json("flows")["fill"]["counts"]["made"], "a flow is made")
    with Wire(served.box, "eth0") as wire:
        assert wire.send(f.ether(f.ipv4(f.tcp(flags="ack"), src="10.9.0.2", dst="10.9.0.1")))
    wait_for(lambda: served.json("flows")["fill"]["counts"]["invalid"], "a stray is seen")
    fill = served.json("status")["flows"]
    assert fill == served.json("flows")["fill"]
    assert (fill["tracking"], fill["size"], fill["ipv4"]) == (True, 262_144, 1)
    line = "flows       1 of 262,144 (v4), 0 (v6); made 1, evicted 0, lost 0, by socket 0"
    assert " ".join(line.split()) in " ".join(served.here("status").stdout.split())
    metrics = served.service.raw("GET", "/metrics", {}).content.decode()
    for name, value in (
        ('flows{family="ipv4"}', 1),
        ('flows{family="ipv6"}', 0),
        ("flow_places", 262_144),
        ("flows_made_total", 1),
        ("flows_lost_total", 0),
        ("flows_by_socket_total", 0),
        ("invalid_packets_total", 1),
        ('flows_evicted_total{proto="udp"}', 0),
    ):
        assert f"xdpwall_{name} {float(value)}" in metrics.splitlines(), name
