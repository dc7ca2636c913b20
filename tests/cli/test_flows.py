"""xdpwall flows: what it prints once, and again and again."""

from __future__ import annotations

import json

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
