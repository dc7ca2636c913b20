"""A container that sends from its first moment is restarted again and again; the rule on its name holds.

CONTAINER_RESTARTS says how often (`make test-containers`: 50 times).
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from tests.cli.support import Instance
from tests.e2e.test_containers import beside, follow
from tests.support.net.docker import Docker
from tests.support.net.netns import Lab, Namespace, wait_for

RESTARTS = int(os.environ.get("CONTAINER_RESTARTS", "5"))
HOST = "172.17.0.1"
AT_ONCE = 5
"""Packets that the rule must have counted before it is taken to hold."""
PING = ("/bin/busybox", "ping", "-i", "0.05", HOST)


def echoes(host: Namespace) -> int:
    """Echo requests that have reached the host."""
    names, values = re.findall(r"^Icmp: (.*)$", host.run("cat", "/proc/net/snmp"), re.MULTILINE)
    return int(dict(zip(names.split(), values.split(), strict=True))["InEchos"])


def dropped(wall: Instance) -> int:
    """Packets that the rule has dropped."""
    return int(wall.json("rule", "show", "web")["packets"])


def wait_for_drops(wall: Instance, seen: int) -> None:
    """Until the rule has dropped more than it had."""
    wait_for(lambda: dropped(wall) >= seen + AT_ONCE, "the rule holds")


def told(wall: Instance, words: str) -> bool:
    """Whether `status` warns so."""
    return any(words in warning for warning in wall.json("status")["warnings"])


def longest_open(wall: Instance) -> float:
    """Seconds, of the ports there are."""
    spells = [one.get("last_open") for one in wall.json("status")["attachments"]]
    return max((spell["seconds"] for spell in spells if spell), default=0.0)


@pytest.mark.host  # the daemon's control groups
def test_a_rule_on_a_container_holds_through_restarts(
    lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = lab.namespace("docker")
    file = tmp_path / "names" / "containers.json"
    monkeypatch.setenv("XDPWALL_CONTAINERS", str(file))
    wall = Instance(tmp_path / "state", lab.bpffs / "xdpwall", tmp_path / "sock", host)
    with Docker(host, lab.tag) as docker, host.inside(), follow(wall, docker, file):
        docker.serve_page()
        docker("rm", "--force", "web")
        with beside(wall, docker, "serve", "--port", "0", containers=file):
            wait_for(lambda: wall.here("status").exit_code == 0, "the service answers")
            wall.done("attach", "ports:docker0", "--hook", "tc")
            wall.done("rule", "add", "drop icmp on container:web in", "--id", "web")
            docker("run", "--detach", "--name", "db", "web:1", "/bin/busybox", "sleep", "3600")
            docker("run", "--detach", "--name", "web", "web:1", *PING)
            passed, longest = [], 0.0
            for _ in range(RESTARTS):
                before, counted = echoes(host), dropped(wall)
                docker("restart", "--time", "0", "web")
                wait_for_drops(wall, counted)
                wait_for(lambda: not told(wall, "for sure"), "its port is known")
                now, counted = echoes(host), dropped(wall)
                passed.append(now - before)
                longest = max(longest, longest_open(wall))
                wait_for_drops(wall, counted)
                assert echoes(host) == now, "nothing passes once it holds"
            docker("exec", "db", "/bin/busybox", "ping", "-c", "1", HOST)
            docker("stop", "--time", "0", "web")
            gone = "container:web matches no interface now"
            wait_for(lambda: told(wall, gone), "that it has gone is told")
    words = f"{RESTARTS} restarts: {sum(passed)} pings passed before the rule held"
    print(f"{words}, one each 50 ms: {passed}")
    print(f"by the service's clock a port was open for {longest * 1000:.1f} ms at most")
