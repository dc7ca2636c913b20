"""Events of real packets on every way through the wall: by REST, by command, as a capture.

The frames are known again by their source addresses (tests/support/net/route.py).
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.cli.support import PATIENCE, clean_environment
from tests.support.net.netns import Lab, command
from tests.support.net.route import Route, route
from tests.support.packets import frames as f
from tests.support.paths import ROOT
from tests.support.service.events import Events

RULES = [
    {"id": "names", "text": "drop udp/53 log"},
    {"id": "v6", "text": "accept tcp ipv6 log"},
    {"id": "seen", "text": "count icmp log"},
    {"id": "quiet", "text": "drop udp/54"},
    {"id": "tagged", "text": "drop tcp log"},
]
FRAMES = [
    f.ether(f.ipv4(f.udp(b"x" * 300, dport=53), src="192.0.2.1", ttl=9)),
    f.ether(f.ipv6(f.tcp(dport=22, flags="syn,ack"), src="2001:db8::7", hops=3)),
    f.ether(f.ipv4(f.icmp(8, 0)), pad=60),
    f.ether(f.ipv4(f.udp(dport=54)), pad=60),
    f.ether(f.tag(f.ipv4(f.tcp(b"payload", dport=80)), 100), pad=64),
]
REPORTED = [0, 1, 2, 4]
VERDICTS = {0: "drop", 1: "pass", 2: "pass", 4: "drop"}
FIELDS = {
    "eth.src": "src_mac",
    "eth.dst": "dst_mac",
    "ip.src": "src",
    "ip.dst": "dst",
    "ipv6.src": "src",
    "ipv6.dst": "dst",
    "ip.ttl": "ttl",
    "ipv6.hlim": "ttl",
    "udp.srcport": "sport",
    "udp.dstport": "dport",
    "tcp.srcport": "sport",
    "tcp.dstport": "dport",
    "vlan.id": "vlan",
    "icmp.code": "icmp_code",
}


class Watching:
    """`xdpwall events` beside the service."""

    def __init__(self, way: Route, *options: str) -> None:
        settings = way.service.settings
        self._process = subprocess.Popen(
            way.service.space.argv(sys.executable, "-m", "xdpwall", "events", *options),
            cwd=ROOT,
            env=clean_environment(
                XDPWALL_STATE_DIR=str(settings.state_dir),
                XDPWALL_BPFFS=str(settings.bpffs),
                XDPWALL_SOCKET=str(settings.socket),
            ),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        assert self._process.stderr is not None
        assert b"watching" in self._process.stderr.readline()

    def end(self) -> bytes:
        """What it printed; it must end by itself (--count)."""
        out, words = self._process.communicate(timeout=PATIENCE)
        assert self._process.returncode == 0, words
        assert words == b"every packet was reported\n"
        return out


def number_of(event: dict[str, Any]) -> int:
    """The frame's place in what was sent."""
    return int(event["src_mac"].replace(":", "")[8:], 16)


def settings(way: Route, **changes: Any) -> None:
    done = way.service.call("PUT", "/events/settings", changes)
    assert done.status == 200, done.content


def test_packets_are_reported(way: Route, tmp_path: Path) -> None:
    settings(way, enabled=True, log_drops=False, sample=1, rate=1000, bytes=128)
    way.rules(RULES)
    capture = tmp_path / "events.pcapng"
    watching = Watching(way, "-j", "-c", str(len(REPORTED)), "--pcap", str(capture))
    with Events(way.service) as stream:
        stream.next("snapshot")
        way.send(FRAMES)
        found = [json.loads(line) for line in watching.end().splitlines()]
        came: list[dict[str, Any]] = []
        while len(came) < len(REPORTED):
            came += [one for one in stream.next("packets")["events"] if one["n"] >= found[0]["n"]]
    assert came == found, "the stream and the command say the same"
    assert [number_of(event) for event in found] == REPORTED
    for event in found:
        number = number_of(event)
        assert event["verdict"] == VERDICTS[number]
        assert (event["iface"], event["place"]) == ("eth0", way.place)
        wanted = RULES[number]["id"]
        assert event["log"] == wanted
        assert event.get("rule") == (None if wanted == "seen" else wanted)
    # Generic XDP comes after the tag was taken off, and cannot see it.
    assert found[3].get("vlan") == (None if way.way == "xdp-generic" else 100)
    assert_capture(way, capture, found)


def assert_capture(way: Route, capture: Path, found: list[dict[str, Any]]) -> None:
    """Wireshark's own eyes see what the events say."""
    extra = ["frame.comment", "frame.interface_name", "frame.time_epoch", "frame.len", "tcp.flags"]
    names = [*FIELDS, *extra, "frame.verdict.ebpf_xdp", "frame.verdict.ebpf_tc"]
    options = [word for name in names for word in ("-e", name)]
    text = command(
        "tshark", "-n", "-r", str(capture), "-T", "fields", "-E", "separator=|", *options
    )
    rows = [dict(zip(names, line.split("|"), strict=True)) for line in text.splitlines()]
    assert len(rows) == len(found)
    for row, event in zip(rows, found, strict=True):
        family = ("ip.", "ipv6.")
        for field, name in FIELDS.items():
            if row[field] and (event.get("family") != "ipv4" or not field.startswith(family[1])):
                assert row[field] == str(event[name]), (field, event)
        assert row["eth.src"] == event["src_mac"]
        if "dport" in event:
            assert str(event["dport"]) in (row["tcp.dstport"], row["udp.dstport"])
        assert bool(row["vlan.id"]) == ("vlan" in event)
        by = f"rule {event['rule']}" if "rule" in event else "the policy"
        assert row["frame.comment"].startswith(f"{event['verdict']} by {by} at eth0 {way.place}")
        assert row["frame.interface_name"] == "eth0"
        assert int(row["frame.len"]) == event["bytes"] + (4 if event["stripped"] else 0)
        verdict = row["frame.verdict.ebpf_xdp" if way.place == "xdp" else "frame.verdict.ebpf_tc"]
        wanted = {"xdp": {"drop": 1, "pass": 2}}.get(way.place, {"drop": 2, "pass": -1})
        assert int(verdict) == wanted[event["verdict"]]
        if "tcp_flags" in event:
            bits = sum(f.FLAGS[name] for name in event["tcp_flags"].split(","))
            assert int(row["tcp.flags"], 16) == bits


FILTERS: list[tuple[list[str], list[int]]] = [
    (["--rule", "names"], [0]),
    (["--src", "192.0.2.0/24"], [0]),
    (["--src", "!192.0.2.0/24", "--verdict", "drop"], [4]),
    (["--dst", "2001:db8:1::/48"], [1]),
    (["--proto", "icmp", "--iface", "eth0"], [2]),
    (["--iface", "!eth1", "--verdict", "pass"], [1, 2]),
]


def test_filters_of_commands_that_watch_at_once(lab: Lab, tmp_path: Path) -> None:
    with route(lab, "tc-ingress", tmp_path) as way:
        way.rules(RULES)
        all_watching = [
            Watching(way, "-j", "-c", str(len(wanted)), *options) for options, wanted in FILTERS
        ]
        way.send(FRAMES)
        for watching, (options, wanted) in zip(all_watching, FILTERS, strict=True):
            found = [json.loads(line) for line in watching.end().splitlines()]
            assert [number_of(event) for event in found] == wanted, options


def test_every_drop_also_by_policy(way: Route) -> None:
    settings(way, enabled=True, log_drops=True, sample=1, rate=1000, bytes=0)
    way.rules([{"id": "udp", "text": "drop udp/54"}, "accept tcp"], ingress="drop", egress="drop")
    watching = Watching(way, "-j", "-c", "3")
    way.send(FRAMES)
    found = [json.loads(line) for line in watching.end().splitlines()]
    said = [(number_of(event), event.get("rule")) for event in found]
    assert said == [(0, None), (2, None), (3, "udp")]
    assert not any("data" in event for event in found)
    settings(way, log_drops=False)
