"""A wall with everything that drops: our XDP rule, our tc rule, nftables, and nobody listening."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.support import Instance
from tests.support.net.netns import Lab
from tests.support.packets import frames as f
from tests.support.packets.packets import Wire
from xdpwall.closing import Closing

XDP_PORT, TC_PORT, NFT_PORT, CLOSED_PORT, BAD_PORT, LAST_PORT = 1001, 1002, 1003, 1004, 1005, 1999
SPORT = 4719
"""Of no other test: drops of those beside are seen, too."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """One after the other, in one process: a trace sees the drops of the whole machine, and a filter may
    want the packets of a test beside it."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.host)


class Place(Closing):
    """near has a cable to the wall's eth0, which has XDP, and one to its eth1, which has tc."""

    def __init__(self, lab: Lab, folder: Path, mode: str) -> None:
        self.near, self.space = lab.namespace("near"), lab.namespace("wall")
        for n in (0, 1):
            lab.veth(self.space, f"eth{n}", self.near, f"eth{n}", address=f"10.9.{n}.1/24")
            self.space.ip(f"link set eth{n} address {f.MAC_B.hex(':')}")
        self.space.run(
            "nft", "add table inet test; add chain inet test in { type filter hook input priority 0; };"
            f" add rule inet test in udp dport {NFT_PORT} drop",
        )  # fmt: skip
        state, pins = folder / "state", lab.bpffs / "xdpwall"
        self.firewall = Instance(state, pins, folder / "sock", self.space, self.near)
        with self.space.inside():
            self.firewall.done("attach", "eth0", "--mode", mode)
            self.firewall.done("attach", "eth1", "--hook", "tc")
            self.firewall.done("attach", "eth1", "--hook", "tc", "--direction", "egress")
            self.firewall.done("rule", "add", f"drop udp/{XDP_PORT} on eth0", "--id", "by-xdp")
            self.firewall.done("rule", "add", f"drop udp/{TC_PORT} on eth1 in", "--id", "by-tc")
            self.firewall.done(
                "rule", "add", f"drop udp/{TC_PORT} on eth1 out", "--id", "by-egress"
            )
        self.wires = [Wire(self.near, f"eth{n}") for n in (0, 1)]

    def send(self, cable: int, dport: int, *, bad: bool = False, src: str | None = None) -> None:
        """A UDP packet to the wall; `bad`: with a wrong checksum."""
        udp = struct.pack("!4H", SPORT, dport, 16, 0x1234 if bad else 0) + b"payload."
        source = src or f"10.9.{cable}.2"
        packet = f.ipv4(f.raw(17, udp), src=source, dst=f"10.9.{cable}.1")
        assert self.wires[cable].send(f.ether(packet))

    def close(self) -> None:
        for wire in self.wires:
            wire.close()


@pytest.fixture(scope="module", params=["generic", "native"])
def mode(request: pytest.FixtureRequest) -> str:
    """Of the XDP attachment: the kernel tells of such drops in other ways."""
    return str(request.param)


@pytest.fixture(scope="module")
def place(mode: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    lab = Lab(f"tests/trace/{mode}")
    lab.clean()
    try:
        with Place(lab, tmp_path_factory.mktemp("wall"), mode) as made:
            yield made
    finally:
        lab.clean()
