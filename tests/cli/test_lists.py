"""Lists of rules: filters, watching, places beside a rule, and what is said while switched off."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import pytest

from tests.cli.support import PATIENCE, Instance, clean_environment
from tests.cli.test_terminal import terminal
from tests.support.packets import frames as f
from tests.support.packets.packets import Wire
from tests.support.paths import ROOT
from xdpwall.values.switched_off import SWITCHED_OFF

RULES = {
    "web": "accept tcp/443 on veth0",
    "ping": "drop icmp",
    "other": "drop udp on not veth0",
    "idle": "count udp/53 disabled",
    "over": "drop gre until 2020-01-01T00:00:00Z",
}


def add_all(wall: Instance) -> None:
    for name, text in RULES.items():
        wall.done("rule", "add", text, "--id", name)


def ids(wall: Instance) -> list[str]:
    return [rule["id"] for rule in wall.json("rule", "list")["rules"]]


def pings(wall: Instance, count: int) -> None:
    assert wall.box is not None
    with Wire(wall.box, "eth0") as wire:
        for _ in range(count):
            wire.send(f.ether(f.ipv4(f.icmp()), pad=60))


@pytest.mark.parametrize(
    ("args", "wanted"),
    [
        (["udp"], ["other", "idle"]),
        (["UDP", "veth0"], ["other"]),
        (["web"], ["web"]),
        (["--action", "drop"], ["ping", "other", "over"]),
        (["--iface", "veth0"], ["web", "ping", "idle", "over"]),
        (["--iface", "eth7"], ["ping", "other", "idle", "over"]),
        (["--disabled"], ["idle", "over"]),
        (["--used"], []),
        (["--unused", "--action", "accept"], ["web"]),
        (["nothing", "of", "that"], []),
    ],
)
def test_filters(direct: Instance, args: list[str], wanted: list[str]) -> None:
    add_all(direct)
    assert direct.here("rule", "list", "-o", "name", *args).stdout.split() == wanted
    shown = direct.json("rule", "list", *args)
    assert [rule["id"] for rule in shown["rules"]] == wanted
    places = {name: place for place, name in enumerate(RULES, 1)}
    assert all(rule["position"] == places[rule["id"]] for rule in shown["rules"])


def test_used_and_unused(wall: Instance) -> None:
    add_all(wall)
    wall.done("attach", "veth0")
    pings(wall, 2)
    assert wall.here("rule", "ls", "--used", "-q").stdout == "ping\n"
    assert "ping" not in wall.here("rule", "ls", "--unused", "-q").stdout.split()


def test_watching_off_a_terminal_prints_all_and_then_what_counted(direct: Instance) -> None:
    add_all(direct)
    direct.done("attach", "veth0")
    process = subprocess.Popen(
        direct.argv("rule", "ls", "-w", "-o", "name", "--interval", "0.2"),
        cwd=ROOT, env=clean_environment(**direct.env), stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        assert [process.stdout.readline().strip() for _ in RULES] == list(RULES)
        pings(direct, 1)
        assert process.stdout.readline() == "ping\n"
    finally:
        process.kill()
        process.wait(timeout=PATIENCE)
        assert process.stdout is not None
        process.stdout.close()


def test_watching_a_terminal_shows_what_fits_it(direct: Instance) -> None:
    texts = [f"count udp/{port}" for port in range(1, 61)]
    direct.done("rule", "add", *texts)
    direct.done("rule", "add", "drop icmp", "--id", "ping")
    direct.done("attach", "veth0")
    pings(direct, 3)
    with terminal(direct, "rule", "ls", "-w", "--interval", "0.05", LINES="12") as screen:
        screen.until("and 53 more rules", times=2)
        screen.type("\x03")
        assert screen.end() == 130
    first = screen.seen.split("\x1b[H\x1b[J")[1]
    assert "ping" in first and "count udp/60" not in first


def test_a_place_beside_a_rule(wall: Instance) -> None:
    wall.done("rule", "add", "drop icmp", "--id", "a")
    wall.done("rule", "add", "drop udp", "--id", "b")
    assert wall.json("rule", "add", "drop tcp/22", "--id", "c", "--before", "a")["position"] == 1
    assert wall.json("rule", "add", "drop tcp/23", "--id", "d", "--after", "a")["position"] == 3
    assert ids(wall) == ["c", "a", "d", "b"]
    several = wall.json("rule", "add", "drop gre", "drop esp", "--before", "b")
    assert [rule["position"] for rule in several["rules"]] == [4, 5]
    for args, wanted in (
        (("b", "--before", "c"), ["b", "c", "a", "d", "r1", "r2"]),
        (("c", "--after", "r2"), ["b", "a", "d", "r1", "r2", "c"]),
        (("r1", "--after", "r1"), None),
        (("r1", "--before", "r2"), ["b", "a", "d", "r1", "r2", "c"]),
        (("r2", "--before", "r1"), ["b", "a", "d", "r2", "r1", "c"]),
    ):
        done = wall.here("rule", "move", *args)
        assert done.exit_code == (0 if wanted else 2), done.output
        assert wanted is None or ids(wall) == wanted


@pytest.mark.parametrize(
    ("args", "code", "word"),
    [
        (["move", "a"], 2, "--before ID"),
        (["move", "a", "--at", "1", "--after", "a"], 2, "--at and --after"),
        (["move", "a", "--before", "nope"], 3, "nope"),
        (["add", "drop gre", "--after", "nope"], 3, "nope"),
        (["add", "drop gre", "--before", "a", "--after", "a"], 2, "--before and --after"),
    ],
)
def test_a_place_that_is_none(wall: Instance, args: list[str], code: int, word: str) -> None:
    wall.done("rule", "add", "drop icmp", "--id", "a")
    done = wall.here("rule", *args)
    assert (done.exit_code, word in done.stderr) == (code, True), done.stderr
    assert ids(wall) == ["a"]


CHANGES: tuple[tuple[str, ...], ...] = (
    ("rule", "add", "drop udp"),
    ("rule", "set", "a", "--comment", "x"),
    ("rule", "move", "a", "--at", "1"),
    ("rule", "disable", "a"),
    ("policy", "set", "ingress", "accept"),
    ("set", "create", "bad"),
    ("set", "add", "bad", "10.0.0.1"),
    ("attach", "veth0"),
)


def test_what_is_said_while_switched_off(wall: Instance) -> None:
    wall.done("rule", "add", "drop icmp", "--id", "a")
    assert SWITCHED_OFF not in wall.here("rule", "list").stderr
    wall.done("off")
    assert wall.here("rule", "list").stderr == f"warning: {SWITCHED_OFF}\n"
    assert SWITCHED_OFF in wall.here("rule", "list", "-w", "--times", "1").stdout
    for change in CHANGES:
        assert SWITCHED_OFF in wall.json(*change)["warnings"], change
    exported = wall.here("export").stdout
    said = wall.here("apply", "-", stdin=exported).stderr
    assert SWITCHED_OFF in said and "unchanged: revision" in said
    wall.done("on")
    assert SWITCHED_OFF not in wall.here("rule", "list").stderr
    assert SWITCHED_OFF not in wall.json("rule", "add", "drop gre")["warnings"]


def test_status_is_watched_with_rates(wall: Instance) -> None:
    wall.done("attach", "veth0")
    shown = wall.here("status", "-w", "--times", "2", "--interval", "0.05").stdout
    assert shown.count("SEEN/S") == 2 and "\x1b" not in shown
    first, second = (line for line in shown.splitlines() if line.startswith("veth0  xdp "))
    assert first.split()[-5:-2] == ["-", "-", "-"] and second.split()[-5] != "-"
    done = wall.here("status", "-w", "-j", "--times", "2", "--interval", "0.05")
    looks: list[Any] = [json.loads(line) for line in done.stdout.splitlines()]
    assert [look["attachments"][0]["iface"] for look in looks] == ["veth0", "veth0"]
