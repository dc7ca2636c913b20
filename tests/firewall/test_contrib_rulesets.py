"""contrib/rulesets/: each is loaded as it is, found clean, walked by packets, and lived with by real stacks."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.support.net.live_session import LiveSession
from tests.support.net.netns import Lab, Namespace
from tests.support.net.ping import ping
from tests.support.packets import frames as f
from tests.support.packets.packets import TEST_ETHERTYPE, Wire, ethernet
from tests.support.paths import ROOT
from xdpwall.cli.ruleset_input import read_ruleset
from xdpwall.firewall.firewall import Firewall
from xdpwall.settings import Settings
from xdpwall.views.flows import FlowFilter

RULESETS = ROOT / "contrib/rulesets"
MARK = ethernet(b"the end", ethertype=TEST_ETHERTYPE)
WAIT = 20.0
WORLD, HOST = "198.51.100.1", "198.51.100.2"
WORLD6, HOST6 = "2001:db8::1", "2001:db8::2"
OFFICE = "10.1.2.3"
NAT = """
table ip nat {{
  chain pre {{ type nat hook prerouting priority -100; iifname "{outer}" tcp dport {port} dnat to {to} ; }}
  chain post {{ type nat hook postrouting priority 100; oifname "{outer}" ip saddr {net} masquerade ; }}
}}
"""


class Step(NamedTuple):
    """A frame that goes in or out by an interface, and whether it is to pass."""

    words: str
    way: str
    frame: bytes
    passes: bool


def came(words: str, inner: f.Layer, passes: bool, *, src: str = WORLD, dst: str = HOST) -> Step:
    layer = f.ipv6 if ":" in src else f.ipv4
    return Step(words, "in", f.ether(layer(inner, src=src, dst=dst)), passes)


def sent(words: str, inner: f.Layer, passes: bool, *, src: str = HOST, dst: str = WORLD) -> Step:
    layer = f.ipv6 if ":" in src else f.ipv4
    return Step(words, "out", f.ether(layer(inner, src=src, dst=dst)), passes)


ASKED = f.udp(sport=40_000, dport=53)
ANSWERS = (
    came("an answer nobody asked for", f.udp(sport=53, dport=40_000), False),
    sent("the question", ASKED, True),
    came("its answer", f.udp(sport=53, dport=40_000), True),
    came("one from another port", f.udp(sport=54, dport=40_000), False),
    came("an error about it", f.icmp(3, 3, f.ipv4(ASKED, src=HOST, dst=WORLD).data), True),
    came("an error about nothing", f.icmp(3, 3, f.ipv4(f.udp(), src=HOST, dst=WORLD).data), False),
    came("a stray ACK", f.tcp(sport=443, dport=40_001, flags="ack"), False),
    came("a stray SYN-ACK", f.tcp(sport=443, dport=40_001, flags="syn,ack"), False),
    came("a stray RST", f.tcp(sport=443, dport=40_001, flags="rst"), False),
    came("a ping", f.icmp(8), True),
    came("a ping over IPv6", f.icmpv6(128), True, src=WORLD6, dst=HOST6),
    came("a pong nobody asked for", f.icmp(0), False),
    sent("a ping from here", f.icmp(8), True),
    came("its pong", f.icmp(0), True),
    came("DHCP", f.udp(sport=67, dport=68), True, dst="255.255.255.255"),
    came("DHCP from another port", f.udp(sport=66, dport=68), False),
    came("DHCPv6", f.udp(sport=547, dport=546), True, src="fe80::9", dst="fe80::1"),
    came("DHCPv6 from afar", f.udp(sport=547, dport=546), False, src=WORLD6, dst=HOST6),
    came("telnet", f.tcp(sport=50_000, dport=23), False),
    came("GRE", f.raw(47, bytes(8)), False),
)
GUESSES = (
    *(came(f"login {n}", f.tcp(sport=50_000 + n, dport=22), True) for n in range(6)),
    came("one guess too many", f.tcp(sport=50_009, dport=22), False),
    came("another guest", f.tcp(sport=50_000, dport=22), True, src="198.51.100.9"),
    came("who is in", f.tcp(sport=50_000, dport=22, flags="ack"), True),
)
WALKS: dict[str, Sequence[Step]] = {
    "default-drop-host": (*ANSWERS, *GUESSES),
    "web-server": (
        *ANSWERS,
        came("a visitor", f.tcp(sport=50_000, dport=443), True),
        came("a visitor's ACK", f.tcp(sport=50_000, dport=80, flags="ack"), True),
        came("HTTP/3", f.udp(sport=50_000, dport=443), True),
        came("path MTU, of what has no flow", f.icmp(3, 4, b"?" * 28), True),
        came("packet too big, likewise", f.icmpv6(2), True, src=WORLD6, dst=HOST6),
        came("ssh from the office", f.tcp(sport=50_000, dport=22), True, src=OFFICE),
        came("ssh from elsewhere", f.tcp(sport=50_000, dport=22), False),
    ),
    "docker-host": (
        *ANSWERS,
        *GUESSES,
        came("a published port", f.tcp(sport=50_000, dport=8080), True),
        came("what is behind it", f.tcp(sport=50_000, dport=80), False),
        sent("a container's, masqueraded", f.tcp(sport=40_002, dport=443), True),
        came("its answer", f.tcp(sport=443, dport=40_002, flags="syn,ack"), True),
        came("to another port", f.tcp(sport=443, dport=40_003, flags="syn,ack"), False),
    ),
    "lan-router": (
        *ANSWERS,
        came("a forwarded port", f.tcp(sport=50_000, dport=443), True),
        came("the router's ssh", f.tcp(sport=50_000, dport=22), False),
        came("DNS for the world", f.udp(sport=50_000, dport=53), False),
        sent("what was not translated", f.udp(), False, src="192.168.1.7"),
        came("the LAN's addresses from outside", f.tcp(dport=22), False, src="192.168.1.7"),
    ),
}
LAN = (
    came("who has no address yet", f.udp(sport=68, dport=67), True, src="0.0.0.0", dst="255.255.255.255"),
    came("a machine inside", f.tcp(dport=22), True, src="192.168.1.7", dst="192.168.1.1"),
    came("one over IPv6", f.tcp(dport=22), True, src="fd00:1::7", dst="fd00:1::1"),
    came("somebody else's address", f.tcp(dport=22), False, src="10.0.0.7", dst="192.168.1.1"),
    sent("what goes inside", f.tcp(sport=443), True, src=WORLD, dst="192.168.1.7"),
)  # fmt: skip


class Host:
    """A host on a cable to the world, with its firewall and what is behind it."""

    def __init__(self, lab: Lab, outer: str) -> None:
        self.outer, self.lab = outer, lab
        self.host, self.world = lab.namespace("host"), lab.namespace("world")
        lab.veth(
            self.host, outer, self.world, "eth0",
            address=f"{HOST}/24", peer_address=f"{WORLD}/24",
        )  # fmt: skip

    def inside(self, name: str, iface: str, net: str, port: int, to: str) -> Namespace:
        """A machine .10 behind the host, whose address .1 is on `iface`; its way out is translated."""
        box = self.lab.namespace(name)
        self.lab.veth(
            self.host, iface, box, "eth0", address=f"{net}.1/24", peer_address=f"{net}.10/24"
        )
        box.ip(f"route add default via {net}.1")
        self.host.run("sysctl", "-qw", "net.ipv4.ip_forward=1")
        self.host.run("nft", NAT.format(outer=self.outer, port=port, to=to, net=f"{net}.0/24"))
        return box


def walk(steps: Sequence[Step], near: Wire, far: Wire) -> None:
    """Each frame passes or does not, as it is to."""
    for step in steps:
        sender, receiver = (near, far) if step.way == "out" else (far, near)
        receiver.drain()
        sender.send(step.frame)
        sender.send(MARK)
        found = []
        while (one := receiver.receive()) != MARK:
            assert one is not None
            found.append(one)
        assert (step.frame in found) == step.passes, step.words


@contextmanager
def firewall_on(host: Namespace, lab: Lab, folder: Path) -> Iterator[Firewall]:
    """Open, with this thread in the host."""
    settings = Settings(folder / "state", lab.bpffs / "fw", folder / "socket")
    with host.inside(), Firewall.open(settings) as opened:
        yield opened


def take(firewall: Firewall, name: str) -> None:
    """The file as it is, clean and without a warning."""
    done = firewall.apply(read_ruleset(str(RULESETS / f"{name}.yaml")))
    assert done.warnings == []
    assert firewall.check().findings == []


def test_each_is_tried_here() -> None:
    assert {path.stem for path in RULESETS.glob("*.yaml")} == set(WALKS)


@pytest.mark.parametrize("name", WALKS)
def test_packets_walk_it(lab: Lab, tmp_path: Path, name: str) -> None:
    outer = "wan0" if name == "lan-router" else "eth0"
    host = Host(lab, outer)
    with ExitStack() as stack:
        firewall = stack.enter_context(firewall_on(host.host, lab, tmp_path))
        if name == "lan-router":
            box = lab.namespace("lan")
            lab.veth(host.host, "lan0", box, "eth0")
        take(firewall, name)
        near = stack.enter_context(Wire(host.host, outer))
        far = stack.enter_context(Wire(host.world, "eth0"))
        walk(WALKS[name], near, far)
        if name == "web-server":
            # What it answers visitors makes no flow, wherever the question came from.
            firewall.flush_flows(FlowFilter())
            walk([sent("HTTP/3 to somebody", f.udp(sport=443, dport=9), True)], near, far)
            assert firewall.flows().total == 0
        if name == "lan-router":
            inner = stack.enter_context(Wire(host.host, "lan0"))
            walk(LAN, inner, stack.enter_context(Wire(box, "eth0")))


def echo(box: Namespace, peer: Namespace, address: str, port: int) -> str:
    """Ask `address` from the box over UDP, where the peer listens; the asker as the peer sees it."""
    with ExitStack() as stack:
        with peer.inside():
            far = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
            far.bind((address, port))
        with box.inside():
            near = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        for one in (far, near):
            one.settimeout(WAIT)
        near.sendto(b"?", (address, port))
        _, asker = far.recvfrom(1)
        far.sendto(b"!", asker)
        assert near.recv(1) == b"!"
        return str(asker[0])


def reach(box: Namespace, peer: Namespace, where: str, dport: int, at: str, port: int) -> None:
    """A TCP connection from the box to (where, dport), which the peer takes at (at, port)."""
    with ExitStack() as stack:
        with peer.inside():
            server = stack.enter_context(socket.create_server((at, port)))
        server.settimeout(WAIT)
        with box.inside():
            near = stack.enter_context(socket.create_connection((where, dport), timeout=WAIT))
        far = stack.enter_context(server.accept()[0])
        far.sendall(b"x" * 100_000)
        got = 0
        while got < 100_000:
            got += len(near.recv(65536))


@pytest.mark.parametrize(
    ("name", "outer", "inner", "net", "port", "to"),
    [
        ("lan-router", "wan0", "lan0", "192.168.1", 443, "192.168.1.10:8443"),
        ("docker-host", "eth0", "docker0", "172.17.0", 8080, "172.17.0.10:80"),
    ],
)
def test_machines_behind_it_live_on(
    lab: Lab, tmp_path: Path, name: str, outer: str, inner: str, net: str, port: int, to: str
) -> None:
    host = Host(lab, outer)
    box = host.inside("box", inner, net, port, to)
    with firewall_on(host.host, lab, tmp_path) as firewall:
        take(firewall, name)
        assert echo(box, host.world, WORLD, 53) == HOST, "it is masqueraded"
        reach(box, host.world, WORLD, 443, WORLD, 443)
        assert ping(box, WORLD, 2) == 2
        at, behind = to.split(":")
        reach(host.world, box, HOST, port, at, int(behind))
        # The host's own.
        assert echo(host.host, host.world, WORLD, 53) == HOST
        assert ping(host.world, HOST, 2) == 2


@pytest.mark.parametrize("name", ["default-drop-host", "docker-host"])
def test_who_is_logged_in_stays(lab: Lab, tmp_path: Path, name: str) -> None:
    host = Host(lab, "eth0")
    with (
        LiveSession(host.host, host.world, HOST) as session,
        firewall_on(host.host, lab, tmp_path) as firewall,
    ):
        take(firewall, name)
        assert session.works()
        assert ping(host.host, WORLD, 2) == 2
