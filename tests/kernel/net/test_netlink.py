"""The netlink commands against a real kernel."""

from __future__ import annotations

import os

import pytest

from tests.support.kernel.tinybpf import tiny
from tests.support.net.netns import Lab
from xdpwall.errors import Conflict, NeedsPrivileges, NotFound, Unsupported
from xdpwall.kernel.net.ethtool import Ethtool
from xdpwall.kernel.net.links import link, links
from xdpwall.kernel.net.tc import (
    Direction,
    tc_add,
    tc_delete,
    tc_ensure_clsact,
    tc_filters,
    tc_qdisc,
    tc_replace,
)
from xdpwall.kernel.net.xdp import Mode, xdp_attach, xdp_detach, xdp_query


def test_links_tell_what_ip_link_tells(lab: Lab) -> None:
    host, box = lab.namespace("host"), lab.namespace("box")
    lab.bridge(host, "br0")
    lab.veth(host, "veth0", box, "eth0", master="br0")
    host.set_mtu("veth0", 1400)
    host.ip("tuntap add tun0 mode tun")
    with host.inside():
        found = {link.name: link for link in links()}
    assert sorted(found) == ["br0", "lo", "tun0", "veth0"]
    veth = found["veth0"]
    assert (veth.kind, veth.driver, veth.link_type) == ("veth", "veth", "ether")
    assert (veth.mtu, veth.master, veth.up, veth.state) == (1400, "br0", True, "up")
    assert veth.index == host.index("veth0")
    assert veth.address and veth.address in host.ip("link show veth0")
    assert (found["br0"].kind, found["br0"].driver) == ("bridge", "bridge")
    assert (found["lo"].link_type, found["lo"].kind) == ("loopback", None)
    assert (found["tun0"].link_type, found["tun0"].kind, found["tun0"].up) == ("none", "tun", False)


def test_a_missing_interface_is_named_with_those_that_exist(lab: Lab) -> None:
    space = lab.namespace()
    space.ip("link add d0 type bridge")
    with space.inside(), pytest.raises(NotFound) as raised:
        link("d1")
    assert raised.value.code == "no-interface"
    assert "'d1'" in raised.value.message
    assert raised.value.hint == "there are: lo, d0"
    with space.inside():
        assert link("d0").index == space.index("d0")


@pytest.mark.parametrize("mode", ["native", "generic"])
def test_xdp_attach_query_swap_detach(lab: Lab, mode: Mode) -> None:
    space = lab.namespace()
    space.ip("link add v0 type veth peer name v1")
    index = space.index("v0")
    with space.inside(), tiny("xdp_pass") as first, tiny("xdp_other") as second:
        assert xdp_query(index).ids == ()
        xdp_attach(index, first.fileno(), mode)
        assert getattr(xdp_query(index), mode) == first.id
        with pytest.raises(Conflict) as raised:
            xdp_attach(index, second.fileno(), mode)
        assert raised.value.code == "occupied"
        assert "errno 16 (EBUSY)" in str(raised.value.detail)
        # Swap only for the program that is there.
        with pytest.raises(Conflict):
            xdp_attach(index, second.fileno(), mode, expected_fd=second.fileno())
        xdp_attach(index, second.fileno(), mode, expected_fd=first.fileno())
        assert xdp_query(index).ids == (second.id,)
        with pytest.raises(Conflict):
            xdp_detach(index, mode, expected_fd=first.fileno())
        xdp_detach(index, mode, expected_fd=second.fileno())
        assert xdp_query(index).ids == ()


def test_refusals_carry_the_kernels_words(lab: Lab) -> None:
    space = lab.namespace()
    lab.bridge(space, "br0")
    space.ip("link add v0 type veth peer name v1")
    with space.inside(), tiny("xdp_pass") as program:
        with pytest.raises(Unsupported) as raised:
            xdp_attach(space.index("br0"), program.fileno(), "native")
        assert raised.value.message == (
            "attach XDP (native) to br0: Underlying driver does not support XDP in native mode"
        )
        assert "errno 95" in str(raised.value.detail)
        xdp_attach(space.index("v0"), program.fileno(), "generic")
        with pytest.raises(Conflict, match="can't be active at the same time"):
            xdp_attach(space.index("v0"), program.fileno(), "native")
        with pytest.raises(NotFound) as gone:
            xdp_attach(9999, program.fileno(), "generic")
        assert gone.value.code == "no-interface"
        with pytest.raises(NotFound):
            xdp_query(9999)


def _attach_without_privileges(index: int) -> None:
    with tiny("xdp_pass") as program:
        os.setresuid(65534, 65534, 65534)
        xdp_attach(index, program.fileno(), "generic")


def test_without_privileges(lab: Lab) -> None:
    space = lab.namespace()
    with pytest.raises(NeedsPrivileges) as raised:
        space.call(_attach_without_privileges, space.index("lo"))
    assert "CAP_NET_ADMIN" in str(raised.value.hint)


@pytest.mark.parametrize("direction", ["ingress", "egress"])
def test_tc_add_list_replace_delete(lab: Lab, direction: Direction) -> None:
    space = lab.namespace()
    space.ip("link add d0 type bridge")
    index = space.index("d0")
    with space.inside(), tiny("tc_pass") as first, tiny("tc_ok") as second:
        assert tc_filters(index, direction) == []
        tc_ensure_clsact(index, direction)
        tc_ensure_clsact(index, direction)
        assert tc_qdisc(index) == "clsact"
        tc_add(index, direction, first.fileno(), name="mine", prio=3, handle=7)
        (found,) = tc_filters(index, direction)
        assert (found.prio, found.handle, found.kind, found.name) == (3, 7, "bpf", "mine")
        assert (found.prog_id, found.protocol) == (first.id, 3)
        with pytest.raises(Conflict):
            tc_add(index, direction, second.fileno(), name="x", prio=3, handle=7)
        tc_replace(index, direction, second.fileno(), name="mine", prio=3, handle=7)
        assert [f.prog_id for f in tc_filters(index, direction)] == [second.id]
        tc_add(index, direction, first.fileno(), name="first", prio=1)
        assert [f.prio for f in tc_filters(index, direction)] == [1, 3]
        tc_delete(index, direction, prio=3, handle=7)
        assert [f.name for f in tc_filters(index, direction)] == ["first"]
        with pytest.raises(NotFound):
            tc_delete(index, direction, prio=3, handle=7)


def test_directions_are_apart(lab: Lab) -> None:
    space = lab.namespace()
    space.ip("link add d0 type bridge")
    index = space.index("d0")
    with space.inside(), tiny("tc_pass") as program:
        tc_ensure_clsact(index, "egress")
        tc_add(index, "egress", program.fileno(), name="out", prio=1)
        assert tc_filters(index, "ingress") == []
        assert len(tc_filters(index, "egress")) == 1


def test_an_ingress_qdisc_never_takes_an_egress_filter(lab: Lab) -> None:
    space = lab.namespace()
    space.ip("link add d0 type bridge")
    space.tc("qdisc add dev d0 ingress")
    index = space.index("d0")
    with space.inside(), tiny("tc_pass") as program:
        tc_ensure_clsact(index, "ingress")
        tc_add(index, "ingress", program.fileno(), name="in", prio=1)
        assert len(tc_filters(index, "ingress")) == 1
        with pytest.raises(Conflict) as raised:
            tc_ensure_clsact(index, "egress")
        assert raised.value.code == "other-qdisc"
        assert tc_filters(index, "egress") == []


def test_foreign_filters_are_listed_with_their_kind(lab: Lab) -> None:
    space = lab.namespace()
    space.ip("link add d0 type bridge")
    space.tc("qdisc add dev d0 clsact")
    space.tc("filter add dev d0 ingress prio 5 protocol ip u32 match u32 0 0")
    with space.inside():
        found = tc_filters(space.index("d0"), "ingress")
    # u32 lists its hash table as well.
    assert {(f.kind, f.prio, f.prog_id, f.protocol) for f in found} == {("u32", 5, None, 0x0800)}


def test_ethtool_follows_the_driver(lab: Lab) -> None:
    space = lab.namespace()
    space.ip("link add v0 type veth peer name v1")
    space.ip("link add d0 type bridge")
    with space.inside(), Ethtool() as ethtool:
        assert ethtool.driver("v0") == "veth"
        assert ethtool.driver("nothere") is None
        before = ethtool.offloads("v0")
        assert (before.rxvlan, before.gro, before.lro) == (True, False, False)
        space.run("ethtool", "-K", "v0", "rxvlan", "off", "gro", "on")
        after = ethtool.offloads("v0")
        assert (after.rxvlan, after.gro) == (False, True)
        assert ethtool.offloads("nothere").gro is None
