"""doctor, where things are well and where they are not."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.kernel.tinybpf import loader, tiny
from tests.support.net.netns import Lab
from tests.support.net.tcx import attached_tcx
from xdpwall.attach.attacher import Attacher
from xdpwall.firewall.doctor import bcc_check, clang_check, run_doctor
from xdpwall.firewall.doctor_interfaces import interface_check
from xdpwall.kernel.bpf import probes
from xdpwall.kernel.net.ethtool import Offloads
from xdpwall.kernel.net.links import LinkInfo, XdpState
from xdpwall.kernel.net.netdev import XdpFeatures, xdp_features
from xdpwall.kernel.net.xdp import xdp_attach
from xdpwall.ruleset.attachment import AttachmentSpec
from xdpwall.settings import Settings
from xdpwall.values.terms import Mode
from xdpwall.views.doctor import Check


def settings(lab: Lab) -> Settings:
    return Settings(bpffs=lab.bpffs)


def by_name(checks: list[Check]) -> dict[str, Check]:
    return {check.name: check for check in checks}


def test_a_sound_machine(lab: Lab) -> None:
    space = lab.namespace()
    with space.inside():
        found = by_name(run_doctor(settings(lab)).checks)
    assert set(found) >= {
        "kernel",
        "kernel features",
        "JIT",
        "BTF",
        "capabilities",
        "memlock",
        "unprivileged_bpf_disabled",
        "bpffs",
        "BPF objects",
        "clang",
        "BCC",
        "interface lo",
    }
    assert not [check for check in found.values() if check.status == "fail"]
    assert os.uname().release in found["kernel"].found
    assert "batches of map entries" in found["kernel features"].found
    assert found["bpffs"].found == str(lab.bpffs)
    assert all(check.todo for check in found.values() if check.status != "pass")


def test_interfaces_and_others_programs(lab: Lab) -> None:
    host, box = lab.namespace("host"), lab.namespace("box")
    lab.bridge(host, "br0")
    lab.veth(host, "v0", box, "eth0", master="br0")
    host.set_mtu("v0", 1400)
    host.ip("tuntap add tun0 mode tun")
    host.tc("qdisc add dev br0 clsact")
    index = host.index("v0")
    with host.inside(), tiny("tc_ok") as walker, tiny("xdp_other") as theirs:
        Attacher(lab.bpffs).attach(AttachmentSpec("v0"), index, loader("xdp_pass"))
        at_tc = AttachmentSpec.at("v0", "tc-ingress")
        Attacher(lab.bpffs).attach(at_tc, index, loader("tc_pass"))
        xdp_attach(host.index("br0"), theirs.fileno(), "generic")
        with attached_tcx(index, "ingress", walker):
            report = run_doctor(settings(lab))
        walking, standing = walker.id, theirs.id
    found = by_name(report.checks)
    assert "veth, ether, MTU 1400, rxvlan on" in found["interface v0"].found
    assert "takes XDP native (attached), generic, tc" in found["interface v0"].found
    assert found["interface v0"].status == "pass"
    assert "takes XDP generic, tc" in found["interface br0"].found
    assert "cannot be attached: no Ethernet header" in found["interface tun0"].found
    # Ours is not told as somebody else's.
    assert [c.name for c in report.checks if c.name.startswith("programs")] == [
        "programs on br0",
        "programs on v0",
    ]
    assert found["programs on v0"].status == "warn"
    assert (
        f"tcx-ingress: ours may be bypassed by tcx program {walking}, tc_ok of another owner"
        in (found["programs on v0"].found)
    )
    assert f"xdp: xdp program {standing}, xdp_other" in found["programs on br0"].found
    assert "--replace" in str(found["programs on br0"].todo)


def test_bpffs_elsewhere_fails(lab: Lab, tmp_path: Path) -> None:
    space = lab.namespace()
    with space.inside():
        report = run_doctor(Settings(bpffs=tmp_path / "pins"))
    check = by_name(report.checks)["bpffs"]
    assert (check.status, report.worst) == ("fail", "fail")
    assert "not on a BPF file system" in check.found
    assert "/sys/fs/bpf" in str(check.todo)


def _unprivileged(bpffs: Path) -> list[Check]:
    os.setresuid(65534, 65534, 65534)
    return run_doctor(Settings(bpffs=bpffs)).checks


def test_without_privileges_it_says_so_and_goes_on(lab: Lab) -> None:
    space = lab.namespace()
    found = by_name(space.call(_unprivileged, Path("/sys/fs/bpf/xdpwall")))
    assert found["capabilities"].status == "fail"
    assert "CAP_NET_ADMIN, CAP_BPF, CAP_PERFMON" in str(found["capabilities"].todo)
    assert found["kernel features"].status == "warn"
    assert found["JIT"].found == "not tried"
    assert "root" in str(found["JIT"].todo)


def test_a_bpffs_closed_to_others_is_no_accident(lab: Lab) -> None:
    lab.bpffs.chmod(0o700)  # systemd mounts it so
    found = by_name(lab.namespace().call(_unprivileged, lab.bpffs / "xdpwall"))
    assert (found["bpffs"].status, found["bpffs"].found) == (
        "pass",
        f"{lab.bpffs / 'xdpwall'} (not made yet)",
    )


@pytest.mark.host  # /proc/sys/net/core/bpf_jit_enable is in the first network namespace alone
def test_the_jit_and_the_features_are_really_tried() -> None:
    tried = {feature.name: feature.works for feature in probes.features()}
    assert all(tried.values()), tried
    assert probes.jit() is (Path("/proc/sys/net/core/bpf_jit_enable").read_text() != "0\n")
    assert probes.memory_by_cgroup() is True


def test_a_feature_that_is_missing_is_no(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(probes._HELPERS, "bpf_of_tomorrow", (6, 100000))
    found = {feature.name: feature for feature in probes.features()}["helper bpf_of_tomorrow"]
    assert (found.works, found.needed) == (False, True)
    assert probes._probe("map", probes._map, 999, 4, 4, 0).works is False


def test_xdp_features_follow_the_drivers(lab: Lab) -> None:
    space = lab.namespace()
    space.ip("link add v0 type veth peer name v1")
    space.ip("link add br0 type bridge")
    with space.inside():
        told = xdp_features()
    assert told is not None
    assert told[space.index("v0")] == XdpFeatures(native=True, frags=True)
    assert space.index("br0") not in told or not told[space.index("br0")].native


LINK = LinkInfo(
    name="eth7",
    index=7,
    state="up",
    up=True,
    kind=None,
    link_type="ether",
    mtu=1500,
    address=None,
    master=None,
    driver="ixgbe",
    xdp=XdpState(),
)


@pytest.mark.parametrize(
    ("features", "attached", "words", "todo"),
    [
        (XdpFeatures(native=True, frags=True), None, "driver offers XDP native (attaching tries it)", None),
        (XdpFeatures(native=True, frags=True), "native", "takes XDP native (attached)", None),
        (XdpFeatures(native=True, frags=True), "generic",
         "takes XDP generic (attached though the driver offers native)", "--mode native"),
        (XdpFeatures(native=False, frags=False), "generic", "takes XDP generic (attached)", None),
        (None, None, "native untold", None),
    ],
)  # fmt: skip
def test_native_is_taken_where_it_runs(
    features: XdpFeatures | None, attached: Mode | None, words: str, todo: str | None
) -> None:
    check = interface_check(LINK, QUIET, features, attached=attached)
    assert words in check.found
    assert (check.status, todo in (check.todo or "") if todo else check.todo) == (
        ("warn", True) if todo else ("pass", None)
    )


def test_a_driver_that_runs_generic_though_it_offers_native(lab: Lab) -> None:
    host, box = lab.namespace("host"), lab.namespace("box")
    lab.veth(host, "v0", box, "eth0")
    with host.inside():
        Attacher(lab.bpffs).attach(
            AttachmentSpec("v0", mode="generic"), host.index("v0"), loader("xdp_pass")
        )
        found = by_name(run_doctor(settings(lab)).checks)["interface v0"]
    assert "takes XDP generic (attached though the driver offers native)" in found.found
    assert found.status == "warn"


QUIET = Offloads(rxvlan=False, gro=True, lro=False)
NATIVE = XdpFeatures(native=True, frags=False)


@pytest.mark.parametrize(
    ("link", "offloads", "features", "words"),
    [
        (LINK, replace(QUIET, rxvlan=True), NATIVE, "ethtool -K eth7 rxvlan off"),
        (LINK, replace(QUIET, lro=True), NATIVE, "ethtool -K eth7 lro off"),
        (replace(LINK, mtu=9000), QUIET, NATIVE, "may refuse MTU 9000"),
        (LINK, QUIET, NATIVE, None),
        (LINK, QUIET, None, None),
        (replace(LINK, mtu=9000), QUIET, XdpFeatures(native=True, frags=True), None),
        (replace(LINK, kind="veth"), replace(QUIET, rxvlan=True), NATIVE, None),
        (replace(LINK, link_type="loopback", mtu=65536), replace(QUIET, rxvlan=True), None, None),
    ],
)
def test_cards_that_this_machine_has_not(
    link: LinkInfo, offloads: Offloads, features: XdpFeatures | None, words: str | None
) -> None:
    check = interface_check(link, offloads, features)
    if words is None:
        assert (check.status, check.todo) == ("pass", None)
    else:
        assert check.status == "warn"
        assert words in str(check.todo)


def test_bcc_and_its_namesake(tmp_path: Path) -> None:
    def python_with(module: str) -> str:
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        folder.mkdir()
        (folder / "bcc.py").write_text(module)
        python = folder / "python3"
        python.write_text(f'#!/bin/sh\nPYTHONPATH={folder} exec /usr/bin/python3 "$@"\n')
        python.chmod(0o755)
        return str(python)

    real = bcc_check(python_with("BPF = 1\n__version__ = '0.26.0'\n"))
    assert (real.status, real.found) == ("pass", "0.26.0")
    namesake = bcc_check(python_with("class Lattice: ...\n"))
    assert namesake.status == "warn"
    assert "PyPI" in namesake.found
    assert "python3-bpfcc" in str(namesake.todo)
    none = bcc_check(python_with("raise ImportError\n"))
    assert (none.status, "python3-bpfcc" in str(none.todo)) == ("warn", True)
    assert bcc_check("/nothing/here").status == "warn"


def test_clang_is_only_for_building() -> None:
    missing = clang_check(None)
    assert missing.status == "warn"
    assert "only needed to build" in str(missing.todo)
    assert clang_check("/usr/bin/clang").found.find("clang version") >= 0
