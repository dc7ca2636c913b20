"""What pins say about the attachments of an instance, also after a crash."""

from __future__ import annotations

import pytest

from tests.support.kernel.tinybpf import loader, never, tiny
from tests.support.net.netns import Lab
from tests.support.net.tcx import attached_tcx
from xdpwall.attach.attacher import Attacher
from xdpwall.attach.hooks import HookProgram
from xdpwall.errors import Conflict
from xdpwall.kernel.bpf.programs import Program
from xdpwall.kernel.net.tc import tc_filters
from xdpwall.kernel.net.xdp import xdp_attach, xdp_query
from xdpwall.ruleset.attachment import AttachmentSpec


def test_pinned_lists_every_attachment(lab: Lab) -> None:
    host, _ = lab.pair()
    index, loopback = host.index("v0"), host.index("lo")
    attacher = Attacher(lab.bpffs)
    with host.inside():
        assert attacher.pinned() == []
        a = attacher.attach(AttachmentSpec("v0"), index, loader("xdp_pass"))
        b = attacher.attach(AttachmentSpec.at("v0", "tc-egress"), index, loader("tc_pass"))
        c = attacher.attach(AttachmentSpec.at("lo", "tc-ingress"), loopback, loader("tc_pass"))
        listed = attacher.pinned()
    assert {(i, place, program.id) for i, place, program in listed} == {
        (index, "xdp", a.program_id),
        (index, "tc-egress", b.program_id),
        (loopback, "tc-ingress", c.program_id),
    }
    for _, _, program in listed:
        program.close()


def test_a_deleted_interface_that_comes_back(lab: Lab) -> None:
    host, box = lab.pair()
    old = host.index("v0")
    attacher = Attacher(lab.bpffs)
    spec = AttachmentSpec("v0")
    with host.inside():
        first = attacher.attach(spec, old, loader("xdp_pass"))
        host.ip("link del v0")
        host.ip("link add filler type veth peer name filler2")
        lab.veth(host, "v0", box, "eth0")
        new = host.index("v0")
        assert new != old
        assert attacher.find(old, "xdp") is None
        assert attacher.find(new, "xdp") is None
        second = attacher.attach(spec, new, loader("xdp_pass"))
        assert second.changed and second.program_id != first.program_id
        assert attacher.prune() == [(old, "xdp")]
        assert attacher.prune() == []
        assert attacher.find(new, "xdp") == HookProgram(second.program_id, "native", ours=True)


def test_an_index_that_another_interface_took(lab: Lab) -> None:
    host, _ = lab.pair()
    index = host.index("v0")
    attacher = Attacher(lab.bpffs)
    with host.inside():
        attacher.attach(AttachmentSpec("v0"), index, loader("xdp_pass"))
        host.ip("link del v0")
        host.ip(f"link add other index {index} type bridge")
        assert attacher.find(index, "xdp") is None
        done = attacher.attach(AttachmentSpec("other"), index, loader("xdp_other"))
        assert done.changed
        assert attacher.find(index, "xdp") == HookProgram(done.program_id, "generic", ours=True)
        (entry,) = attacher.pinned()
        with entry[2] as program:
            assert program.id == done.program_id


@pytest.mark.parametrize("reached", [True, False])
def test_a_crash_between_attach_and_the_pin_is_settled_by_the_kernel(
    lab: Lab, reached: bool
) -> None:
    """What a death in the middle of a swap leaves: the old pin, the coming pin, and one of the
    two programs attached."""
    host, _ = lab.pair()
    index = host.index("v0")
    attacher = Attacher(lab.bpffs)
    spec = AttachmentSpec("v0")
    with host.inside(), tiny("xdp_other") as coming:
        first = attacher.attach(spec, index, loader("xdp_pass")).program_id
        attacher.pins.pin_next(coming, index, "xdp")
        if reached:
            xdp_attach(index, coming.fileno(), "native", if_noexist=False)
        attached = coming.id if reached else first
        assert Attacher(lab.bpffs).find(index, "xdp") == HookProgram(attached, "native", ours=True)
        assert [p.name for p in (lab.bpffs / "progs").iterdir()] == [f"{index}-xdp"]
        with Program.open_pinned(lab.bpffs / "progs" / f"{index}-xdp") as pinned:
            assert pinned.id == attached
        assert attacher.attach(spec, index, never).program_id == attached
        assert attacher.detach(spec, index) is True
        assert xdp_query(index).ids == ()


def test_two_instances_do_not_touch_each_other(lab: Lab) -> None:
    host, _ = lab.pair()
    index = host.index("v0")
    one, two = Attacher(lab.bpffs / "one"), Attacher(lab.bpffs / "two")
    spec = AttachmentSpec.at("v0", "tc-ingress")
    with host.inside():
        a = one.attach(spec, index, loader("tc_pass"))
        b = two.attach(spec, index, loader("tc_pass"))
        assert two.detach(spec, index) is True
        found = one.find(index, "tc-ingress")
        assert found is not None and found.ours and found.program_id == a.program_id
        assert [f.prog_id for f in tc_filters(index, "ingress")] == [a.program_id]
        assert a.program_id != b.program_id
        one.attach(AttachmentSpec("v0"), index, loader("xdp_pass"))
        with pytest.raises(Conflict):
            two.attach(AttachmentSpec("v0"), index, never)


def test_a_program_held_by_a_link_is_not_replaced(lab: Lab) -> None:
    host, _ = lab.pair()
    index = host.index("v0")
    attacher = Attacher(lab.bpffs)
    with host.inside(), tiny("xdp_other") as theirs, attached_tcx(index, "xdp", theirs):
        with pytest.raises(Conflict) as raised:
            attacher.attach(AttachmentSpec("v0"), index, loader("xdp_pass"), replace=True)
        assert raised.value.code == "occupied"
        assert xdp_query(index).ids == (theirs.id,)
        assert list((lab.bpffs / "progs").iterdir()) == []


def test_no_descriptor_is_left_open(lab: Lab) -> None:
    import os

    host, _ = lab.pair()
    index = host.index("v0")
    attacher = Attacher(lab.bpffs)
    with host.inside():

        def round_trip() -> None:
            for place in ("xdp", "tc-ingress", "tc-egress"):
                spec = AttachmentSpec.at("v0", place)
                name = "xdp_pass" if place == "xdp" else "tc_pass"
                mode = attacher.attach(spec, index, loader(name)).mode
                attacher.swap(spec, index, mode, loader(name))
                attacher.occupants(index)
                attacher.detach(spec, index)

        round_trip()
        before = len(os.listdir("/proc/self/fd"))
        round_trip()
        assert len(os.listdir("/proc/self/fd")) == before
