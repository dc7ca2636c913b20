"""What would cut the caller's SSH session is refused, and --force passes."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.support.netns import Lab, Namespace
from xdpwall.cli import guards


@pytest.fixture
def host(lab: Lab) -> Iterator[Namespace]:
    """A host with one cable to the world and one to the office; this thread is in it."""
    host, world, office = lab.namespace("host"), lab.namespace("world"), lab.namespace("office")
    lab.veth(host, "wan", world, "eth0", address="192.0.2.2/24", peer_address="192.0.2.1/24")
    lab.veth(host, "lan", office, "eth0", address="10.0.0.1/24", peer_address="10.0.0.2/24")
    host.ip("route add default via 192.0.2.1")
    host.ip("route add 10.0.0.128/25 via 192.0.2.1")
    host.ip("route add unreachable 198.51.100.0/24")
    host.ip("addr add 2001:db8::1/64 dev lan nodad")
    host.ip("route add 2001:db8:f::/48 dev wan")
    with host.inside():
        yield host


@pytest.mark.parametrize(
    ("client", "iface"),
    [
        ("10.0.0.2", "lan"),
        ("10.0.0.200", "wan"),
        ("203.0.113.9", "wan"),
        ("2001:db8::7", "lan"),
        ("2001:db8:f::7", "wan"),
        ("2001:db9::7", None),
        ("::ffff:10.0.0.2", "lan"),
        ("fe80::1%lan", "lan"),
        ("127.0.0.1", "lo"),
        ("::1", "lo"),
        ("a name", None),
        ("", None),
    ],
)
def test_the_longest_route_carries_the_session(
    host: Namespace, client: str, iface: str | None
) -> None:
    assert guards.route_interface(client) == iface


def test_the_session_is_this_processs_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSH_CONNECTION", "10.0.0.2 50000 10.0.0.1 22")
    assert guards.session_client() == "10.0.0.2"


def test_the_session_is_found_behind_sudo() -> None:
    # sudo drops SSH_CONNECTION; the login shell above it still has it.
    probe = "from xdpwall.cli.guards import session_client as s; print(s())"
    inner = f"env -u SSH_CONNECTION {sys.executable} -c '{probe}'; true"
    done = subprocess.run(
        ["env", "SSH_CONNECTION=10.0.0.2 50000 10.0.0.1 22", "sh", "-c", inner],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "10.0.0.2\n"
