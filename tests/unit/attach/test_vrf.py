"""A VRF device is refused, and its members are named."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from xdpwall.attach import attacher, coverage
from xdpwall.errors import Unsupported
from xdpwall.firewall.doctor_interfaces import interface_check
from xdpwall.kernel.bpf.programs import Program
from xdpwall.kernel.net.ethtool import Offloads
from xdpwall.kernel.net.links import LinkInfo, XdpState
from xdpwall.ruleset.attachment import AttachmentSpec
from xdpwall.values.terms import Place

PORT = LinkInfo(
    name="eth1",
    index=2,
    state="up",
    up=True,
    kind=None,
    link_type="ether",
    mtu=1500,
    address=None,
    master="blue",
    driver=None,
    xdp=XdpState(),
)
VRF = replace(PORT, name="blue", index=5, kind="vrf", master=None)
LINKS = [
    PORT,
    replace(PORT, name="eth2", index=3),
    replace(PORT, name="eth3", index=4, master="red"),
    VRF,
]


def never(frags: bool) -> Program:
    raise AssertionError(frags)


@pytest.mark.parametrize("place", ["xdp", "tc-ingress", "tc-egress"])
@pytest.mark.parametrize("links", [LINKS, [VRF]])
@pytest.mark.parametrize("dry", [True, False])
def test_attach_refuses_it(
    links: list[LinkInfo], place: Place, dry: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attacher, "links", lambda: links)
    monkeypatch.setattr(attacher, "link_at", {one.index: one for one in links}.__getitem__)
    spec, tried = AttachmentSpec.at("blue", place), attacher.Attacher(tmp_path)
    with pytest.raises(Unsupported) as raised:
        tried.check(spec, 5) if dry else tried.attach(spec, 5, never)
    error = raised.value
    assert (error.code, error.exit_code, error.field) == ("vrf", 6, "iface")
    if links is LINKS:
        assert "(eth1, eth2)" in error.message
        assert error.hint == "`xdpwall attach eth1` and `xdpwall attach eth2`"
    else:
        assert "it has none" in error.message and "ip link set IFACE vrf blue" in str(error.hint)


def test_interfaces_and_doctor_say_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(coverage, "links", lambda: LINKS)
    found = {view.name: view for view in coverage.list_interfaces()}
    assert [name for name, view in found.items() if not view.attachable] == ["blue"]
    assert "eth1, eth2" in str(found["blue"].why_not)
    check = interface_check(VRF, Offloads(None, None, None), None)
    assert "cannot be attached: a VRF device" in check.found
    assert "XDP" not in check.found
