"""block and unblock, with the service and without, under pings."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from tests.cli.support import Instance
from tests.support.net.netns import Lab, Namespace
from tests.support.net.ping import ping

PATIENCE = 120.0
LINKS = ("eth0", "docker0")
"""By which a machine, and the host, reach the others."""


def pings(wall: Instance) -> int:
    assert wall.box is not None
    return ping(wall.box, "10.9.0.1", 2, over=("eth0", "10.9.0.1"))


def rules(wall: Instance) -> list[tuple[str, str]]:
    return [(one["id"], one["text"]) for one in wall.json("rule", "list")["rules"]]


def test_addresses(wall: Instance) -> None:
    wall.done("attach", "veth0")
    wall.done("rule", "add", "accept", "icmp")
    assert "blocked: 10.9.0.2 until " in wall.done("block", "10.9.0.2", "--for", "10m")
    assert pings(wall) == 0
    assert "blocked: 203.0.113.0/24" in wall.done("block", "203.0.113.0/24")
    assert rules(wall) == [("blocked", "drop from @blocked"), ("r1", "accept icmp")]
    listed = wall.json("block")
    assert listed["total"] == 2
    assert {(one["target"], "expires" in one) for one in listed["blocks"]} == {
        ("10.9.0.2", True), ("203.0.113.0/24", False),
    }  # fmt: skip
    assert "10.9.0.2" in wall.here("block").stdout
    inside = wall.run("unblock", "203.0.113.7")
    assert inside.returncode == 3
    assert "203.0.113.0/24 is, and covers it" in inside.stderr
    wall.done("block", "10.9.0.0/24")
    unblocked = wall.done("unblock", "10.9.0.2")
    assert "10.9.0.0/24" in unblocked, "a wider block still covers it"
    assert pings(wall) == 0
    wall.done("unblock", "10.9.0.0/24")
    assert pings(wall) == 2
    assert wall.run("unblock", "10.9.0.2").returncode == 3


def test_rules(wall: Instance) -> None:
    wall.done("attach", "veth0")
    wall.done("rule", "add", "accept", "icmp")
    wall.done("block", "192.0.2.1")
    wall.done("block", "icmp", "--iface", "veth0")
    wall.done("block", "tcp/22", "--except", "10.0.0.0/8", "--for", "1h")
    assert "already blocked" in wall.done("block", "icmp", "--iface", "veth0")
    assert [one[0] for one in rules(wall)] == ["blocked", "block-2", "block-1", "r1"]
    assert rules(wall)[2][1] == "drop icmp on veth0"
    assert rules(wall)[1][1].startswith("drop tcp/22 from not 10.0.0.0/8 until ")
    assert pings(wall) == 0
    assert "block removed: icmp on veth0" in wall.done("unblock", "icmp", "--iface", "veth0")
    assert pings(wall) == 2
    wall.done("unblock", "tcp/22", "--except", "10.0.0.0/8")
    assert [one[0] for one in rules(wall)] == ["blocked", "r1"]


def test_a_block_ends_by_itself(wall: Instance) -> None:
    wall.done("attach", "veth0")
    wall.done("block", "10.9.0.2", "--for", "2s")
    end = time.monotonic() + PATIENCE
    while pings(wall) < 2:
        assert time.monotonic() < end
    wall.done("block", "icmp", "--for", "1s")
    while pings(wall) < 2:
        assert time.monotonic() < end
    assert "nothing is blocked" in wall.here("block").stdout


def test_what_is_refused(wall: Instance) -> None:
    for words, said in (
        ("drop icmp", "begins with an action"),
        ("icmp until 2030-01-01T00:00:00Z", "names expires"),
        ("icmpp", "icmpp"),
        ("10.0.0.1/8", "10.0.0.1/8"),
    ):
        refused = wall.run("block", *words.split())
        assert refused.returncode == 2, refused.stderr
        assert said in refused.stderr
    assert wall.run("block", "tcp/22", "from", "10.0.0.1", "--except", "10.0.0.2").returncode == 2
    own = wall.run("block", "10.9.0.0/24", env={"SSH_CONNECTION": "10.9.0.2 4711 10.9.0.1 22"})
    assert (own.returncode, "it would block you" in own.stderr) == (8, True)
    wall.done("rule", "add", "accept", "icmp", "--id", "blocked")
    taken = wall.run("block", "192.0.2.1")
    assert (taken.returncode, "accept icmp" in taken.stderr) == (5, True)


def answer(wall: Instance, *words: str) -> dict[str, Any]:
    """What a command prints as JSON, as a process in the instance's namespace."""
    done = wall.run(*words, "-o", "json")
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.fixture
def bridge(lab: Lab, tmp_path: Path) -> tuple[Instance, Namespace, Namespace]:
    """docker0 of a host, and two machines behind it: 172.17.0.2 and 172.17.0.3."""
    host, one, other = lab.namespace("host"), lab.namespace("one"), lab.namespace("other")
    lab.bridge(host, "docker0", "172.17.0.1/16")
    for number, space in ((2, one), (3, other)):
        lab.veth(
            host,
            f"veth{number}",
            space,
            "eth0",
            master="docker0",
            peer_address=f"172.17.0.{number}/16",
        )
    return Instance(tmp_path / "state", lab.bpffs / "xdpwall", tmp_path / "sock", host), one, other


def test_all_ways_through_a_bridge(bridge: tuple[Instance, Namespace, Namespace]) -> None:
    wall, one, other = bridge
    host = wall.space
    assert host is not None

    def answered() -> list[int]:
        """Of one ping each: from container to host, from host to container, between containers."""
        ways = [(one, "172.17.0.1"), (host, "172.17.0.2"), (other, "172.17.0.2")]
        return [
            ping(space, address, 1, over=(LINKS[space is host], address)) for space, address in ways
        ]

    words = ("block", "icmp", "--iface", "docker0", "--all-ways")
    assert answered() == [1, 1, 1]
    planned = wall.run(*words, "--dry-run").stderr
    assert "attaches docker0 xdp, docker0 tc-egress, ports:docker0 xdp; all rules" in planned
    assert answer(wall, "status")["attachments"] == []
    assert answered() == [1, 1, 1]
    told = answer(wall, *words)
    assert told["attached"] == ["docker0 xdp", "docker0 tc-egress", "ports:docker0 xdp"]
    found = {one["way"]: one["explained"]["packets"][0]["verdict"] for one in told["ways"]}
    assert found == dict.fromkeys(
        ("from containers", "to containers", "between containers"), "drop"
    )
    assert answered() == [0, 0, 0]
    # Each way by itself is seen: what the two hooks of the bridge and its ports count.
    assert "cannot see" not in wall.run("rule", "list").stderr
    again = answer(wall, *words)
    assert again["attached"] == []
    assert [one["changed"] for one in again["blocks"]] == [False, False]
    assert "what is attached stays" in wall.run("unblock", *words[1:]).stderr
    assert answered() == [1, 1, 1]
    assert wall.run("unblock", *words[1:]).returncode == 3


def test_nothing_stays_of_all_ways_that_are_refused(
    bridge: tuple[Instance, Namespace, Namespace],
) -> None:
    wall, _, _ = bridge
    assert wall.space is not None
    wall.space.tc("qdisc add dev docker0 ingress")  # has no egress filters, and is another's
    refused = wall.run("block", "icmp", "--iface", "docker0", "--all-ways")
    assert refused.returncode == 5, refused.stderr
    assert "has no egress filters" in refused.stderr
    found = answer(wall, "status")
    assert (found["attachments"], found.get("wanted", []), found["rules"]) == ([], [], 0)


def test_words_of_all_ways(bridge: tuple[Instance, Namespace, Namespace]) -> None:
    wall, _, _ = bridge
    for words in (
        ("block", "icmp", "--all-ways"),
        ("block", "--iface", "docker0", "--all-ways"),
        ("block", "icmp", "--iface", "docker0", "--dry-run"),
        ("block", "icmp", "--iface", "docker7", "--all-ways"),
        ("block", "no such", "--iface", "docker0", "--all-ways"),
        ("unblock", "icmp", "--all-ways"),
    ):
        assert wall.run(*words).returncode in (2, 3), words
    assert answer(wall, "status")["attachments"] == []
    # An interface that is no bridge has two ways.
    assert wall.space is not None
    wall.space.ip("link add veth9 type veth peer name veth8")
    assert answer(wall, "block", "icmp", "--iface", "veth9", "--all-ways")["attached"] == [
        "veth9 xdp",
        "veth9 tc-egress",
    ]
