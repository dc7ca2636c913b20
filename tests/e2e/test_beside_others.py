"""Beside other owners' XDP programs: Debian's xdp-filter, in both orders, judged by real packets."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.support import Instance
from tests.support.kernel.tinybpf import tiny
from tests.support.net.netns import Lab, Namespace
from tests.support.net.ping import ping
from xdpwall.kernel.net.xdp import xdp_attach, xdp_query

FILTER = "xdp-filter"
PINS = Path("/sys/fs/bpf/xdp-filter/programs")


@pytest.fixture
def wall(lab: Lab, tmp_path: Path) -> Iterator[Instance]:
    """A host with eth1, 10.9.0.1, whose cable ends in a box with 10.9.0.2 and 10.9.0.3."""
    host, box = lab.pair()
    host.ip("link set v0 name eth1")
    host.ip("addr add 10.9.0.1/24 dev eth1")
    for address in ("10.9.0.2/24", "10.9.0.3/24"):
        box.ip(f"addr add {address} dev eth0")
    for space, iface in ((host, "eth1"), (box, "eth0")):
        space.ip(f"link set {iface} up")
    with host.inside():
        yield Instance(tmp_path / "state", lab.bpffs / "xdpwall", tmp_path / "sock", host, box)


def spaces(wall: Instance) -> tuple[Namespace, Namespace]:
    """The host and the box."""
    assert wall.space is not None and wall.box is not None
    return wall.space, wall.box


def answered(wall: Instance) -> bool:
    """Whether a ping of the box is answered."""
    _, box = spaces(wall)
    return ping(box, "10.9.0.1", over=("eth0", "10.9.0.1")) == 1


@pytest.fixture
def xdp_filter(wall: Instance) -> Iterator[Namespace]:
    """xdp-filter on eth1, which lets everything pass but what its command is told to deny."""
    host, _ = spaces(wall)
    host.run(FILTER, "load", "eth1", "-f", "ipv4")
    yield host
    host.status(FILTER, "unload", "eth1")


def test_after_xdp_filter(wall: Instance, xdp_filter: Namespace) -> None:
    pin = next((PINS / "eth1").iterdir())
    refused = wall.run("attach", "eth1")
    assert refused.returncode == 5 and refused.stdout == ""
    assert "another owner's XDP program: 'xdpfilt_" in refused.stderr
    assert f"pinned at {pin}" in refused.stderr
    assert "xdpwall attach eth1 --hook tc" in refused.stderr and "--replace" in refused.stderr
    assert f"(pinned at {pin})" in wall.here("status").stdout
    assert f": pinned at {pin}" in wall.run("doctor").stdout
    # Beside it, at tc: both judge.
    wall.done("attach", "eth1", "--hook", "tc")
    assert answered(wall)
    wall.done("rule", "add", "drop", "icmp", "--id", "ours")
    assert not answered(wall)
    wall.done("rule", "delete", "ours")
    xdp_filter.run(FILTER, "ip", "10.9.0.2", "-m", "src")
    assert not answered(wall)
    xdp_filter.run(FILTER, "ip", "10.9.0.2", "-m", "src", "--remove")
    assert answered(wall)
    # In its place, when that is asked for.
    wall.done("attach", "eth1", "--replace")
    wall.done("rule", "add", "drop", "icmp", "--id", "ours")
    assert not answered(wall)
    wall.done("detach", "eth1")


def test_before_xdp_filter(wall: Instance) -> None:
    host, _ = spaces(wall)
    wall.done("rule", "add", "drop", "icmp")
    wall.done("attach", "eth1")
    # It does not displace ours, and what it says of it is right.
    assert host.status(FILTER, "load", "eth1", "-f", "ipv4") != 0
    assert not answered(wall)
    status = wall.json("status")
    assert [one["state"] for one in status["attachments"]] == ["attached"]
    wall.done("detach", "eth1")
    host.run(FILTER, "load", "eth1", "-f", "ipv4")
    assert answered(wall)
    host.run(FILTER, "unload", "eth1")
    assert xdp_query_of(wall) == ()


def xdp_query_of(wall: Instance) -> tuple[int, ...]:
    """The XDP programs of eth1."""
    host, _ = spaces(wall)
    return host.call(lambda index: xdp_query(index).ids, host.index("eth1"))


def test_the_process_that_holds_it_is_named(wall: Instance) -> None:
    host, _ = spaces(wall)
    with tiny("xdp_other") as other:
        xdp_attach_in(host, other.fileno())
        refused = wall.run("attach", "eth1")
        assert "held by process" in refused.stderr, refused.stderr
    refused = wall.run("attach", "eth1")
    assert "'xdp_other'" in refused.stderr and "held by" not in refused.stderr


def xdp_attach_in(host: Namespace, fd: int) -> None:
    """Attach somebody else's program to eth1."""
    with host.inside():
        xdp_attach(host.index("eth1"), fd, "native")
