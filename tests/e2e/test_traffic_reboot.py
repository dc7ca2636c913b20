"""After a reboot, `xdpwall restore` (or the service's start) brings everything back.

A reboot leaves the disk and takes the rest: no program is attached, nothing is pinned, interfaces
have other indexes, and the network namespace is another one.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.cli.support import Instance
from tests.support.net.netns import Lab, command
from tests.support.net.route import one_cpu
from tests.support.packets import frames as f
from tests.support.packets.packets import Wire
from tests.support.service.service import Service
from xdpwall.store.store import Store

RULES = """
version: 1
policy: {ingress: drop, egress: accept, non_ip: accept, neighbor_discovery: judge}
rules:
  - {id: ssh, text: "accept tcp/22 from 10.0.0.0/8"}
  - {id: dns, text: "accept udp/53 in"}
  - {id: ping6, text: "drop icmpv6/128 out"}
  - {id: idle, text: "accept tcp/80", enabled: false}
attachments:
  - {iface: eth0, hook: xdp, direction: ingress, mode: native}
  - {iface: eth0, hook: tc, direction: egress}
  - {iface: br0, hook: xdp, direction: ingress, mode: generic}
"""
PING6 = f.ether(f.ipv6(f.icmpv6()))
IN = [
    (f.ether(f.ipv4(f.udp())), True),
    (f.ether(f.ipv4(f.tcp(dport=22))), True),
    (f.ether(f.ipv4(f.tcp(dport=22), src="11.0.0.1")), False),
    (f.ether(f.ipv4(f.tcp(dport=80))), False),
    (f.ether(f.ipv6(f.udp(dport=54))), False),
    (f.ether(f.ipv6(f.udp())), True),
]
"""Frames that come in, and whether the rules and the policy let them."""
END = f.ether(f.arp(), pad=60)


@dataclass
class Host:
    """A wall with a cable to a box, made anew at each boot."""

    lab: Lab
    folder: Path
    boots: int = 0

    def boot(self) -> Instance:
        """The machine as it is before anything of xdpwall has run."""
        shutil.rmtree(self.lab.bpffs)
        for name in ("wall", "box"):
            if self.boots:
                command("ip", "netns", "del", f"{self.lab.tag}-{name}")
        wall, box = self.lab.namespace("wall"), self.lab.namespace("box")
        if self.boots:
            # The kernel gives a namespace's number away again, also to another namespace; only
            # another boot tells for sure that the old one is gone, so it has to be another boot.
            store = Store(self.folder / "state")
            binding = store.read().binding
            assert binding is not None
            store.bind(type(binding)(binding.netns, "the boot before"))
            store.close()
        self.boots += 1
        for number in range(self.boots):  # other indexes than last time
            self.lab.bridge(wall, f"spare{number}")
        self.lab.bridge(wall, "br0")
        self.lab.veth(wall, "eth0", box, "eth0")
        self.lab.bpffs.mkdir(exist_ok=True)
        pins = self.lab.bpffs / "xdpwall"
        return Instance(self.folder / "state", pins, self.folder / "xdpwall.sock", wall, box)


@pytest.fixture
def host(lab: Lab, tmp_path: Path) -> Iterator[Host]:
    """Not booted yet."""
    assert lab.bpffs.is_dir()
    yield Host(lab, tmp_path)


def passed(here: Instance) -> list[bool]:
    """Which of IN get through, and last whether PING6 gets out."""
    assert here.space is not None and here.box is not None
    with Wire(here.box, "eth0") as outside, Wire(here.space, "eth0") as inside:
        with one_cpu():
            for frame, _ in IN:
                outside.send(frame)
            outside.send(END)
        arrived: list[bytes] = []
        while (came := inside.receive()) != END:
            assert came is not None, "the last frame did not arrive"
            arrived.append(came)
        return [*(frame in arrived for frame, _ in IN), inside.send(PING6)]


JUDGED = [*(passes for _, passes in IN), False]


@pytest.mark.parametrize("by", ["restore", "serve"])
def test_everything_comes_back_after_a_reboot(host: Host, lab: Lab, by: str) -> None:
    first = host.boot()
    first.ok("apply", "-", stdin=RULES)
    assert passed(first) == JUDGED
    before, listed = first.ok("export"), first.ok("rule", "list", "-o", "name")
    index = first.space.index("eth0") if first.space else 0

    second = host.boot()
    assert second.space is not None and second.space.index("eth0") != index
    assert passed(second) == [True] * len(JUDGED)
    if by == "restore":
        said = second.run("restore")
        assert said.returncode == 0, said.stderr
        for place in ("eth0 xdp", "eth0 tc-egress", "br0 xdp"):
            assert place in said.stderr
    else:
        with Service(second.space, host.folder, lab.bpffs):
            pass  # it restores when it starts, and may die at once
    assert passed(second) == JUDGED
    assert second.ok("export") == before
    assert second.ok("rule", "list", "-o", "name") == listed
    with second.space.inside():
        status = second.json("status")
        assert [w for w in status["warnings"] if "restore" in w] == []
        modes = {f"{one['iface']} {one['place']}": one.get("mode") for one in status["attachments"]}
        assert modes == {"eth0 xdp": "native", "eth0 tc-egress": None, "br0 xdp": "generic"}
        counted = {one["id"]: one["packets"] for one in second.json("rule", "list")["rules"]}
        assert counted == {"ssh": 1, "dns": 2, "ping6": 1, "idle": 0}, "they begin at 0 again"


def test_off_stays_off_over_a_reboot(host: Host) -> None:
    first = host.boot()
    first.ok("apply", "-", stdin=RULES)
    first.ok("off")
    assert passed(first) == [True] * len(JUDGED)
    second = host.boot()
    assert "OFF" in second.run("restore").stderr.upper()
    assert passed(second) == [True] * len(JUDGED)
    assert "OFF" in second.ok("status")
    second.ok("on")
    assert passed(second) == JUDGED


def test_pins_and_programs_taken_away_in_a_running_system(host: Host) -> None:
    """The same without another namespace: somebody removed all that the kernel held."""
    here = host.boot()
    here.ok("apply", "-", stdin=RULES)
    assert here.space is not None
    here.space.ip("link set eth0 xdp off")
    here.space.ip("link set br0 xdp off")
    here.space.tc("qdisc del dev eth0 clsact")
    shutil.rmtree(here.bpffs)
    assert passed(here) == [True] * len(JUDGED)
    with here.space.inside():
        assert any("xdpwall restore" in words for words in here.json("status")["warnings"])
    here.ok("restore")
    assert passed(here) == JUDGED
    here.ok("rule", "delete", "dns")
    assert passed(here) == [False, True, False, False, False, False, False]
