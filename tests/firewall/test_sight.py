"""Attachments that are in place and see nothing: told, and never where traffic is judged or idle."""

from __future__ import annotations

import socket
from collections.abc import Callable

import pytest

from tests.firewall.support import Site, rules
from xdpwall.attach.sight import ENOUGH
from xdpwall.firewall import sight_reader
from xdpwall.firewall.firewall import Firewall
from xdpwall.kernel.net.link_state import link_state
from xdpwall.values.terms import Direction, Hook, WantedMode

BURST = 3 * ENOUGH
ACCEPT_ALL = "protocol all u32 match u32 0 0 flowid 1:1"

Where = tuple[str, Hook, Direction, WantedMode]
XDP: tuple[Hook, Direction, WantedMode] = ("xdp", "ingress", "auto")
GENERIC: tuple[Hook, Direction, WantedMode] = ("xdp", "ingress", "generic")
TC_IN: tuple[Hook, Direction, WantedMode] = ("tc", "ingress", "auto")
TC_OUT: tuple[Hook, Direction, WantedMode] = ("tc", "egress", "auto")


@pytest.fixture(autouse=True)
def _as_fast_as_packets_come(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sight_reader, "SPACING", 0.0)


def send(site: Site, target: str) -> None:
    """A burst of datagrams from the box."""
    with site.box.inside(), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        for _ in range(BURST):
            sender.sendto(bytes(100), (target, 9))


def looked(firewall: Firewall, burst: Callable[[], None]) -> list[str]:
    """What is told to see nothing after some bursts, compared before and after each."""
    firewall.look()
    for _ in range(4):
        burst()
        firewall.look()
    warnings = [words for words in firewall.status().warnings if "sees nothing" in words]
    assert firewall.health().problems == warnings
    return warnings


@pytest.mark.parametrize(
    ("where", "make"),
    [
        (("veth0", *XDP), ""),
        (("veth0", *GENERIC), ""),
        (("veth0", *TC_IN), ""),
        (("veth0", *TC_OUT), ""),
        (("br0", *XDP), "bridge"),
        (("br0", *TC_IN), "bridge"),
        (("veth0", *GENERIC), "bridge"),
        (("mac0", *XDP), "macvlan"),
        (("mac0", *TC_IN), "macvlan"),
        (("tap0", *XDP), "tap"),
        (("tap0", *TC_IN), "tap"),
        (("veth0", *XDP), "ifb"),
        (("veth0", *TC_IN), "ifb"),
        (("ifb0", *TC_OUT), "ifb"),
        (("lo", *XDP), ""),
        (("lo", *TC_IN), ""),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, tuple) else value or "plain",
)
def test_no_false_alarm(site: Site, where: Where, make: str) -> None:
    _make(site, make)
    iface, hook, direction, mode = where
    with site.open() as firewall:
        firewall.add_rules(rules("drop udp"))
        firewall.attach(iface, hook=hook, direction=direction, mode=mode)

        def burst() -> None:
            send(site, "10.9.0.1")
            _send_here("127.0.0.1")
            _send_here("10.8.0.2")

        import sys

        a = link_state(site.host.index(iface)).received
        w = looked(firewall, burst)
        print(
            where,
            make,
            link_state(site.host.index(iface)).received - a,
            firewall.status().attachments[0].totals.seen,
            w,
            file=sys.stderr,
        )
        assert w == []


def _make(site: Site, kind: str) -> None:
    host = site.host
    if kind == "bridge":
        site.lab.bridge(host, "br0")
        host.ip("addr del 10.9.0.1/24 dev veth0")
        host.ip("link set veth0 master br0")
        host.ip("addr add 10.9.0.1/24 dev br0")
    elif kind == "macvlan":
        host.ip("addr del 10.9.0.1/24 dev veth0")
        host.ip("link add link veth0 name mac0 type macvlan")
        host.ip("link set mac0 up")
        host.ip("addr add 10.9.0.1/24 dev mac0")
    elif kind == "tap":
        host.ip("tuntap add dev tap0 mode tap")
        host.ip("link set tap0 up")
        host.ip("addr add 10.8.0.1/24 dev tap0")
    elif kind == "filter":
        host.tc("qdisc add dev veth0 clsact")
        host.tc(f"filter add dev veth0 ingress pref 1 {ACCEPT_ALL}")
    elif kind == "ifb":
        host.ip("link add ifb0 type ifb")
        host.ip("link set ifb0 up")
        host.tc("qdisc add dev veth0 clsact")
        host.tc(
            "filter add dev veth0 ingress pref 9 protocol all u32 match u32 0 0 action mirred egress redirect dev ifb0"
        )


def _unmake(site: Site, kind: str) -> None:
    if kind == "filter":
        site.host.tc("filter del dev veth0 ingress pref 1")


def _send_here(target: str) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        for _ in range(BURST):
            try:
                sender.sendto(bytes(100), (target, 9))
            except OSError:
                return  # no such route here, or dropped on its way out
