"""Offloads as the drivers tell them, and what generic XDP leaves off."""

from __future__ import annotations

import re
import subprocess

import pytest

from tests.support.net.netns import Lab
from xdpwall.attach.merging import left_off, merging_of, turned_off
from xdpwall.kernel.net.ethtool import Ethtool, Offload

NAMES = {
    "rx-vlan-offload": "rx-vlan-hw-parse",
    "large-receive-offload": "rx-lro",
    "rx-gro-hw": "rx-gro-hw",
    "generic-receive-offload": "rx-gro",
    "rx-udp-gro-forwarding": "rx-udp-gro-forwarding",
    "tx-vlan-offload": "tx-vlan-hw-insert",
    "loopback": "loopback",
}
"""Features by the name that ethtool prints."""
_LINE = re.compile(r"\s*([a-z0-9-]+): (on|off)( \[fixed\])?.*")


def test_every_feature_is_told_as_ethtool_tells_it(lab: Lab) -> None:
    space = lab.namespace()
    space.ip("link add v0 type veth peer name v1")
    space.ip("link add br0 type bridge")
    space.ip("tuntap add tap0 mode tap")
    with space.inside(), Ethtool() as ethtool:
        for iface in ("lo", "v0", "br0", "tap0"):
            said = subprocess.run(
                ["ethtool", "-k", iface], capture_output=True, text=True, check=True
            ).stdout
            lines = [found for line in said.splitlines() if (found := _LINE.fullmatch(line))]
            told = {match[1]: Offload(match[2] == "on", match[3] is None) for match in lines}
            mine = ethtool.features(iface)
            assert {ours: mine[ours] for ours in NAMES.values()} == {
                ours: told[theirs] for theirs, ours in NAMES.items()
            }, iface
            before = mine["rx-gro"].on
            subprocess.run(["ethtool", "-K", iface, "gro", "off" if before else "on"], check=True)
            assert ethtool.features(iface)["rx-gro"].on is not before
        assert ethtool.features("nosuch0") == {}


ON, OFF = Offload(True, True), Offload(False, True)
FIXED_ON, FIXED_OFF = Offload(True, False), Offload(False, False)


@pytest.mark.parametrize(
    ("before", "now", "command"),
    [
        ({"rx-gro-hw": ON}, {"rx-gro-hw": OFF}, "ethtool -K eth7 rx-gro-hw on"),
        ({"rx-gro-hw": ON, "rx-lro": ON}, {"rx-gro-hw": OFF, "rx-lro": OFF},
         "ethtool -K eth7 rx-gro-hw on lro on"),
        ({"rx-gro-hw": ON, "rx-lro": OFF}, {"rx-gro-hw": OFF, "rx-lro": OFF},
         "ethtool -K eth7 rx-gro-hw on"),
        ({"rx-gro-hw": OFF}, {"rx-gro-hw": OFF}, None),
        ({"rx-gro-hw": FIXED_ON}, {"rx-gro-hw": FIXED_ON}, None),
        ({"rx-lro": ON}, {}, None),
        ({}, {}, None),
    ],
)  # fmt: skip
def test_what_generic_xdp_turned_off_is_told(
    before: dict[str, Offload], now: dict[str, Offload], command: str | None
) -> None:
    said = turned_off("eth7", before, now)
    assert [words.rpartition(": ")[2] for words in said] == ([command] if command else [])


@pytest.mark.parametrize(
    ("now", "command"),
    [
        ({"rx-gro-hw": OFF, "rx-lro": ON}, "ethtool -K eth7 rx-gro-hw on"),
        ({"rx-gro-hw": OFF, "rx-lro": OFF}, "ethtool -K eth7 rx-gro-hw on lro on"),
        ({"rx-gro-hw": FIXED_OFF, "rx-lro": FIXED_OFF}, None),
        ({"rx-gro-hw": ON}, None),
    ],
)
def test_what_is_left_off_after_it_is_told(now: dict[str, Offload], command: str | None) -> None:
    said = left_off("eth7", now)
    assert [words.rpartition(": ")[2] for words in said] == ([command] if command else [])


def test_a_veth_merges_nothing(lab: Lab) -> None:
    space = lab.namespace()
    space.ip("link add v0 type veth peer name v1")
    with space.inside():
        assert left_off("v0", merging_of("v0")) == []
