"""What TCP does in its long life, on a host that drops by default."""

from __future__ import annotations

import contextlib
import functools
import itertools
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.support.net.default_drop import (
    FAMILIES,
    HOST,
    ROUTER,
    WORLD,
    DefaultDropHost,
    Family,
    family_of,
)
from tests.support.net.netns import Namespace, wait_for

WAIT = 60.0
PORTS = itertools.count(8080)
PLACES = ("xdp", "tc-egress")
IPV6_DSTOPTS = 59
PADDING = b"\0\0\1\4\0\0\0\0"
"""A destination options header of one PadN; the kernel fills in what is next."""


@pytest.fixture(autouse=True)
def fresh(home: DefaultDropHost) -> None:
    home.reset()


@pytest.fixture
def port() -> int:
    """One that no other test has used."""
    return next(PORTS)


@contextlib.contextmanager
def connection(
    home: DefaultDropHost, family: Family, port: int
) -> Iterator[tuple[socket.socket, socket.socket]]:
    """From the host to the world: (the host's end, the world's)."""
    with home.world.inside():
        listener = socket.create_server((WORLD[family], port), family=family_of(WORLD[family]))
    with listener:
        with home.host.inside():
            mine = socket.create_connection((WORLD[family], port), timeout=WAIT)
        theirs = listener.accept()[0]
    theirs.settimeout(WAIT)
    with mine, theirs:
        yield mine, theirs
        for end in (mine, theirs):  # at once: no FIN of it comes into the next test
            end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def talk(one: socket.socket, other: socket.socket, words: bytes = b"words") -> None:
    """There and back."""
    for end, far in ((one, other), (other, one)):
        end.sendall(words)
        got = b""
        while len(got) < len(words):
            more = far.recv(len(words) - len(got))
            assert more
            got += more
        assert got == words


def wait_for_packets(home: DefaultDropHost, port: int, count: int) -> None:
    """Until the flow has seen so many."""
    wait_for(lambda: home.flow(port=port)["packets"] >= count, f"{count} packets")


def is_gone(home: DefaultDropHost, port: int) -> bool:
    """After more than a half-closed connection may be silent."""
    home.age(200)
    return not home.flows(port=port)


@pytest.mark.parametrize("family", FAMILIES)
def test_half_closed_for_long(home: DefaultDropHost, port: int, family: Family) -> None:
    """One direction goes on for longer than a half-closed connection may be silent."""
    with connection(home, family, port) as (mine, theirs):
        talk(mine, theirs)
        mine.shutdown(socket.SHUT_WR)
        assert theirs.recv(1) == b""
        for _ in range(3):
            assert home.flow(port=port)["state"] == "closing"
            assert home.flow(port=port)["expires"] <= 121
            home.age(100)
            theirs.sendall(b"still here")
            assert mine.recv(100) == b"still here"
        # Silent for longer, the socket vouches for it.
        before = home.counts()["by_socket"]
        wait_for(lambda: is_gone(home, port), "no flow")
        theirs.sendall(b"and now")
        assert mine.recv(100) == b"and now"
        assert home.counts()["by_socket"] > before


@pytest.mark.parametrize("family", FAMILIES)
def test_keepalive_holds_the_flow(home: DefaultDropHost, port: int, family: Family) -> None:
    """Nothing is said for twice the timeout but what keepalive asks and the other side answers."""
    with connection(home, family, port) as (mine, theirs):
        talk(mine, theirs)
        packets = home.flow(port=port)["packets"]
        mine.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        mine.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 1)
        mine.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 1)
        for _ in range(2):
            home.age(7900)
            wait_for_packets(home, port, home.flow(port=port)["packets"] + 2)
            assert home.flow(port=port)["expires"] > 7900
        theirs.sendall(b"good morning")
        assert mine.recv(100) == b"good morning"
        assert home.flow(port=port)["packets"] >= packets + 6


@pytest.mark.parametrize("family", FAMILIES)
def test_older_than_the_firewall(home: DefaultDropHost, family: Family) -> None:
    """Opened by either side while nothing was attached, it goes on, whoever speaks first."""
    for place in PLACES:
        path = f"/interfaces/veth0/attachments/{place}"
        assert home.service.call("DELETE", path).status == 200
    with ExitStack() as stack:
        with home.host.inside():
            address = (HOST[family], 22022)
            listener = stack.enter_context(
                socket.create_server(address, family=family_of(HOST[family]))
            )
        pairs = [stack.enter_context(connection(home, family, next(PORTS))) for _ in range(2)]
        for _ in range(2):
            with home.world.inside():
                caller = stack.enter_context(socket.create_connection(address, timeout=WAIT))
            called = stack.enter_context(listener.accept()[0])
            called.settimeout(WAIT)
            pairs.append((called, caller))
        for place in PLACES:
            done = home.service.call("PUT", f"/interfaces/veth0/attachments/{place}", {})
            assert done.status == 201, done.content
        before = home.counts()["by_socket"]
        assert not home.flows()
        for number, (near, far) in enumerate(pairs):
            talk(*((near, far) if number % 2 else (far, near)))
        assert home.counts()["by_socket"] >= before + 4
        assert {one["state"] for one in home.flows()} == {"established"}
        # But a new one from there is a stranger's.
        dropped = home.dropped()
        with home.world.inside():
            stranger = stack.enter_context(socket.socket(family_of(HOST[family])))
        stranger.setblocking(False)
        stranger.connect_ex(address)
        wait_for(lambda: home.dropped() > dropped, "its SYN")
        assert len({(one["sport"], one["dport"]) for one in home.flows()}) == 4


SYN_ACKS = """
table inet seen {
  counter in {}
  counter out {}
  chain i { type filter hook input priority 0; tcp flags & (syn|ack) == syn|ack counter name in; }
  chain o { type filter hook output priority 0; tcp flags & (syn|ack) == syn|ack counter name out; }
}
table arp hush { chain in { type filter hook input priority 0; policy drop; }; }
"""


def test_simultaneous_open(home: DefaultDropHost, port: int) -> None:
    """Both SYNs are under way before either arrives: they wait in queues for a neighbour's address."""
    ends = (
        (home.host, "veth0", HOST["ipv4"], ROUTER["ipv4"], _mac(home.router, "near")),
        (home.router, "near", ROUTER["ipv4"], HOST["ipv4"], _mac(home.host, "veth0")),
    )
    with ExitStack() as stack:
        sockets = []
        for space, iface, own, other, _ in ends:
            space.run("nft", SYN_ACKS)
            space.run("sysctl", "-qw", f"net.ipv4.neigh.{iface}.mcast_solicit=60")
            stack.callback(space.run, "nft", "flush", "ruleset")
            space.ip(f"neigh flush dev {iface}")
            with space.inside():
                one = stack.enter_context(socket.socket())
            sockets.append(one)
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            one.bind((own, port))
            one.setblocking(False)
            one.connect_ex((other, port))
        for space, iface, _, other, mac in ends:
            space.ip(f"neigh replace {other} dev {iface} lladdr {mac} nud permanent")
            stack.callback(space.ip, f"neigh del {other} dev {iface}")
        for one in sockets:
            wait_for(functools.partial(_is_connected, one), "connected")
            one.settimeout(WAIT)
        talk(sockets[0], sockets[1])
        flow = home.flow(port=port)
        assert (flow["state"], flow["assured"], flow["src"]) == ("established", True, HOST["ipv4"])
        # Each side has sent one: SYNs have crossed.
        for name in ("in", "out"):
            assert "packets 0" not in home.router.run(
                "nft", "list", "counter", "inet", "seen", name
            )


def _mac(space: Namespace, iface: str) -> str:
    return space.ip(f"-o link show {iface}").split("link/ether ")[1].split()[0]


def _is_connected(one: socket.socket) -> bool:
    return one.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 8)[0] == 1


def test_behind_extension_headers(home: DefaultDropHost, port: int) -> None:
    """Each side's segments carry a destination options header in front."""
    with connection(home, "ipv6", port) as (mine, theirs):
        for end in (mine, theirs):
            end.setsockopt(socket.IPPROTO_IPV6, IPV6_DSTOPTS, PADDING)
        packets = home.flow(port=port)["packets"]
        for _ in range(10):
            talk(mine, theirs, b"x" * 1000)
        assert home.flow(port=port)["packets"] > packets + 20
        # And where the flow is gone, the socket is found behind it.
        before = home.counts()["by_socket"]
        home.flush()
        talk(theirs, mine)
        assert home.counts()["by_socket"] > before


SEND = "import socket\ns = socket.socket(fileno=0)\nwhile s.send(bytes(65536)): pass"


@pytest.mark.parametrize("how", ["stop", "kill"])
def test_a_restart_in_the_middle_of_a_transfer(home: DefaultDropHost, port: int, how: str) -> None:
    """The flow is the same before and after, and no packet needed a socket's word meanwhile."""
    with connection(home, "ipv4", port) as (mine, theirs):
        talk(mine, theirs)
        theirs.setblocking(True)
        with subprocess.Popen([sys.executable, "-c", SEND], stdin=theirs.fileno()) as sender:
            try:
                read(mine, 1_000_000)
                packets = home.flow(port=port)["packets"]
                by_socket = home.counts()["by_socket"]
                getattr(home.service, how)()
                try:
                    read(mine, 10_000_000)
                finally:
                    home.service.start()
                read(mine, 1_000_000)
            finally:
                sender.kill()
        flow = home.flow(port=port)
        assert flow["assured"] and flow["packets"] > packets + 20
        assert home.counts()["by_socket"] == by_socket


def read(end: socket.socket, size: int) -> None:
    """So many bytes."""
    while size > 0:
        more = end.recv(min(size, 1 << 20))
        assert more
        size -= len(more)
