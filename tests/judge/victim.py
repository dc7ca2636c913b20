"""A host that answers each packet that passes the firewall: sockets and counters."""

from __future__ import annotations

import contextlib
import os
import socket
import struct
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.support.net.netns import Lab, wait_for
from tests.support.packets import frames as f
from tests.support.packets.packets import Wire

PORT = 53
REACHES = "gets through"
NOT_IP = "is not IP to Linux"
UNDELIVERED = "received, delivered to nobody"
LAST = f.ether(f.Layer(0x88B6, b"last"), pad=60)
"""Sent after the frames of interest: when it is there, they have all been dealt with."""


@contextlib.contextmanager
def one_cpu() -> Iterator[None]:
    """This thread on one CPU: frames are then received in the order in which they were sent."""
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(allowed)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, allowed)


class Victim:
    """Namespace `host` with 10.0.1.1 and 2001:db8:1::1 on v0: a UDP and a TCP listener on port 53.

    Whoever holds `box` sends raw frames from eth0 as 10.0.0.1 and 2001:db8::1.
    """

    def __init__(self, lab: Lab) -> None:
        self.host, box = lab.pair()
        # A router, so that a source route could lead on.
        self.host.run("sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1")
        # Nobody ends the handshakes: a SYN-ACK sent again would be taken for a later attack's.
        self.host.run("sysctl", "-qw", "net.ipv4.tcp_synack_retries=0")
        self.host.ip(f"link set v0 address {f.MAC_B.hex(':')}")
        for family, mine, theirs, its in (
            ("-4", "10.0.1.1/32", "10.0.0.0/24", "10.0.0.1"),
            ("-6", "2001:db8:1::1/128", "2001:db8::/64", "2001:db8::1"),
        ):
            self.host.ip(f"{family} addr add {mine} dev v0" + " nodad" * (family == "-6"))
            self.host.ip(f"{family} route add {theirs} dev v0")
            self.host.ip(f"{family} neigh add {its} lladdr {f.MAC_A.hex(':')} dev v0")
        with self.host.inside():
            self.udp = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
            self.tcp = socket.socket(socket.AF_INET6, socket.SOCK_STREAM)
        for listener in (self.udp, self.tcp):
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
            listener.setblocking(False)
            listener.bind(("::", PORT))
        self.udp.setsockopt(socket.IPPROTO_UDP, 102, 1)  # UDP_NO_CHECK6_RX: 0 is no checksum
        self.tcp.listen(512)
        self.sender, self.receiver = Wire(box, "eth0"), Wire(self.host, "v0")
        self.sender.send(LAST)
        wait_for(lambda: self.receiver.receive(LAST.__eq__), "the first frame")

    def suffer(self, frames: Sequence[bytes]) -> set[str]:
        """Send the frames; which of udp, tcp, icmp, icmpv6 got through to what answers them."""
        self.sender.drain()
        self.receiver.drain()
        for frame in frames:
            self.sender.send(frame)
        self.sender.send(LAST)
        assert self.receiver.receive(LAST.__eq__) is not None, "the frame after the attack is lost"
        reached = {name for reply in self.sender.drain() for name in _answer(reply)}
        with contextlib.suppress(BlockingIOError):
            while self.udp.recv(65536) is not None:
                reached.add("udp")
        return reached

    def alone(self, frames: Sequence[bytes]) -> tuple[set[str], Counter[str]]:
        """What reaches, and which counters rise; for when no firewall is in the way."""
        before = Counter(self.statistics())
        reached = self.suffer(frames)
        return reached, Counter(self.statistics()) - before

    def statistics(self) -> dict[str, int]:
        """The counters that nstat shows: IpReasmFails, Ip6InHdrErrors, ..."""
        with self.host.inside():
            tables = [Path(f"/proc/thread-self/net/{n}").read_text() for n in ("snmp", "netstat")]
            six = Path("/proc/thread-self/net/snmp6").read_text()
        found = {}
        for table in tables:
            lines = [line.split() for line in table.splitlines()]
            for names, values in zip(lines[::2], lines[1::2], strict=True):
                group = names[0].rstrip(":")
                for name, value in zip(names[1:], values[1:], strict=True):
                    found[group + name] = int(value)
        return found | {n: int(v) for n, v in (line.split() for line in six.splitlines())}

    def close(self) -> None:
        """Close the sockets; the namespaces are the lab's."""
        for each in (self.udp, self.tcp, self.sender, self.receiver):
            each.close()


def check_alone(victim: Victim, frames: Sequence[bytes], expected: str) -> None:
    """Assert what Linux does with the frames: REACHES, NOT_IP, UNDELIVERED or the counter's name."""
    reached, rose = victim.alone(frames)
    if expected == REACHES:
        assert len(reached) == 1, rose
        return
    assert reached == set(), (reached, rose)
    received = rose["IpInReceives"] + rose["Ip6InReceives"]
    if expected == NOT_IP:
        assert received == 0, rose
    elif expected == UNDELIVERED:
        delivered = ("IpInDelivers", "Ip6InDelivers", "IpForwDatagrams", "Ip6OutForwDatagrams")
        assert received and not any(rose[name] for name in delivered), rose
    else:
        assert rose[expected], rose


def _answer(reply: bytes) -> Iterator[str]:
    """What kind of answer a frame from the victim is: a SYN-ACK, an echo reply."""
    kind, ip = struct.unpack("!H", reply[12:14])[0], reply[14:]
    if kind == 0x0800:
        number, upper = ip[9], ip[4 * (ip[0] & 15) :]
    elif kind == 0x86DD:
        number, upper = ip[6], ip[40:]
    else:
        return
    if number == 6 and upper[13] & 0x12 == 0x12:
        yield "tcp"
    if (number, upper[0]) == (1, 0):
        yield "icmp"
    if (number, upper[0]) == (58, 129):
        yield "icmpv6"
