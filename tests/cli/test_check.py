"""xdpwall check: of a file and of what is in force, with the service and without."""

from __future__ import annotations

import json

from tests.cli.support import Instance, invoke

RULES = """
version: 1
sets: {bad: {entries: [10.0.0.1]}, none: {entries: []}}
rules:
- drop from 10.0.0.0/8
- accept tcp/22 from 10.0.0.1
- drop from 10.0.0.0/8
- accept from 10.0.0.0/8
- accept from not @none to 192.0.2.1
- accept udp to 192.0.2.1
- count tcp/80
- count tcp/80
- drop tcp/9 until 2020-01-01T00:00:00Z
- drop from @none
- drop icmp on eth7
"""
WANTED = [
    (2, "shadowed"), (3, "equal"), (4, "contradiction"), (5, "empty-set"),
    (6, "shadowed"), (8, "equal"), (9, "expired"), (10, "impossible"), (11, "unseen"),
]  # fmt: skip


def test_a_file_and_what_is_in_force(wall: Instance) -> None:
    wall.done("attach", "veth0")
    found = wall.run("check", "-", "-j", stdin=RULES)
    assert found.returncode == 1, found.stderr
    file = wall.here("check", "-", stdin=RULES)
    assert file.exit_code == 1
    assert "never decides: rule 1 (drop from 10.0.0.0/8) decides first" in file.stdout
    assert "packet: tcp/22 from 10.0.0.1 sport 40000 to " in file.stdout
    wall.done("apply", "-", stdin=RULES)
    in_force = wall.here("check", "-j")
    assert in_force.exit_code == 1
    for text in (found.stdout, in_force.stdout):
        report = json.loads(text)
        assert [(one["rule"]["position"], one["kind"]) for one in report["findings"]] == WANTED
        assert report["rules"] == 11
    wall.done("rule", "flush", "-y")
    clean = wall.here("check")
    assert (clean.exit_code, "0 rules: nothing found" in clean.stderr) == (0, True)


def test_what_is_not_seen_says_why_and_the_command(wall: Instance) -> None:
    wall.done("attach", "veth0")
    wall.done("rule", "add", "drop udp out")
    shown = wall.here("check").stdout
    assert (
        "    is about egress, which veth0 xdp cannot see; this does: xdpwall attach veth0 " in shown
    )
    assert "REST" not in shown
    wall.done("rule", "flush", "-y")
    wall.done("rule", "add", "drop udp on eth7")
    assert "    the interface eth7 does not exist (yet)" in wall.here("check").stdout


def test_a_file_that_cannot_be_read(wall: Instance) -> None:
    assert wall.run("check", "/nonexistent.yaml").returncode == 2
    assert wall.run("check", "-", stdin="version: 2\nrules: []").returncode == 2


def test_help() -> None:
    assert "Find rules that never decide" in invoke("check", "--help").output
