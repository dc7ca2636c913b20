"""block and unblock, with the service and without, under pings."""

from __future__ import annotations

import time

from tests.cli.support import Instance
from tests.support.net.ping import ping

PATIENCE = 120.0


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
