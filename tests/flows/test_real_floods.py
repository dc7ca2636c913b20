"""Floods by hping3 from forged addresses, at a service with `keep`: who is connected stays so, idle or not."""

from __future__ import annotations

import os
import socket

import pytest

from tests.support.debs import unpacked
from tests.support.net.default_drop import HOST, WORLD, DefaultDropHost
from tests.support.net.netns import wait_for

FLOOD = int(os.environ.get("FLOWS_FLOOD", "400000")) // 200
KINDS = {
    "SYN": "-S",
    "SYN-ACK": "-SA",
    "ACK": "-A",
    "RST": "-R",
    "FIN": "-F",
    "no flags": "",
    "FIN-PSH-URG": "-FPU",
}
SSH = 22
pytestmark = pytest.mark.host  # a package is downloaded


@pytest.fixture(scope="module")
def hping3() -> tuple[str, ...]:
    root = unpacked("hping3", "hping3", "libtcl8.6", "libpcap0.8")
    (libraries,) = (root / "usr/lib").glob("*-gnu")
    return "env", f"LD_LIBRARY_PATH={libraries}", f"{root}/usr/sbin/hping3"


@pytest.mark.parametrize("kind", KINDS)
def test_connections_outlive_a_flood(
    home: DefaultDropHost, hping3: tuple[str, ...], kind: str
) -> None:
    home.reset()
    with home.host.inside():
        listener = socket.create_server((HOST["ipv4"], SSH))
    with listener:
        with home.world.inside():
            theirs = socket.create_connection((HOST["ipv4"], SSH), timeout=60)
        mine = listener.accept()[0]
    with mine, theirs:
        before, seen = home.flow(port=SSH, **{"from": WORLD["ipv4"]}), home.counts()
        assert before["assured"]
        options = ("--rand-source", "-p", str(SSH), "-c", str(FLOOD), "-i", "u1")
        home.world.status(*hping3, "-q", *KINDS[kind].split(), *options, HOST["ipv4"])

        # Routers pass nothing that is from a group or from nowhere: about one in seven.
        def arrived() -> bool:
            counted = "made" if kind == "SYN" else "invalid"
            return home.counts()[counted] - seen[counted] > FLOOD / 2

        wait_for(arrived, "the flood is seen")
        assert kind == "SYN" or home.counts()["made"] == seen["made"]
        theirs.sendall(b"still here")
        assert mine.recv(100) == b"still here"
        after = home.flow(port=SSH, **{"from": WORLD["ipv4"]})
        assert (after["sport"], after["assured"]) == (before["sport"], True)
        assert after["packets"] > before["packets"]
