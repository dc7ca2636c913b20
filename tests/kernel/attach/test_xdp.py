"""Attaching at XDP, with real programs on real interfaces."""

from __future__ import annotations

import threading

import pytest

from tests.support.kernel.tinybpf import loader, never, tiny
from tests.support.net.netns import Lab, wait_for
from tests.support.packets.packets import Wire, arrives, ethernet, is_lost, is_test_frame
from xdpwall.attach.attacher import Attacher
from xdpwall.attach.hooks import HookProgram
from xdpwall.attach.large_packets import ONE_BUFFER, mtu_hint
from xdpwall.errors import Conflict, NotFound, Unsupported
from xdpwall.kernel.net.xdp import Mode, xdp_attach, xdp_query
from xdpwall.ruleset.attachment import AttachmentSpec
from xdpwall.values.terms import WantedMode


@pytest.mark.parametrize(
    ("wanted", "got"), [("auto", "native"), ("native", "native"), ("generic", "generic")]
)
def test_attach_drops_and_detach_lets_pass(lab: Lab, wanted: WantedMode, got: str) -> None:
    host, box = lab.pair()
    spec = AttachmentSpec.at("v0", "xdp", wanted)
    attacher = Attacher(lab.bpffs)
    with host.inside(), Wire(box, "eth0") as sender, Wire(host, "v0") as receiver:
        index = host.index("v0")
        assert arrives(sender, receiver)
        done = attacher.attach(spec, index, loader("xdp_drop"))
        assert (done.mode, done.changed) == (got, True)
        assert done.program_id in xdp_query(index).ids
        assert is_lost(sender, receiver)
        assert attacher.find(index, "xdp") == HookProgram(done.program_id, done.mode, ours=True)
        # Again is success, without loading anything, by a process that knows only the pins.
        again = Attacher(lab.bpffs).attach(spec, index, never)
        assert (again.mode, again.program_id, again.changed) == (got, done.program_id, False)
        assert attacher.detach(spec, index) is True
        assert xdp_query(index).ids == ()
        assert arrives(sender, receiver)
        assert list((lab.bpffs / "progs").iterdir()) == []
        assert attacher.detach(spec, index) is False


def test_auto_on_a_bridge_gets_generic(lab: Lab) -> None:
    host, box = lab.namespace("host"), lab.namespace("box")
    lab.bridge(host, "docker0")
    lab.veth(host, "v0", box, "eth0", master="docker0")
    with host.inside(), Wire(box, "eth0") as sender, Wire(host, "docker0") as receiver:
        assert arrives(sender, receiver)
        attacher = Attacher(lab.bpffs)
        spec = AttachmentSpec("docker0")
        assert attacher.attach(spec, host.index("docker0"), loader("xdp_drop")).mode == "generic"
        assert is_lost(sender, receiver)


def test_native_on_a_bridge_is_refused_with_the_way_out(lab: Lab) -> None:
    host = lab.namespace()
    lab.bridge(host, "docker0")
    index = host.index("docker0")
    with host.inside():
        attacher = Attacher(lab.bpffs)
        with pytest.raises(Unsupported) as raised:
            attacher.attach(AttachmentSpec("docker0", mode="native"), index, loader("xdp_pass"))
        error = raised.value
        assert (error.code, error.exit_code, error.field) == ("no-native", 6, "mode")
        assert "docker0 takes no native XDP" in error.message
        assert "--mode generic" in str(error.hint)
        assert "errno 95" in str(error.detail)
        assert xdp_query(index).ids == ()
        assert list((lab.bpffs / "progs").iterdir()) == []


def test_the_other_mode_of_ours_is_a_conflict(lab: Lab) -> None:
    host, _ = lab.pair()
    index = host.index("v0")
    with host.inside():
        attacher = Attacher(lab.bpffs)
        first = attacher.attach(AttachmentSpec("v0", mode="generic"), index, loader("xdp_pass"))
        with pytest.raises(Conflict) as raised:
            attacher.attach(AttachmentSpec("v0", mode="native"), index, never)
        assert (raised.value.code, raised.value.exit_code) == ("other-mode", 5)
        assert "generic mode, native was asked for" in raised.value.message
        assert xdp_query(index).generic == first.program_id
        # auto takes what is there.
        assert attacher.attach(AttachmentSpec("v0"), index, never).changed is False


@pytest.mark.parametrize("theirs", ["native", "generic"])
@pytest.mark.parametrize("wanted", ["native", "generic", "auto"])
def test_another_owners_program(lab: Lab, theirs: Mode, wanted: WantedMode) -> None:
    host, _ = lab.pair()
    index = host.index("v0")
    attacher = Attacher(lab.bpffs)
    spec = AttachmentSpec("v0", mode=wanted)
    with host.inside(), tiny("xdp_other") as other:
        xdp_attach(index, other.fileno(), theirs)
        with pytest.raises(Conflict) as raised:
            attacher.attach(spec, index, never)
        assert (raised.value.code, raised.value.exit_code) == ("occupied", 5)
        assert f"'xdp_other' (id {other.id}), {theirs}" in raised.value.message
        assert "--replace" in str(raised.value.hint)
        assert attacher.detach(spec, index) is False
        assert xdp_query(index).ids == (other.id,)
        assert attacher.find(index, "xdp") == HookProgram(other.id, theirs, ours=False)
        (occupant,) = attacher.occupants(index)
        assert occupant.to_json() == {
            "place": "xdp",
            "mode": theirs,
            "program_id": other.id,
            "name": "xdp_other",
            "bypasses_us": False,
        }
        done = attacher.attach(spec, index, loader("xdp_pass"), replace=True)
        assert done.mode == ("native" if wanted == "auto" else wanted)
        assert xdp_query(index).ids == (done.program_id,)
        assert attacher.occupants(index) == []


def test_a_failed_replace_puts_the_other_owner_back(lab: Lab) -> None:
    host = lab.namespace()
    lab.bridge(host, "br0")
    index = host.index("br0")
    attacher = Attacher(lab.bpffs)
    with host.inside(), tiny("xdp_other") as other:
        xdp_attach(index, other.fileno(), "generic")
        with pytest.raises(Unsupported):
            attacher.attach(
                AttachmentSpec("br0", mode="native"), index, loader("xdp_pass"), replace=True
            )
        assert xdp_query(index).generic == other.id


def test_a_program_of_the_same_name_is_not_ours(lab: Lab) -> None:
    host, _ = lab.pair()
    index = host.index("v0")
    attacher = Attacher(lab.bpffs)
    spec = AttachmentSpec("v0")
    with host.inside(), tiny("xdp_pass") as other:
        attacher.attach(spec, index, loader("xdp_pass"))
        xdp_attach(index, other.fileno(), "native", if_noexist=False)
        assert attacher.find(index, "xdp") == HookProgram(other.id, "native", ours=False)
        with pytest.raises(Conflict) as raised:
            attacher.swap(spec, index, "native", loader("xdp_drop"))
        assert raised.value.code == "displaced"
        assert attacher.detach(spec, index) is False
        assert xdp_query(index).ids == (other.id,)


def test_a_jumbo_mtu_gets_a_program_for_fragments(lab: Lab) -> None:
    host, box = lab.pair()
    host.set_mtu("v0", 9000)
    box.set_mtu("eth0", 9000)
    asked: list[bool] = []
    with host.inside():
        attacher = Attacher(lab.bpffs)
        spec = AttachmentSpec("v0", mode="native")
        index = host.index("v0")
        assert attacher.attach(spec, index, loader("xdp_pass", asked)).mode == "native"
        assert asked == [False, True]
        asked.clear()
        assert attacher.swap(spec, index, "native", loader("xdp_other", asked)).mode == "native"
        assert asked == [False, True]


def test_interfaces_without_an_ethernet_header_are_refused(lab: Lab) -> None:
    space = lab.namespace()
    space.ip("tuntap add tun0 mode tun")
    with space.inside(), pytest.raises(Unsupported) as raised:
        Attacher(lab.bpffs).attach(AttachmentSpec("tun0"), space.index("tun0"), never)
    assert (raised.value.code, raised.value.exit_code) == ("not-ethernet", 6)
    assert "tun0 has no Ethernet header (link type none)" in raised.value.message


def test_tap_and_loopback_are_taken(lab: Lab) -> None:
    space = lab.namespace()
    space.ip("tuntap add tap0 mode tap")
    with space.inside():
        attacher = Attacher(lab.bpffs)
        for name in ("tap0", "lo"):
            spec = AttachmentSpec(name, mode="generic")
            assert attacher.attach(spec, space.index(name), loader("xdp_pass")).mode == "generic"


def test_an_interface_that_has_gone(lab: Lab) -> None:
    space = lab.namespace()
    attacher = Attacher(lab.bpffs)
    with space.inside():
        with pytest.raises(NotFound) as raised:
            attacher.attach(AttachmentSpec("gone0"), 4242, never)
        assert (raised.value.code, raised.value.exit_code) == ("no-interface", 3)
        assert "gone0" in raised.value.message
        assert attacher.find(4242, "xdp") is None
        assert attacher.occupants(4242) == []
        assert attacher.detach(AttachmentSpec("gone0"), 4242) is False


def test_a_swap_leaves_no_moment_without_a_filter(lab: Lab) -> None:
    """A sender floods while one dropping program takes the place of another, 30 times: a single
    frame that arrives would show a gap. The flood is seen to run during every swap."""
    host, box = lab.pair()
    index = host.index("v0")
    attacher = Attacher(lab.bpffs)
    spec = AttachmentSpec("v0")
    sent = 0
    stop = threading.Event()
    with host.inside(), Wire(box, "eth0") as sender, Wire(host, "v0") as receiver:
        assert arrives(sender, receiver)
        first = attacher.attach(spec, index, loader("xdp_drop")).program_id
        receiver.drain()

        def flood() -> None:
            nonlocal sent
            frame = ethernet(b"flood")
            while not stop.is_set():
                sender.send(frame)
                sent += 1

        thread = threading.Thread(target=flood)
        thread.start()
        try:
            ids = {first}
            for _ in range(30):
                before = sent
                ids.add(attacher.swap(spec, index, "native", loader("xdp_drop")).program_id)
                wait_for(lambda before=before: sent > before, "the flood goes on")  # type: ignore[misc]
        finally:
            stop.set()
            thread.join()
        assert len(ids) == 31
        assert receiver.drain(is_test_frame) == []
        attacher.detach(spec, index)
        assert arrives(sender, receiver)


@pytest.mark.parametrize(("mtu", "told"), [(9000, True), (ONE_BUFFER, False)])
def test_a_drivers_refusal_at_a_large_mtu_says_to_lower_it(lab: Lab, mtu: int, told: bool) -> None:
    host, _ = lab.pair()
    host.set_mtu("v0", mtu)
    with host.inside(), pytest.raises(Unsupported) as raised, mtu_hint(host.index("v0")):
        raise Unsupported("the driver does not want to")
    hint = f"the MTU is {mtu}: `ip link set v0 mtu {ONE_BUFFER}`, and once more"
    assert raised.value.hint == (hint if told else None)
