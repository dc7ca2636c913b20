"""The 35 packets that other firewalls were tested with: the verdict on each is right here.

Three rules: UDP port 53, one source address of each family, ICMP and ICMPv6. The list was
rebuilt from the record of those tests; `wrong` names the firewalls that gave a wrong verdict.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from dataclasses import field as parts

import pytest

from tests.judge.attacks import part, udp, v4, v6
from tests.judge.attacks_headers import routing, stack
from tests.judge.bridge_watch import BridgeWatch
from tests.judge.known import ports_at
from tests.judge.victim import one_cpu
from tests.support.kernel.attached_dataplane import HOOKS, AttachedDataplane
from tests.support.net.netns import Lab
from tests.support.packets import frames as f

PORT = ("drop udp/53",)
SOURCE = ("drop from 10.0.0.9", "drop from 2001:db8::9")
PING = ("drop icmp", "drop icmpv6")
XF, BF, FW, NFT = "xdp-filter", "bpfilter", "XDP-Firewall", "nftables"
V4, V6 = "10.0.0.9", "2001:db8::9"


@dataclass(frozen=True)
class Packet:
    """One of the list; `before` is sent ahead of it."""

    rules: tuple[str, ...]
    drop: bool
    frame: bytes
    wrong: tuple[str, ...] = ()
    before: list[bytes] = parts(default_factory=list)


def tagged(inner: f.Layer, *kinds: int) -> bytes:
    for number, kind in enumerate(reversed(kinds)):
        inner = f.tag(inner, 100 + number, ethertype=kind)
    return f.ether(inner)


def first4(inner: f.Layer) -> bytes:
    return v4(part(inner, 0, 128), 7, more=True)


def later4(inner: f.Layer) -> bytes:
    return v4(part(inner, 128), 7, offset=16)


def piece6(inner: f.Layer, offset: int, end: int | None = None) -> bytes:
    piece = f.fragment6(part(inner, offset, end), offset=offset // 8, more=bool(end), ident=7)
    return v6(piece)


OTHER = f.Layer(17, f.udp(dport=54).data[:8] + ports_at(128, 53, 256).data[8:])
"""UDP to port 54, whose payload reads like port 53 where the second fragment begins."""
LONG_PING = f.icmpv6(payload=bytes(248))

PACKETS = {
    "IPv4 UDP to 53": Packet(PORT, True, v4(udp())),
    "IPv4 UDP to 54": Packet(PORT, False, v4(udp(54))),
    "IPv4 with options": Packet(PORT, True, v4(udp(), options=bytes([1] * 8))),
    "IPv6 UDP to 53": Packet(PORT, True, v6(udp())),
    "IPv6 UDP to 54": Packet(PORT, False, v6(udp(54))),
    "VLAN, IPv4": Packet(PORT, True, tagged(f.ipv4(udp()), 0x8100), (BF, FW)),
    "VLAN, IPv6": Packet(PORT, True, tagged(f.ipv6(udp()), 0x8100), (BF, FW)),
    "QinQ, IPv4": Packet(PORT, True, tagged(f.ipv4(udp()), 0x88A8, 0x8100), (BF, FW, NFT)),
    "hop-by-hop": Packet(PORT, True, v6(stack((0,), udp())), (FW,)),
    "destination options": Packet(PORT, True, v6(stack((60,), udp())), (FW,)),
    "routing header": Packet(PORT, True, v6(routing(0, 0, udp())), (BF, FW)),
    "atomic fragment": Packet(PORT, True, v6(f.fragment6(udp())), (BF, FW)),
    "authentication header": Packet(PORT, True, v6(f.ah(udp())), (BF, FW, NFT)),
    "6 destination options": Packet(PORT, True, v6(stack((60,) * 6, udp())), (XF, FW)),
    "7 destination options": Packet(PORT, True, v6(stack((60,) * 7, udp())), (XF, BF, FW)),
    "IPv4 first fragment": Packet(PORT, True, first4(udp(53, 256))),
    "IPv6 first fragment": Packet(PORT, True, piece6(udp(53, 256), 0, 128), (BF, FW)),
    "IPv4 later fragment, reads like 53": Packet(
        PORT, False, later4(OTHER), (XF, BF, FW, NFT), [first4(OTHER)]
    ),
    "IPv6 later fragment, reads like 53": Packet(
        PORT, False, piece6(OTHER, 128), (XF,), [piece6(OTHER, 0, 128)]
    ),
    "IPv4 from the source": Packet(SOURCE, True, v4(udp(), src=V4)),
    "IPv4 from another": Packet(SOURCE, False, v4(udp())),
    "IPv6 from the source": Packet(SOURCE, True, v6(udp(), src=V6), (FW,)),
    "IPv6 from another": Packet(SOURCE, False, v6(udp())),
    "VLAN, IPv4 from the source": Packet(
        SOURCE, True, tagged(f.ipv4(udp(), src=V4), 0x8100), (BF, FW)
    ),
    "VLAN, IPv6 from the source": Packet(
        SOURCE, True, tagged(f.ipv6(udp(), src=V6), 0x8100), (BF, FW)
    ),
    "GRE from the source": Packet(SOURCE, True, v4(f.raw(47, bytes(24)), src=V4), (FW,)),
    "SCTP from the source": Packet(SOURCE, True, v4(f.sctp(), src=V4), (FW,)),
    "protocol 99 from the source": Packet(SOURCE, True, v4(f.raw(99, bytes(24)), src=V4), (FW,)),
    "cut off behind the IPv4 header": Packet(SOURCE, True, v4(udp(), src=V4)[:34], (BF,)),
    "ping": Packet(PING, True, v4(f.icmp())),
    "VLAN, ping": Packet(PING, True, tagged(f.ipv4(f.icmp()), 0x8100), (BF, FW)),
    "IPv6 ping": Packet(PING, True, v6(f.icmpv6()), (FW,)),
    "IPv6 ping behind an extension header": Packet(PING, True, v6(stack((60,), f.icmpv6())), (FW,)),
    "IPv6 ping, later fragment": Packet(PING, True, piece6(LONG_PING, 128), (BF, FW)),
    "neither": Packet(PING, False, v4(udp())),
}


def test_there_are_35() -> None:
    assert len(PACKETS) == 35


@pytest.fixture(scope="module", params=HOOKS)
def place(request: pytest.FixtureRequest) -> Iterator[tuple[BridgeWatch, AttachedDataplane]]:
    lab = Lab(f"{__name__} {request.param}")
    lab.clean()
    with one_cpu():
        watch = BridgeWatch(lab, "")
        with AttachedDataplane(watch.host, "v0", request.param, lab.bpffs / "wall") as plane:
            yield watch, plane
    watch.close()
    lab.clean()


@pytest.mark.parametrize("name", PACKETS)
def test_right(place: tuple[BridgeWatch, AttachedDataplane], name: str) -> None:
    watch, plane = place
    packet = PACKETS[name]
    frames = [*packet.before, packet.frame]
    plane.load([])
    assert watch.passed(frames) == set(range(len(frames)))
    plane.load(packet.rules)
    everything_before = set(range(len(packet.before)))
    last = set() if packet.drop else {len(packet.before)}
    assert watch.passed(frames) == everything_before | last
