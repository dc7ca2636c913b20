"""The ten things of docs/guides/coming-from.md: iptables', nftables' and our line treat the same packets alike."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.cli.support import Instance
from tests.support.net.netns import Lab, Namespace, wait_for
from tests.support.packets import frames as f
from tests.support.packets.packets import Wire
from tests.support.paths import ROOT

TOOLS = ("iptables", "nftables", "xdpwall")
NOT_RUN = {("iptables", 5), ("iptables", 7), ("iptables", 10)}
"""ipset and hashlimit: this machine's kernel has neither."""
_LINE = re.compile(r"(iptables|nftables|ufw|firewalld|xdpwall) +(.+)")
OFFICE, CLIENT, BAD, WALL = "198.51.100.5", "198.51.100.77", "198.51.100.66", "198.51.100.1"
MARKER = f.udp(dport=4444)


class Probe(NamedTuple):
    """What is sent, and how many of how many come through; with a rate more, as time goes on."""

    frames: Sequence[f.Layer]
    come: range


def probes() -> dict[int, Probe]:
    def ip(inner: f.Layer, src: str = CLIENT) -> f.Layer:
        return f.ipv4(inner, src=src, dst=WALL)

    def ports(*numbers: int) -> list[f.Layer]:
        return [ip(f.tcp(dport=number)) for number in numbers]

    def come(number: int) -> range:
        return range(number, number + 1)

    return {
        1: Probe([ip(f.icmp()), ip(f.icmp(13)), ip(f.udp())], come(2)),
        2: Probe([*ports(23, 24, 22), ip(f.udp(dport=23))], come(3)),
        3: Probe([*ports(22, 23), ip(f.tcp(dport=22), OFFICE)], come(2)),
        4: Probe([ip(f.udp(), BAD), ip(f.tcp(), BAD), ip(f.udp())], come(1)),
        5: Probe([ip(f.udp(), BAD), ip(f.udp(), CLIENT), ip(f.udp(), OFFICE)], come(2)),
        6: Probe([*ports(80, 443, 8000, 8050, 8100, 8101, 79, 444)], come(3)),
        7: Probe([*(20 * ports(22)), ip(f.tcp(dport=22, flags="ack"))], range(7, 13)),
        8: Probe([*ports(23, 24)], come(1)),
        10: Probe([ip(f.udp(), BAD), ip(f.udp())], come(1)),
    }


def items() -> dict[int, dict[str, str]]:
    """By number: each tool's lines as the page has them."""
    text = (ROOT / "docs/guides/coming-from.md").read_text("utf-8")
    sections = re.split(r"^## (\d+)\. .*$", text, flags=re.MULTILINE)
    return {
        int(number): dict(_LINE.findall(body.partition("```text\n")[2].partition("```")[0]))
        for number, body in zip(sections[1::2], sections[2::2], strict=True)
    }


class Bench:
    """A wall, a client, and a count of what has come through everything that the wall has."""

    def __init__(self, lab: Lab, folder: Path) -> None:
        self.wall, self.client = lab.namespace("wall"), lab.namespace("client")
        outside = "198.51.100.2/24"
        address = f"{WALL}/24"
        lab.veth(self.wall, "eth0", self.client, "eth0", address=address, peer_address=outside)
        self.mac = bytes.fromhex(_mac(self.wall).replace(":", ""))
        self.instance = Instance(
            folder / "state", lab.bpffs / "xdpwall", folder / "xdpwall.sock", self.wall
        )
        for space in (self.wall, self.client):
            space.run("nft", JUDGE)
        self.wall.run("nft", FILTER)

    def load(self, tool: str, line: str) -> None:
        heads = {"iptables": "iptables -A INPUT ", "nftables": "nft add rule inet filter input "}
        if tool == "xdpwall":
            self.instance.done("attach", "eth0")
            self.instance.done("attach", "eth0", "--hook", "tc", "--direction", "egress")
            for one in line.split("; "):
                self.instance.done(*shlex.split(one))
            return
        # A semicolon within braces belongs to nft.
        for one in re.split(r"; (?=nft add|iptables|-|ip saddr)", line):
            known = one.startswith((tool, "nft "))
            self.wall.run("sh", "-c", shell(one if known else heads[tool] + one))

    def survivors(self, space: Namespace, name: str = "seen") -> int:
        found = re.search(rf"counter {name} \{{\s+packets (\d+)", space.run("nft", "list counters"))
        assert found is not None
        return int(found[1])

    def send(self, layers: Sequence[f.Layer]) -> int:
        """How many of these the wall's own programs would have seen."""
        before, marked = self.survivors(self.wall), self.survivors(self.wall, "marked")
        with Wire(self.client, "eth0") as wire:
            for layer in [*layers, f.ipv4(MARKER, src=CLIENT, dst=WALL)]:
                assert wire.send(f.ether(layer, dst=self.mac))
        wait_for(lambda: self.survivors(self.wall, "marked") > marked, "the last packet")
        return self.survivors(self.wall) - before - 1


JUDGE = """
table inet judge {
    counter seen { }
    counter marked { }
    chain input { type filter hook input priority 100; meta nfproto ipv4 counter name seen; udp dport 4444 counter name marked; }
}"""
FILTER = """
table inet filter {
    chain input { type filter hook input priority 0; }
    chain output { type filter hook output priority 0; }
}"""


def shell(line: str) -> str:
    """The line with what a shell would take for its own kept from it."""
    if not line.startswith("nft "):
        return line
    return "nft " + shlex.quote(line.removeprefix("nft "))


def _mac(space: Namespace) -> str:
    found = re.search(r"link/ether (\S+)", space.ip("link show eth0"))
    assert found is not None
    return found[1]


@pytest.fixture
def bench(lab: Lab, tmp_path: Path) -> Iterator[Bench]:
    made = Bench(lab, tmp_path)
    with made.wall.inside():
        yield made


def test_the_page_has_ten_things_said_by_all() -> None:
    assert sorted(items()) == list(range(1, 11))
    assert all(len(lines) == 5 for lines in items().values())


@pytest.mark.parametrize("tool", TOOLS)
@pytest.mark.parametrize("number", sorted(probes()))
def test_they_fare_alike(bench: Bench, tool: str, number: int) -> None:
    if (tool, number) in NOT_RUN:
        assert any(word in items()[number][tool] for word in ("ipset", "hashlimit"))
        return
    probe = probes()[number]
    assert bench.send(probe.frames) == len(probe.frames)  # nothing is dropped yet
    bench.load(tool, items()[number][tool])
    assert bench.send(probe.frames) in probe.come


@pytest.mark.parametrize("tool", TOOLS)
def test_what_goes_out(bench: Bench, tool: str) -> None:
    """9: a connection's SYN to port 25 leaves no more, one to 26 does."""

    def came(ports: Sequence[int], send: Callable[[int], int]) -> int:
        before, marked = bench.survivors(bench.client), bench.survivors(bench.client, "marked")
        for port in ports:
            send(port)
        bench.wall.run("bash", "-c", "echo x > /dev/udp/198.51.100.2/4444")
        wait_for(lambda: bench.survivors(bench.client, "marked") > marked, "the last packet")
        return bench.survivors(bench.client) - before - 1

    def connect(port: int) -> int:
        # A socket that does not wait: its SYN is sent, whoever drops it.
        code = (
            "import socket; s = socket.socket(); s.setblocking(False); "
            f"s.connect_ex(('198.51.100.2', {port}))"
        )
        return bench.wall.status("python3", "-c", code)

    assert came([25, 26], connect) == 2
    bench.load(tool, items()[9][tool])
    assert came([25, 26], connect) == 1
