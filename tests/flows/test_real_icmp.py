"""Pings, traceroutes, and the errors that tell of a narrow path."""

from __future__ import annotations

import socket

import pytest

from tests.support.net.default_drop import (
    FAMILIES,
    HOST,
    PATH_MTU,
    ROUTER,
    WORLD,
    DefaultDropHost,
    Family,
    family_of,
)
from tests.support.net.netns import wait_for
from tests.support.net.ping import ping

IP_MTU_DISCOVER, IP_PMTUDISC_DO = 10, 2
IPV6_MTU_DISCOVER = 23


@pytest.fixture(autouse=True)
def fresh(home: DefaultDropHost) -> None:
    home.reset()
    home.forget_paths()


@pytest.mark.parametrize("family", FAMILIES)
def test_ping_both_ways(home: DefaultDropHost, family: Family) -> None:
    assert ping(home.host, WORLD[family], 3) == 3
    assert home.counted("established") == 3
    assert home.counted(f"ping{family[-1]}") == 0
    assert len(home.flows()) == 1
    assert ping(home.world, HOST[family], 3) == 3
    # The host's answers make no flow: an answer that nobody asked for is invalid.
    assert home.counted(f"ping{family[-1]}") == 3
    assert len(home.flows()) == 1


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("method", ["udp", "icmp", "tcp"])
def test_traceroute_sees_every_hop(home: DefaultDropHost, method: str, family: Family) -> None:
    options = {"udp": [], "icmp": ["-I"], "tcp": ["-T", "-p", "9"]}[method]
    said = home.host.run(
        "traceroute", *options, "-n", "-q", "1", "-w", "20", f"-{family[-1]}", WORLD[family]
    )
    hops = [line.split()[1] for line in said.splitlines()[1:]]
    assert hops == [ROUTER[family], WORLD[family]], said
    assert home.counted("related") >= (2 if method == "udp" else 1)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_path_is_found_to_be_narrow(home: DefaultDropHost, family: Family) -> None:
    """And without the rule for `related` it is not: the path stays a black hole."""
    level, option = (
        (socket.IPPROTO_IP, IP_MTU_DISCOVER)
        if family == "ipv4"
        else (socket.IPPROTO_IPV6, IPV6_MTU_DISCOVER)
    )
    with home.host.inside():
        asking = socket.socket(family_of(HOST[family]), socket.SOCK_DGRAM)
    with asking:
        asking.setsockopt(level, option, IP_PMTUDISC_DO)
        asking.connect((WORLD[family], 9))
        assert home.service.call("PATCH", "/rules/related", {"enabled": False}).status == 200
        before = home.dropped()
        asking.send(bytes(1400))
        wait_for(lambda: home.dropped() > before, "the error is dropped")
        assert _known_mtu(asking, family) == 1500
        assert home.service.call("PATCH", "/rules/related", {"enabled": True}).status == 200
        asking.send(bytes(1400))
        wait_for(lambda: _known_mtu(asking, family) == PATH_MTU, "the error arrives")
    assert home.counted("related") == 1


def _known_mtu(asking: socket.socket, family: Family) -> int:
    """IP_MTU, IPV6_MTU."""
    if family == "ipv4":
        return asking.getsockopt(socket.IPPROTO_IP, 14)
    return asking.getsockopt(socket.IPPROTO_IPV6, 24)
