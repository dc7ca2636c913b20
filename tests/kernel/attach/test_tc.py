"""Attaching at tc, beside filters and tcx programs of others."""

from __future__ import annotations

import threading

import pytest

from tests.support.kernel.tinybpf import loader, never, tiny
from tests.support.net.netns import Lab, wait_for
from tests.support.packets.packets import Wire, arrives, ethernet, is_lost, is_test_frame
from xdpwall.attach.attacher import Attacher
from xdpwall.errors import Conflict, Unsupported
from xdpwall.kernel.net.tc import tc_add, tc_ensure_clsact, tc_filters, tc_qdisc, tcx_query
from xdpwall.ruleset.attachment import AttachmentSpec


def test_egress_drops_and_detach_lets_pass(lab: Lab) -> None:
    host, box = lab.pair()
    index = host.index("v0")
    attacher = Attacher(lab.bpffs)
    spec = AttachmentSpec.at("v0", "tc-egress")
    with host.inside(), Wire(host, "v0") as sender, Wire(box, "eth0") as receiver:
        assert arrives(sender, receiver)
        done = attacher.attach(spec, index, loader("tc_drop"))
        assert (done.mode, done.changed) == (None, True)
        found = attacher.find(index, "tc-egress")
        assert found is not None and found.ours and found.program_id == done.program_id
        assert is_lost(sender, receiver)
        assert attacher.attach(spec, index, never).changed is False
        assert attacher.detach(spec, index) is True
        assert arrives(sender, receiver)
        assert tc_qdisc(index) == "clsact"
        assert attacher.detach(spec, index) is False
        assert attacher.find(index, "tc-egress") is None


def test_ingress_drops_and_detach_lets_pass(lab: Lab) -> None:
    host, box = lab.namespace("host"), lab.namespace("box")
    lab.bridge(host, "br0")
    lab.veth(host, "v0", box, "eth0", master="br0")
    index = host.index("v0")
    attacher = Attacher(lab.bpffs)
    spec = AttachmentSpec.at("v0", "tc-ingress")
    # A packet socket on v0 itself would see the frame before tc does: watch the bridge.
    with host.inside(), Wire(box, "eth0") as sender, Wire(host, "br0") as receiver:
        assert arrives(sender, receiver)
        done = attacher.attach(spec, index, loader("tc_drop"))
        found = attacher.find(index, "tc-ingress")
        assert found is not None and found.ours and found.program_id == done.program_id
        assert attacher.find(index, "tc-egress") is None
        assert is_lost(sender, receiver)
        assert attacher.detach(spec, index) is True
        assert arrives(sender, receiver)


def test_others_are_left_alone_and_told(lab: Lab) -> None:
    host, _ = lab.pair()
    index = host.index("v0")
    attacher = Attacher(lab.bpffs)
    spec = AttachmentSpec.at("v0", "tc-ingress")
    with host.inside(), tiny("tc_ok") as before, tiny("tc_pass") as after:
        tc_ensure_clsact(index, "ingress")
        tc_add(index, "ingress", before.fileno(), name="theirs", prio=1)
        tc_add(index, "ingress", after.fileno(), name="late", prio=9)
        done = attacher.attach(spec, index, loader("tc_pass"))
        order = [f.prog_id for f in tc_filters(index, "ingress")]
        assert order == [before.id, done.program_id, after.id]
        told = {(o.program_id, o.place, o.bypasses_us) for o in attacher.occupants(index)}
        assert told == {(before.id, "tc-ingress", True), (after.id, "tc-ingress", False)}
        assert {o.name for o in attacher.occupants(index)} == {"tc_ok", "tc_pass"}
        new = attacher.swap(spec, index, None, loader("tc_drop"))
        order = [f.prog_id for f in tc_filters(index, "ingress")]
        assert order == [before.id, new.program_id, after.id]
        assert attacher.detach(spec, index) is True
        assert [f.prog_id for f in tc_filters(index, "ingress")] == [before.id, after.id]
        assert attacher.detach(spec, index) is False
        with pytest.raises(Conflict) as raised:
            attacher.swap(spec, index, None, loader("tc_drop"))
        assert raised.value.code == "displaced"
        assert len(tc_filters(index, "ingress")) == 2


def test_filters_of_another_kind_do_not_stand_in_the_way(lab: Lab) -> None:
    host, _ = lab.pair()
    index = host.index("v0")
    attacher = Attacher(lab.bpffs)
    spec = AttachmentSpec.at("v0", "tc-egress")
    host.tc("qdisc add dev v0 clsact")
    host.tc("filter add dev v0 egress prio 1 protocol ip u32 match u32 0 0")
    with host.inside():
        done = attacher.attach(spec, index, loader("tc_pass"))
        found = [f for f in tc_filters(index, "egress") if f.kind == "bpf"]
        assert [(f.prog_id, f.prio) for f in found] == [(done.program_id, 2)]
        attacher.detach(spec, index)
        assert {f.kind for f in tc_filters(index, "egress")} == {"u32"}


def test_an_ingress_qdisc_of_others(lab: Lab) -> None:
    host, _ = lab.pair()
    index = host.index("v0")
    attacher = Attacher(lab.bpffs)
    host.tc("qdisc add dev v0 ingress")
    with host.inside():
        attacher.attach(AttachmentSpec.at("v0", "tc-ingress"), index, loader("tc_pass"))
        assert attacher.find(index, "tc-egress") is None
        with pytest.raises(Conflict) as raised:
            attacher.attach(AttachmentSpec.at("v0", "tc-egress"), index, loader("tc_pass"))
        assert raised.value.code == "other-qdisc"
        assert len(tc_filters(index, "ingress")) == 1
        assert [n.name for n in (lab.bpffs / "progs").iterdir()] == [f"{index}-tc-ingress"]


def test_tcx_programs_are_told_as_bypassing(lab: Lab) -> None:
    from tests.support.net.tcx import attached_tcx

    host, _ = lab.pair()
    index = host.index("v0")
    attacher = Attacher(lab.bpffs)
    with host.inside(), tiny("tc_ok") as theirs, attached_tcx(index, "ingress", theirs):
        assert tcx_query(index, "ingress") == [theirs.id]
        assert tcx_query(index, "egress") == []
        attacher.attach(AttachmentSpec.at("v0", "tc-ingress"), index, loader("tc_pass"))
        (told,) = attacher.occupants(index)
        assert (told.place, told.program_id, told.name) == ("tcx-ingress", theirs.id, "tc_ok")
        assert told.bypasses_us is True


def test_no_ethernet_header(lab: Lab) -> None:
    space = lab.namespace()
    space.ip("tuntap add tun0 mode tun")
    spec = AttachmentSpec.at("tun0", "tc-ingress")
    with space.inside(), pytest.raises(Unsupported) as raised:
        Attacher(lab.bpffs).attach(spec, space.index("tun0"), never)
    assert raised.value.code == "not-ethernet"


def test_a_swap_leaves_no_moment_without_a_filter(lab: Lab) -> None:
    """As at XDP: no frame of a flood arrives while dropping programs change places."""
    host, box = lab.pair()
    index = host.index("v0")
    attacher = Attacher(lab.bpffs)
    spec = AttachmentSpec.at("v0", "tc-egress")
    sent = 0
    stop = threading.Event()
    with host.inside(), Wire(host, "v0") as sender, Wire(box, "eth0") as receiver:
        assert arrives(sender, receiver)
        attacher.attach(spec, index, loader("tc_drop"))
        receiver.drain()

        def flood() -> None:
            nonlocal sent
            while not stop.is_set():
                sender.send(ethernet(b"flood"))
                sent += 1

        thread = threading.Thread(target=flood)
        thread.start()
        try:
            for _ in range(30):
                before = sent
                attacher.swap(spec, index, None, loader("tc_drop"))
                wait_for(lambda before=before: sent > before, "the flood goes on")  # type: ignore[misc]
        finally:
            stop.set()
            thread.join()
        assert receiver.drain(is_test_frame) == []
        attacher.detach(spec, index)
        assert arrives(sender, receiver)
