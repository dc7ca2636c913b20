"""What would cut the caller's SSH session is refused, and --force passes."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.cli.support import Instance, clean_environment
from tests.support.net.netns import Lab, Namespace
from tests.support.paths import ROOT
from xdpwall.cli import guards, ssh_session


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
    assert ssh_session.session_client() == "10.0.0.2"


def test_the_session_is_found_behind_sudo() -> None:
    # sudo drops SSH_CONNECTION; the login shell above it still has it.
    probe = "from xdpwall.cli.ssh_session import session_client as s; print(s())"
    inner = f"env -u SSH_CONNECTION {sys.executable} -c '{probe}'; true"
    done = subprocess.run(
        ["env", "SSH_CONNECTION=10.0.0.2 50000 10.0.0.1 22", "sh", "-c", inner],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
        env=clean_environment(),
    )
    assert done.stdout == "10.0.0.2\n"


def test_detach_and_default_drop_on_the_sessions_interface_are_refused(direct: Instance) -> None:
    session = {"SSH_CONNECTION": "10.9.0.2 50000 10.9.0.1 22"}
    direct.done("attach", "veth0")
    direct.done("rule", "add", "drop", "icmp")
    ruleset = direct.here("export").stdout
    dropping = ruleset.replace("ingress: accept", "ingress: drop", 1)
    bare = ruleset.partition("attachments:")[0] + "attachments: []\n"
    before = direct.json("status")["revision"]
    for args, stdin in (
        (("detach", "veth0"), None),
        (("detach", "--all"), None),
        (("detach", "veth0", "-y"), None),
        (("policy", "set", "ingress", "drop"), None),
        (("apply", "-"), dropping),
        (("apply", "-"), bare),
    ):
        done = direct.here(*args, stdin=stdin, **session)
        assert done.exit_code == 8, (args, done.output)
        assert "veth0 carries your SSH session from 10.9.0.2" in done.stderr
        assert "add --force" in done.stderr
    assert direct.json("status")["revision"] == before
    assert direct.json("status")["attachments"]

    # What does not concern the session is not held back.
    for args, stdin in (
        (("policy", "set", "egress", "drop"), None),
        (("apply", "-", "--dry-run"), dropping),
        (("detach", "veth0", "--hook", "tc"), None),
        (("attach", "lo", "--mode", "generic"), None),
        (("detach", "lo"), None),
    ):
        assert direct.here(*args, stdin=stdin, **session).exit_code == 0, args

    assert direct.here("policy", "set", "ingress", "drop", "--force", **session).exit_code == 0
    assert direct.here("off", **session).exit_code == 0
    assert direct.here("on", **session).exit_code == 8
    assert direct.here("on", "--force", **session).exit_code == 0
    assert direct.here("on", **session).exit_code == 0, "it is on already"
    assert direct.here("detach", "veth0", "--force", **session).exit_code == 0
    assert direct.here("attach", "veth0", **session).exit_code == 8
    assert direct.json("status")["attachments"] == []
    assert direct.here("attach", "veth0", "--force", **session).exit_code == 0
