"""The interfaces that packets to a peer pass, and the connections of a namespace."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_address

import pytest

from tests.support.net.live_session import LiveSession
from tests.support.net.netns import Lab, Namespace
from xdpwall.kernel.net.paths import Paths
from xdpwall.kernel.net.tcp_connections import connections, listening_ports


@pytest.fixture
def host(lab: Lab) -> Iterator[Namespace]:
    """A host with a cable to the world, a bridge with the office on a port, and a macvlan on the cable."""
    host, world, office = lab.namespace("host"), lab.namespace("world"), lab.namespace("office")
    lab.veth(host, "wan", world, "eth0", address="192.0.2.2/24", peer_address="192.0.2.1/24")
    lab.bridge(host, "br0", "10.0.0.1/24", "2001:db8::1/64")
    lab.veth(host, "port", office, "eth0", master="br0", peer_address="10.0.0.2/24")
    host.ip("link add mv0 link wan type macvlan")
    host.ip("link set mv0 up")
    host.ip("route add default via 192.0.2.1")
    host.ip("route add 10.0.0.128/25 via 192.0.2.1")
    host.ip("route add unreachable 198.51.100.0/24")
    host.ip("route add 203.0.113.0/24 dev mv0")
    with host.inside():
        yield host


@pytest.mark.parametrize(
    ("peer", "names"),
    [
        ("10.0.0.2", {"br0", "port"}),
        ("10.0.0.200", {"wan"}),
        ("203.0.113.9", {"mv0", "wan"}),
        ("192.0.2.77", {"wan"}),
        ("198.51.100.1", set()),
        ("2001:db8::7", {"br0", "port"}),
        ("2001:db9::7", set()),
        ("fe80::1%br0", {"br0", "port"}),
        ("127.0.0.1", {"lo"}),
        ("10.0.0.1", {"lo"}),
        ("::1", {"lo"}),
    ],
)
def test_the_way_to_a_peer(host: Namespace, peer: str, names: set[str]) -> None:
    address = ip_address(peer)
    local = ip_address("10.0.0.1" if address.version == 4 else "2001:db8::1")
    found = Paths().to(address, local)
    assert found == {host.index(name): None for name in names}


@pytest.mark.parametrize(
    ("peer", "neighbor"),
    [
        ("10.0.0.2", "10.0.0.2"),
        ("10.0.0.200", "192.0.2.1"),
        ("198.51.100.1", "198.51.100.1"),
        ("2001:db8::7", "2001:db8::7"),
        ("2001:dba::7", "fe80::77"),
    ],
)
def test_whose_link_layer_address_is_needed(host: Namespace, peer: str, neighbor: str) -> None:
    host.ip("-6 route add 2001:dba::/64 via fe80::77 dev wan")
    local = ip_address("10.0.0.1" if "." in peer else "2001:db8::1")
    assert Paths().neighbor(ip_address(peer), local) == ip_address(neighbor)


def test_an_address_that_is_not_here_is_no_obstacle(host: Namespace) -> None:
    found = Paths().to(ip_address("10.0.0.2"), ip_address("172.31.0.1"))
    assert set(found) == {host.index("br0"), host.index("port")}


def test_connections_of_a_peer_and_all(lab: Lab) -> None:
    host, box = lab.pair()
    host.ip("addr add 10.9.0.1/24 dev v0")
    box.ip("addr add 10.9.0.2/24 dev eth0")
    with host.inside():
        assert list(connections()) == []
        with LiveSession(host, box, "10.9.0.1", 2022) as session:
            (one,) = connections()
            shown = f"{one.peer} {one.peer_port} {one.local} {one.local_port}"
            assert shown == session.text
            assert list(connections(ip_address("10.9.0.2"))) == [one]
            assert list(connections(ip_address("10.9.0.3"))) == []
            assert list(connections(ip_address("2001:db8::1"))) == []
            assert listening_ports() == {2022}
