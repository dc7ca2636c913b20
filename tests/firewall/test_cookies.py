"""SYNs answered at XDP on a cable: real stacks connect by the cookies, also under a flood of SYNs."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.firewall.support import BOX6, HOST6, Site, rules
from tests.support.kernel.tinybpf import tiny
from tests.support.net.netns import PATIENCE, wait_for
from tests.support.packets.packets import Wire
from tests.support.packets.syn import Syn, SynAck, read_syn_ack
from xdpwall.firewall.firewall import Firewall
from xdpwall.kernel.net.xdp import xdp_attach, xdp_detach
from xdpwall.values.terms import Mode

HOST, BOX = "10.9.0.1", "10.9.0.2"
ADDRESSES = {"ipv4": (HOST, BOX), "ipv6": (HOST6, BOX6)}
WAIT = 20.0
PORT = 443
BACKLOG = 8
FLOOD = 64
_SOL_PACKET, _PACKET_AUXDATA, _TPACKET_VLAN = 263, 8, 1 << 4


@pytest.fixture
def answering(site6: Site) -> Iterator[Site]:
    """The cable, by which SYNs come with whole checksums, and answers sent by XDP arrive."""
    site6.box.run("ethtool", "-K", "eth0", "tx", "off")
    with site6.box.inside(), tiny("xdp_pass") as program:
        xdp_attach(site6.box.index("eth0"), program.fileno(), "native")
    yield site6


def cookies(site: Site, value: int) -> None:
    """net.ipv4.tcp_syncookies of the host; IPv6 has no other."""
    site.host.run("sysctl", "-qw", f"net.ipv4.tcp_syncookies={value}")


def listen(address: str) -> socket.socket:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    made = socket.create_server((address, PORT), family=family, backlog=BACKLOG)
    made.settimeout(PATIENCE)
    return made


def talk(site: Site, listener: socket.socket, address: str) -> None:
    """Connect from the box, and send bytes both ways."""
    with ExitStack() as stack:
        with site.box.inside():
            client = stack.enter_context(socket.create_connection((address, PORT), WAIT))
        server = stack.enter_context(listener.accept()[0])
        server.settimeout(PATIENCE)
        for one, other in ((client, server), (server, client)):
            one.sendall(b"x" * 50_000)
            left = 50_000
            while left:
                left -= len(other.recv(left))


def answered(firewall: Firewall) -> int:
    found = firewall.rule("r1").answered
    assert found is not None
    return found


@pytest.mark.parametrize("mode", ["native", "generic"])
@pytest.mark.parametrize("family", ADDRESSES)
def test_connections_by_cookies_alone(answering: Site, mode: Mode, family: str) -> None:
    host, _ = ADDRESSES[family]
    cookies(answering, 2)
    with answering.open() as firewall, listen(host) as listener:
        firewall.attach("veth0", mode=mode)
        assert firewall.add_rules(rules("accept tcp/443 cookie")).warnings == []
        for count in range(1, 4):
            talk(answering, listener, host)
            assert answered(firewall) == count
        rule = firewall.rule("r1")
        assert rule.packets > 3 and rule.text == "accept tcp/443 cookie"


@pytest.mark.parametrize("mode", ["native", "generic"])
@pytest.mark.parametrize("family", ADDRESSES)
def test_clients_are_served_under_a_flood(answering: Site, mode: Mode, family: str) -> None:
    """With tcp_syncookies 1 the kernel's own queue takes the first SYNs, and XDP the others. A host that
    drops by default, so that all that comes in passes by the rule."""
    host, _ = ADDRESSES[family]
    cookies(answering, 1)
    answering.host.ip(f"route add default via {BOX}")
    answering.host.ip(f"-6 route add default via {BOX6}")
    with (
        answering.open() as firewall,
        listen(host) as listener,
        Wire(answering.box, "eth0") as wire,
    ):
        firewall.attach("veth0", mode=mode)
        firewall.attach("veth0", hook="tc", direction="egress")
        firewall.add_rules(rules("accept tcp/443 keep cookie"))
        firewall.add_rules(rules("accept icmpv6", "accept state established"))
        firewall.set_policy({"ingress": "drop", "egress": "accept keep"})
        talk(answering, listener, host)
        assert answered(firewall) == 0
        for frame in flood(answering, host):
            assert wire.send(frame)
        wait_for(lambda: firewall.rule("r1").packets >= FLOOD, "the flood")
        assert FLOOD - 2 * BACKLOG <= (before := answered(firewall)) < FLOOD
        # Without an answer at XDP, and with it: the queue stays full for a minute.
        talk(answering, listener, host)
        assert answered(firewall) > before


def flood(site: Site, host: str) -> Iterator[bytes]:
    """SYNs of many sources, from the box's card to the host's."""
    to, own = (mac(space, iface) for space, iface in ((site.host, "veth0"), (site.box, "eth0")))
    for number in range(FLOOD):
        source = f"2001:db8::{number + 1:x}" if ":" in host else f"198.51.100.{number + 1}"
        yield to + own + Syn(source, host, sport=1024 + number).frame()[12:]


def mac(space: object, iface: str) -> bytes:
    words = space.ip(f"-o link show {iface}").split()  # type: ignore[attr-defined]
    return bytes.fromhex(words[words.index("link/ether") + 1].replace(":", ""))


@pytest.mark.parametrize("mode", ["native", "generic"])
@pytest.mark.parametrize("family", ADDRESSES)
def test_a_tag_in_the_frame_is_in_the_answer(answering: Site, mode: Mode, family: str) -> None:
    host, box = ADDRESSES[family]
    cookies(answering, 2)
    to, own = mac(answering.host, "veth0"), mac(answering.box, "eth0")
    with answering.open() as firewall, listen(host), Wire(answering.box, "eth0") as wire:
        firewall.attach("veth0", mode=mode)
        firewall.add_rules(rules("accept tcp/443 cookie"))
        wire.socket.setsockopt(_SOL_PACKET, _PACKET_AUXDATA, 1)
        syn = Syn(box, host, sport=1024)
        assert wire.send(to + own + syn.frame(77)[12:])
        told, tag = receive(wire)
        assert (tag, told.ack, told.macs) == (77, syn.seq + 1, (own, to))


def receive(wire: Wire) -> tuple[SynAck, int | None]:
    """The next SYN-ACK, and the tag that the kernel has taken off it."""
    wire.socket.settimeout(PATIENCE)
    while True:
        frame, extra, _, address = wire.socket.recvmsg(2048, 64)
        if address[2] == socket.PACKET_OUTGOING or frame[12:14] not in (b"\x08\x00", b"\x86\xdd"):
            continue
        at = 14 + (20 if frame[12:14] == b"\x08\x00" else 40)
        if frame[at : at + 2] != struct.pack("!H", PORT):
            continue
        for _, _, data in extra:
            status, _, _, _, _, tci, _ = struct.unpack("=IIIHHHH", data)
            return read_syn_ack(frame), tci if status & _TPACKET_VLAN else None


def test_a_peer_that_receives_no_answers(answering: Site) -> None:
    """The SYN passes, the kernel answers itself, and whoever asks is told, until the peer has XDP again."""
    index = answering.box.index("eth0")
    with answering.box.inside():
        xdp_detach(index, "native")
    cookies(answering, 2)
    with answering.open() as firewall, listen(HOST) as listener, tiny("xdp_pass") as program:
        firewall.attach("veth0", mode="native")
        (said,) = firewall.add_rules(rules("accept tcp/443 cookie")).warnings
        assert (
            said.startswith("veth0 xdp: SYNs pass unanswered") and "peer receives nothing" in said
        )
        assert said in firewall.status().warnings
        talk(answering, listener, HOST)
        assert answered(firewall) == 0
        with answering.box.inside():
            xdp_attach(index, program.fileno(), "native")
        assert said not in firewall.attach("veth0", mode="native").warnings
        assert said not in firewall.status().warnings
        talk(answering, listener, HOST)
        assert answered(firewall) == 1


def test_a_service_notices_the_peer(answering: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("xdpwall.changes.answering._AGAIN", 0.0)
    index = answering.box.index("eth0")
    cookies(answering, 2)
    with answering.open(service=True) as firewall, listen(HOST) as listener:
        firewall.attach("veth0", mode="native")
        firewall.add_rules(rules("accept tcp/443 cookie"))
        firewall.watch()
        talk(answering, listener, HOST)
        assert answered(firewall) == 1
        with answering.box.inside():
            xdp_detach(index, "native")
        wait_for(lambda: not answering_bits(firewall), "the watcher's look")
        talk(answering, listener, HOST)
        assert answered(firewall) == 1


def answering_bits(firewall: Firewall) -> int:
    with firewall._instance.lock.threads:
        dataplane = firewall._instance.dataplane()
        return dataplane.map_set.rates.answering if dataplane is not None else 0


def test_answers_count_anew_after_a_reset_and_in_metrics_not(answering: Site) -> None:
    cookies(answering, 2)
    with answering.open() as firewall, listen(HOST) as listener:
        firewall.attach("veth0")
        firewall.add_rules(rules("accept tcp/443 cookie", "accept tcp/22"))
        talk(answering, listener, HOST)
        assert [rule.answered for rule in firewall.rules().rules] == [1, None]
        assert firewall.metrics().answered == {"r1": 1}
        firewall.reset_counters()
        assert answered(firewall) == 0 and firewall.metrics().answered == {"r1": 1}
        talk(answering, listener, HOST)
        assert [one.answered for one in firewall.stats().rules] == [1, None]
        # Another rule in the same place begins at 0, and without one nothing is answered.
        firewall.set_rule("r1", {"cookie": False})
        talk(answering, listener, HOST)
        assert firewall.rule("r1").answered is None and firewall.metrics().answered == {}


def test_explaining_answers_nothing_and_says_so(answering: Site) -> None:
    cookies(answering, 2)
    with answering.open() as firewall, listen(HOST):
        firewall.attach("veth0")
        firewall.attach("veth0", hook="tc")
        firewall.add_rules(rules("accept tcp/443 cookie"))
        for flags, told in (("syn/syn,ack", [True, False]), ("ack/ack", [False, False])):
            packet = f"tcp/443 from {BOX} to {HOST} flags {flags.partition('/')[0]} on veth0"
            (found,) = firewall.explain([packet]).packets
            assert [hook.rule is not None for hook in found.hooks] == [True, True]
            said = [
                any("would be answered at XDP" in n for n in hook.notes) for hook in found.hooks
            ]
            assert said == told
        assert (answered(firewall), firewall.rule("r1").packets) == (0, 0)
