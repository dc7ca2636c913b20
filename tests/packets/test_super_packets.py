"""GSO and GRO: many segments are handed on as one packet. tc counts the segments; generic XDP on what is
no card meets such packets too, and counts each as one; native XDP meets segments alone."""

from __future__ import annotations

import re
import socket
import struct
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.support.kernel.dataplane import KernelBench
from tests.support.net.netns import PATIENCE, Lab, Namespace, wait_for
from tests.support.packets import frames as f
from tests.support.packets.wire.taps import BEFORE, OURS, Taps, attach_tc
from xdpwall.kernel.net.xdp import Mode, xdp_attach
from xdpwall.views.base import Count

PORT = 5001
BULK = 6 << 20
HEADERS = 14 + 20 + 32
"""Of each data segment: Ethernet, IPv4, TCP with its timestamp."""
SYN_MORE = 8
"""Bytes of options that the SYN has more."""
UDP_SEGMENT = 103
MTU = 1500
RULES = (
    "count {} dport 5001 out",
    "count {} dport 5001 in",
    "count {} dport 5001 length 1501-65535 out",
    "count {} dport 5001 length 1501-65535 in",
)


class Counters(NamedTuple):
    """What RULES counted, packets and bytes; `long`: those over the MTU, as `length` sees them."""

    sent: Count
    received: Count
    long_sent: Count
    long_received: Count


@dataclass
class Cable:
    """host v0 (10.0.0.1, tc egress) to box eth0 (10.0.0.2, tc ingress)."""

    bench: KernelBench
    host: Namespace
    box: Namespace
    out: Taps
    into: Taps

    def offload(self, space: Namespace, iface: str, line: str) -> None:
        """ethtool -K"""
        space.run("ethtool", "-K", iface, *line.split())

    def load(self, proto: str) -> None:
        """The rules above; every counter at 0."""
        self.bench.load([rule.format(proto) for rule in RULES])
        self.out.clear()
        self.into.clear()

    def counters(self) -> Counters:
        """Now."""
        found = [Count(packets=packets, bytes=size) for packets, size in self.bench.counters()]
        return Counters(*found)

    def arrived(self) -> int:
        """Packets that the receiving driver counted."""
        text = self.box.ip("-s link show eth0")
        found = re.search(r"RX:.*\n\s*\d+\s+(\d+)", text)
        assert found, text
        return int(found[1])


@pytest.fixture
def cable(lab: Lab, bench: KernelBench) -> Iterator[Cable]:
    host, box = lab.namespace("host"), lab.namespace("box")
    for space in (host, box):
        space.run("sysctl", "-qw", "net.ipv6.conf.default.disable_ipv6=1")
    lab.veth(host, "v0", box, "eth0", address="10.0.0.1/24", peer_address="10.0.0.2/24")
    # ARP would be counted too.
    host.ip(f"neigh add 10.0.0.2 lladdr {_mac(box, 'eth0')} dev v0 nud permanent")
    box.ip(f"neigh add 10.0.0.1 lladdr {_mac(host, 'v0')} dev eth0 nud permanent")
    bench.load([rule.format("tcp") for rule in RULES])  # maps as big as they will be
    with Taps() as out, Taps() as into:
        out.attach(host, "v0", "egress", "tally", BEFORE)
        into.attach(box, "eth0", "ingress", "tally", BEFORE)
        attach_tc(host, "v0", "egress", bench.program("tc-egress").fileno(), OURS)
        attach_tc(box, "eth0", "ingress", bench.program("tc-ingress").fileno(), OURS)
        yield Cable(bench, host, box, out, into)


def _mac(space: Namespace, iface: str) -> str:
    found = re.search(r"link/ether (\S+)", space.ip(f"link show {iface}"))
    assert found
    return found[1]


def _bulk(cable: Cable) -> tuple[int, int]:
    """BULK bytes of TCP from host to box, the connection opened and closed, to the last ACK.

    Returns what the sender's TCP says it sent: segments, and bytes of payload; on a busy machine
    it sends some twice.
    """
    with cable.box.inside():
        listener = socket.create_server(("10.0.0.2", PORT))
    # A window of fewer segments than the 256 that a veth queues: nothing is lost on the cable.
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 96 << 10)
    got: list[int] = []

    def receive() -> None:
        peer, _ = listener.accept()
        with peer:
            while data := peer.recv(1 << 18):
                got.append(len(data))

    thread = threading.Thread(target=receive)
    thread.start()
    with cable.host.inside():
        sender = socket.socket()
    with sender:
        with listener:
            sender.connect(("10.0.0.2", PORT))
            sender.sendall(bytes(BULK))
            sender.shutdown(socket.SHUT_WR)
            thread.join(PATIENCE)
        assert sum(got) == BULK
        wait_for(lambda: not _connected(cable.box), "connection closed")
        info = sender.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 232)
    (segments,) = struct.unpack_from("I", info, 136)  # tcpi_segs_out
    (payload,) = struct.unpack_from("Q", info, 200)  # tcpi_bytes_sent
    return segments, payload


def _connected(space: Namespace) -> bool:
    with space.inside():
        return f":{PORT:04X} " in Path("/proc/thread-self/net/tcp").read_text()


def test_software_segments_are_counted_before_they_are_made(cable: Cable) -> None:
    """Egress has super-packets, the cable one frame a segment: both sides count the same."""
    cable.offload(cable.host, "v0", "tso off gso on")
    cable.load("tcp")
    before = cable.arrived()
    segments, _ = _bulk(cable)
    c = cable.counters()
    handed, _, size, longest = cable.out.tally
    assert longest > MTU + 14
    assert handed < c.sent.packets / 2
    assert c.sent.packets == c.received.packets == cable.arrived() - before == segments
    assert c.sent.bytes == size
    assert c.received.bytes == c.sent.bytes + (c.sent.packets - handed) * HEADERS
    assert c.long_sent.packets > c.sent.packets / 2
    assert c.long_received.packets == 0


def test_super_packets_cross_a_veth_whole(cable: Cable) -> None:
    """With TSO the receiver is handed what the sender was: fewer packets than are counted."""
    cable.offload(cable.host, "v0", "tso on gso on")
    cable.load("tcp")
    before = cable.arrived()
    segments, payload = _bulk(cable)
    c = cable.counters()
    assert c.sent == c.received
    assert c.long_sent == c.long_received
    assert c.sent.packets == segments
    assert c.long_sent.packets > c.sent.packets / 2
    assert cable.arrived() - before == cable.into.tally[0] < c.received.packets / 2
    assert c.sent.bytes == payload + cable.out.tally[0] * HEADERS + SYN_MORE


def test_what_gro_merges_is_counted_as_what_came(cable: Cable) -> None:
    """Single frames on the cable, merged before tc ingress; the receiving driver is the witness."""
    cable.offload(cable.host, "v0", "tso off gso on")
    cable.offload(cable.box, "eth0", "gro on")
    cable.load("tcp")
    before = cable.arrived()
    segments, _ = _bulk(cable)
    c = cable.counters()
    handed, _, size, longest = cable.into.tally
    assert longest > MTU + 14, "something was merged"
    assert handed < c.received.packets
    assert c.received.packets == c.sent.packets == cable.arrived() - before == segments
    assert c.received.bytes == size
    assert c.long_received.packets > 0


def _xdp_instead(cable: Cable, iface: str, mode: Mode) -> None:
    """Ours at XDP in place of tc ingress."""
    cable.box.tc("filter del dev eth0 ingress")
    xdp_attach(cable.box.index(iface), cable.bench.program("xdp").fileno(), mode)


def test_native_xdp_meets_segments(cable: Cable) -> None:
    """As long as it is attached, the kernel holds the sender's side of the cable to single segments."""
    cable.offload(cable.host, "v0", "tso on gso on")
    with cable.box.inside():
        _xdp_instead(cable, "eth0", "native")
    cable.load("tcp")
    segments, _ = _bulk(cable)
    c = cable.counters()
    assert c.received.packets == segments
    assert c.long_received.packets == 0


def test_generic_xdp_meets_super_packets_on_a_veth(cable: Cable) -> None:
    cable.offload(cable.host, "v0", "tso on gso on")
    with cable.box.inside():
        _xdp_instead(cable, "eth0", "generic")
    cable.load("tcp")
    before = cable.arrived()
    segments, _ = _bulk(cable)
    c = cable.counters()
    assert c.received.packets == cable.arrived() - before < segments / 2
    assert c.long_received.packets > 0


def test_generic_xdp_on_the_interface_itself_ends_gro(cable: Cable) -> None:
    cable.offload(cable.host, "v0", "tso off gso on")
    cable.offload(cable.box, "eth0", "gro on")
    with cable.box.inside():
        _xdp_instead(cable, "eth0", "generic")
    cable.load("tcp")
    segments, _ = _bulk(cable)
    c = cable.counters()
    assert c.received.packets == segments
    assert c.long_received.packets == 0


def test_generic_xdp_on_a_bridge_meets_what_a_port_merged(cable: Cable) -> None:
    cable.offload(cable.host, "v0", "tso off gso on")
    cable.offload(cable.box, "eth0", "gro on")
    for line in (
        "link add br0 type bridge",
        f"link set br0 address {_mac(cable.box, 'eth0')} up",
        "addr del 10.0.0.2/24 dev eth0",
        "link set eth0 master br0",
        "addr add 10.0.0.2/24 dev br0",
        f"neigh add 10.0.0.1 lladdr {_mac(cable.host, 'v0')} dev br0 nud permanent",
    ):
        cable.box.ip(line)
    with cable.box.inside():
        _xdp_instead(cable, "br0", "generic")
    cable.load("tcp")
    segments, _ = _bulk(cable)
    c = cable.counters()
    assert 0 < c.received.packets < segments
    assert c.long_received.packets > 0


def test_datagrams_of_one_call_are_counted_each(cable: Cable) -> None:
    """UDP_SEGMENT: ten datagrams in one packet, and `length` sees that packet."""
    cable.load("udp")
    with cable.box.inside():
        receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with cable.host.inside():
        sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with receiver, sender:
        receiver.bind(("10.0.0.2", PORT))
        receiver.settimeout(PATIENCE)
        sender.setsockopt(socket.SOL_UDP, UDP_SEGMENT, 1000)
        sender.sendto(bytes(9500), ("10.0.0.2", PORT))
        assert [len(receiver.recv(2000)) for _ in range(10)] == [1000] * 9 + [500]
    packet = Count(packets=10, bytes=14 + 20 + 8 + 9500)
    assert cable.counters() == (packet,) * 4
    assert cable.out.tally[:2] == (1, 10)


def test_a_guests_super_packet_has_no_count_yet(cable: Cable) -> None:
    """What comes from a guest says the size of its segments and not their number: the kernel
    leaves gso_segs 0, and the packet counts as one."""
    cable.load("tcp")
    payload = f.ipv4(f.tcp(bytes(4000), dport=PORT, flags="ack"), src="10.0.0.1", dst="10.0.0.2")
    frame = f.ether(payload)
    # virtio_net_hdr: checksum wanted from 34 on, written at 16; TCPv4 segments of 1000 bytes.
    head = struct.pack("<BBHHHH", 1, 1, 54, 1000, 34, 16)
    with cable.host.inside():
        guest = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    with guest:
        guest.setsockopt(263, 15, 1)  # SOL_PACKET, PACKET_VNET_HDR
        guest.bind(("v0", 0))
        guest.send(head + frame)
    assert cable.out.tally[:3] == (1, 0, len(frame))
    assert cable.counters().sent == Count(packets=1, bytes=len(frame))
