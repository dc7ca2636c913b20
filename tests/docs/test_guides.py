"""Every command of a guide is run, on machines like the ones it speaks of, and prints what it shows.

XDPWALL_RECORD_GUIDES=1 writes what was printed into the pages.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs.guide import Player, agrees, recorded, steps_of
from tests.support.net.netns import Lab, Namespace, wait_for
from tests.support.paths import ROOT

GUIDES = ("block-icmp", "under-attack", "docker-ports", "vlans", "watching-drops")
RECORD = "XDPWALL_RECORD_GUIDES"


def published(wall: Namespace, container: Namespace) -> None:
    """What Docker makes for `-p 8080:80`, with its own rules of iptables."""
    wall.run("sysctl", "-qw", "net.ipv4.ip_forward=1")
    container.ip("route add default via 172.17.0.1")
    nat = "iptables -t nat -A PREROUTING -p tcp --dport 8080 -j DNAT --to-destination 172.17.0.2:80"
    wall.run(*nat.split())


@pytest.fixture
def player(lab: Lab, tmp_path: Path) -> Iterator[Player]:
    """The machine has docker0 with a container that serves a page, and eth0 to a client."""
    wall, container, client = (lab.namespace(name) for name in ("wall", "container", "client"))
    lab.bridge(wall, "docker0", "172.17.0.1/16")
    lab.veth(wall, "veth0", container, "eth0", master="docker0", peer_address="172.17.0.2/16")
    outside = "198.51.100.7/24"
    lab.veth(wall, "eth0", client, "eth0", address="198.51.100.1/24", peer_address=outside)
    client.ip("addr add 198.51.100.66/24 dev eth0")
    published(wall, container)
    (tmp_path / "www").mkdir()
    (tmp_path / "www" / "index.html").write_text("hello\n")
    argv = container.argv("busybox", "httpd", "-f", "-p", "80", "-h", str(tmp_path / "www"))
    env = {
        "XDPWALL_STATE_DIR": str(tmp_path / "state"),
        "XDPWALL_BPFFS": str(lab.bpffs / "xdpwall"),
        "XDPWALL_SOCKET": str(tmp_path / "xdpwall.sock"),
    }
    with subprocess.Popen(argv) as server:
        wait_for(lambda: "hello" in fetch(wall), "the container's page")
        yield Player(tmp_path, env, {"": wall, "container": container, "client": client})
        server.kill()


def fetch(space: Namespace) -> str:
    done = subprocess.run(
        space.argv("curl", "-s", "http://172.17.0.2/"), capture_output=True, text=True, check=False
    )
    return done.stdout


@pytest.mark.parametrize("name", GUIDES)
def test_a_guide(player: Player, name: str) -> None:
    page = ROOT / "docs" / "guides" / f"{name}.md"
    text = page.read_text("utf-8")
    printed = {}
    for step in steps_of(text):
        printed[step.line] = player.run(step)
        if RECORD not in os.environ:
            assert agrees(step.printed, printed[step.line]), (
                f"{page.name}:{step.line + 1}: {step.command}\n" + "\n".join(printed[step.line])
            )
    assert len(printed) > 5
    if RECORD in os.environ:
        page.write_text(recorded(text, printed), "utf-8")
