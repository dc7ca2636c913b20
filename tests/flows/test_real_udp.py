"""Conversations by UDP, long and large, on a host that drops by default."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator

import pytest

from tests.support.net.default_drop import (
    FAMILIES,
    HOST,
    PATH_MTU,
    WORLD,
    DefaultDropHost,
    Family,
    family_of,
)
from tests.support.net.netns import wait_for

WAIT = 60.0
PORT = 443
IPV6_MTU, IPV6_DSTOPTS = 24, 59
PADDING = b"\0\0\1\4\0\0\0\0"
"""A destination options header of one PadN; the kernel fills in what is next."""


@pytest.fixture(autouse=True)
def fresh(home: DefaultDropHost) -> None:
    home.reset()


@contextlib.contextmanager
def sockets(home: DefaultDropHost, family: Family) -> Iterator[tuple[socket.socket, socket.socket]]:
    """The host's, which is connected to the world's, and that one."""
    with home.world.inside():
        theirs = socket.socket(family_of(WORLD[family]), socket.SOCK_DGRAM)
    with home.host.inside():
        mine = socket.socket(family_of(HOST[family]), socket.SOCK_DGRAM)
    with mine, theirs:
        theirs.bind((WORLD[family], PORT))
        mine.bind((HOST[family], 4433))
        mine.connect((WORLD[family], PORT))
        theirs.connect((HOST[family], 4433))
        for one in (mine, theirs):
            one.settimeout(WAIT)
        yield mine, theirs


def learn_path(one: socket.socket) -> None:
    """Send what is too large for the path until the sender knows; nobody would send it again."""

    def knows() -> bool:
        if one.getsockopt(socket.IPPROTO_IPV6, IPV6_MTU) == PATH_MTU:
            one.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)  # it is told once, and then is not
            return True
        with contextlib.suppress(OSError):
            one.send(bytes(1400))
        return False

    wait_for(knows, "the path is known")


def ask(mine: socket.socket, theirs: socket.socket, words: bytes = b"words") -> None:
    """A datagram there, and the same back."""
    mine.send(words)
    assert theirs.recv(65536) == words
    theirs.send(words)
    assert mine.recv(65536) == words


@pytest.mark.parametrize("family", FAMILIES)
def test_a_long_conversation(home: DefaultDropHost, family: Family) -> None:
    """QUIC's way: hours of one pair of ports, in which now this side and now that one is silent."""
    with sockets(home, family) as (mine, theirs):
        ask(mine, theirs)
        for _ in range(10):
            home.age(100)
            theirs.send(b"ping")
            assert mine.recv(100) == b"ping"
            home.age(100)
            mine.send(b"pong")
            assert theirs.recv(100) == b"pong"
        assert home.flow(proto="udp")["packets"] == 22
        # Silent for longer than its timeout: the other side is a stranger until it is asked again.
        home.age(130)
        dropped = home.dropped()
        theirs.send(b"too late")
        wait_for(lambda: home.dropped() == dropped + 1, "it is dropped")
        ask(mine, theirs)
        assert home.flow(proto="udp")["packets"] == 2


@pytest.mark.parametrize("family", FAMILIES)
def test_datagrams_in_fragments(home: DefaultDropHost, family: Family) -> None:
    """Both ways, as large as DNS answers and larger; the later fragments have no ports."""
    with sockets(home, family) as (mine, theirs):
        if family == "ipv6":
            ask(mine, theirs)
            learn_path(mine)
            learn_path(theirs)
        for size in (1, 4000, 60_000):
            ask(mine, theirs, bytes(size))
        assert home.flow(proto="udp")["packets"] > 40
        # The first fragments of a stranger's are dropped, and so are its later ones.
        home.flush()
        dropped = home.dropped()
        theirs.send(bytes(4000))
        wait_for(lambda: home.dropped() >= dropped + 4, "all its fragments")
        ask(mine, theirs)


def test_behind_extension_headers(home: DefaultDropHost) -> None:
    with sockets(home, "ipv6") as (mine, theirs):
        for one in (mine, theirs):
            one.setsockopt(socket.IPPROTO_IPV6, IPV6_DSTOPTS, PADDING)
        ask(mine, theirs)
        learn_path(mine)
        learn_path(theirs)
        ask(mine, theirs, bytes(4000))
        assert home.flow(proto="udp")["state"] == "established"
        home.flush()
        dropped = home.dropped()
        theirs.send(b"unasked")
        wait_for(lambda: home.dropped() == dropped + 1, "it is dropped")
