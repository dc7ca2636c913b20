"""A real Docker, whose own iptables masquerade a container and publish a port, with nftables' `ct state` as
second judge on both sides of the NAT: of real connections both say the same of every packet."""

from __future__ import annotations

import contextlib
import json
import socket
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.judge.state_counters import state_counters
from tests.judge.victim import one_cpu
from tests.support.net.docker import Docker
from tests.support.net.netns import Lab, Namespace, command, wait_for
from xdpwall.firewall.firewall import Firewall
from xdpwall.rule.rule import Rule
from xdpwall.rule.states import STATES
from xdpwall.settings import Settings
from xdpwall.views.flows import FlowFilter

WORLD, HOST, PUBLISHED = "198.51.100.1", "198.51.100.2", 8080
SIDES = ("outer", "docker0")
PLACES = tuple(f"{side} {way}" for side in SIDES for way in ("in", "out"))
OPEN = ("new", "established")
Counts = dict[str, dict[str, int]]
"""Place -> state -> packets."""


class DockerLab:
    """A host with a container behind docker0, a cable to the world, and both judges."""

    def __init__(self, lab: Lab, folder: Path, stack: ExitStack) -> None:
        self.host, self.world = lab.namespace("docker"), lab.namespace("world")
        lab.veth(
            self.host, "outer", self.world, "eth0",
            address=f"{HOST}/24", peer_address=f"{WORLD}/24",
        )  # fmt: skip
        # One packet is one packet to both judges.
        for space, iface in ((self.host, "outer"), (self.world, "eth0")):
            space.run("ethtool", "-K", iface, "gso", "off", "gro", "off", "tso", "off")
        self.docker = stack.enter_context(Docker(self.host, lab.tag))
        self.container = self.docker.serve_page("--publish", f"{PUBLISHED}:80")
        wait_for(lambda: serves(self.host, self.container, 80), "the container's page")
        # A bridge says IGMP whenever it likes; we call it untracked.
        counters = state_counters(SIDES, "ip protocol igmp", 110)
        self.host.run("nft", f"table ip judge {{\n{counters}}}\n")
        stack.enter_context(self.host.inside())
        settings = Settings(folder / "state", lab.bpffs / "fw", folder / "socket")
        self.firewall = stack.enter_context(Firewall.open(settings))
        for side in SIDES:
            self.firewall.attach(side)
            self.firewall.attach(side, hook="tc", direction="egress")
        self.firewall.set_policy({"ingress": "accept keep", "egress": "accept keep"})
        texts = ["accept proto 2"]
        texts += [
            f"count ipv4 state {state} on {side} {way}"
            for side, way in map(str.split, PLACES)
            for state in STATES
        ]
        self.firewall.add_rules([Rule.parse(text) for text in texts])

    def inside(self, script: str) -> str:
        """Python in the container's network: its busybox can do little without a libc."""
        network = self.docker("inspect", "--format", "{{.NetworkSettings.SandboxKey}}", "web")
        enter = [*self.docker.beside(), "nsenter", f"--net={network}"]
        return command(*enter, sys.executable, "-c", f"import socket\n{script}")

    def counts(self) -> tuple[Counts, Counts]:
        """What we have counted, and nftables."""
        listed = json.loads(self.host.run("nft", "-j", "list", "counters", "table", "ip", "judge"))
        nft = {
            one["counter"]["name"].replace("_", " "): one["counter"]["packets"]
            for one in listed["nftables"]
            if "counter" in one
        }
        ours = [rule.packets for rule in self.firewall.rules().rules[1:]]
        names = [f"{place} {state}" for place in PLACES for state in STATES]
        return by_place(dict(zip(names, ours, strict=True))), by_place(nft)

    def agreed(self) -> Counts:
        """What both have counted, once they have seen the same packets: those on their way are only with one."""

        def equal() -> Counts:
            ours, nft = self.counts()
            return ours if ours == nft else {}

        try:
            return wait_for(equal, "both judges say the same")
        except AssertionError as error:
            raise AssertionError(f"{self.counts()}") from error


def by_place(flat: dict[str, int]) -> Counts:
    """Without those that are 0."""
    found: Counts = {place: {} for place in PLACES}
    for name, count in flat.items():
        place, state = name.rsplit(" ", 1)
        if count:
            found[place][state] = count
    return found


@pytest.fixture
def dockered(lab: Lab, tmp_path: Path) -> Iterator[DockerLab]:
    with ExitStack() as stack:
        stack.enter_context(one_cpu())
        yield DockerLab(lab, tmp_path, stack)


def fetch(space: Namespace, address: str, port: int) -> bytes:
    """The page at the other end, by a connection that is closed properly."""
    with space.inside():
        made = socket.create_connection((address, port), timeout=60)
    with made:
        made.sendall(b"GET / HTTP/1.0\r\n\r\n")
        answer = b""
        while more := made.recv(4096):
            answer += more
        return answer


def serves(space: Namespace, address: str, port: int) -> bool:
    with contextlib.suppress(OSError):
        return fetch(space, address, port).endswith(b"hello\n")
    return False


@pytest.mark.host  # the daemon's control groups
def test_both_say_the_same_of_a_real_docker(dockered: DockerLab) -> None:
    dockered.agreed()
    # In by a published port: DNAT. The reply's way back is another pair of addresses on either side.
    assert fetch(dockered.world, HOST, PUBLISHED).endswith(b"hello\n")
    seen = dockered.agreed()
    assert {place: tuple(states) for place, states in seen.items()} == dict.fromkeys(
        PLACES, OPEN
    ) | {
        "outer out": ("established",),
        "docker0 in": ("established",),
    }
    assert seen["outer in"]["new"] == seen["docker0 out"]["new"] >= 1  # a SYN may be sent again
    # Out by masquerade: TCP, a ping, and an answer that a port is closed, which is `related`.
    with dockered.world.inside():
        listener = socket.create_server((WORLD, 80))
    with listener:
        dockered.inside(f"socket.create_connection(('{WORLD}', 80)).close()")
        listener.accept()[0].close()
    pinged = dockered.docker("exec", "web", "/bin/busybox", "ping", "-c", "1", "-W", "60", WORLD)
    assert "1 packets received" in pinged, (pinged, dockered.counts())
    dockered.inside(
        f"socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('{WORLD}', 9))"
    )
    try:
        wait_for(lambda: dockered.counts()[0]["docker0 out"].get("related"), "the port is closed")
    except AssertionError as error:
        raise AssertionError(f"{dockered.counts()}") from error
    seen = dockered.agreed()
    assert seen["outer in"]["related"] == seen["docker0 out"]["related"] == 1
    assert seen["docker0 in"]["new"] == seen["outer out"]["new"] >= 3
    assert not any("invalid" in states or "untracked" in states for states in seen.values())
    # One connection is a flow on either side, by the addresses that are seen there.
    flows = dockered.firewall.flows(FlowFilter(proto="icmp")).flows
    assert {flow.src for flow in flows} == {dockered.container, HOST}
    assert {(flow.dst, flow.state) for flow in flows} == {(WORLD, "established")}
