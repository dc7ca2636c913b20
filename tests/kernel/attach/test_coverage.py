"""What is said about interfaces, and that the words about coverage are true."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from tests.support.kernel.tinybpf import loader
from tests.support.net.netns import PATIENCE, Lab
from tests.support.net.ping import ping
from xdpwall.attach.attacher import Attacher
from xdpwall.attach.coverage import coverage, list_interfaces
from xdpwall.ruleset.attachment import AttachmentSpec
from xdpwall.values.terms import Place


@dataclass(frozen=True)
class At:
    place: Place


def test_list_interfaces(lab: Lab) -> None:
    host, box = lab.namespace("host"), lab.namespace("box")
    lab.bridge(host, "docker0")
    lab.veth(host, "v0", box, "eth0", master="docker0")
    host.ip("tuntap add tun0 mode tun")
    with host.inside():
        found = {view.name: view for view in list_interfaces()}
    assert set(found) == {"lo", "docker0", "v0", "tun0"}
    assert found["v0"].to_json() | {"address": "", "index": 0} == {
        "name": "v0",
        "index": 0,
        "state": "up",
        "kind": "veth",
        "driver": "veth",
        "link_type": "ether",
        "mtu": 1500,
        "address": "",
        "master": "docker0",
        "attachments": [],
        "others": [],
        "attachable": True,
        "wanted": [],
        "waiting": {},
        "suggestions": [],
    }
    assert found["lo"].attachable and found["docker0"].attachable
    assert not found["tun0"].attachable
    assert "no Ethernet header (link type none)" in str(found["tun0"].why_not)


BRIDGE_BLIND = {
    "from": "from containers: xdp or tc ingress sees it",
    "to": "to containers: tc egress sees it",
    "between": "between containers: only the bridge's ports see it",
}


@pytest.mark.parametrize(
    ("places", "sees", "blind"),
    [
        ([], [], ["from", "to", "between"]),
        (["xdp"], ["from containers"], ["to", "between"]),
        (["tc-ingress"], ["from containers"], ["to", "between"]),
        (["tc-egress"], ["to containers"], ["from", "between"]),
        (["xdp", "tc-egress"], ["from containers", "to containers"], ["between"]),
    ],
)
def test_a_bridge_in_words(places: list[Place], sees: list[str], blind: list[str]) -> None:
    found = coverage("bridge", [At(place) for place in places])
    assert found.sees == sees
    assert found.blind == [BRIDGE_BLIND[word] for word in blind]
    assert len(found.suggestions) == len(blind)


def test_an_ifb_in_words() -> None:
    suggestion = "tc egress (--hook tc --direction egress) sees everything that is redirected to it"
    blind = "everything redirected to it: tc egress sees it"
    assert coverage("ifb", [At("xdp"), At("tc-ingress")]) == ([], [blind], [suggestion])
    assert coverage("ifb", [At("tc-egress")]) == (["everything redirected to it"], [], [])


@pytest.mark.parametrize("kind", [None, "veth", "vlan"])
def test_an_ordinary_interface_in_words(kind: str | None) -> None:
    assert coverage(kind, [At("xdp")]) == (
        ["everything in"],
        ["everything out: tc egress sees it"],
        ["tc egress (--hook tc --direction egress) sees everything that goes out"],
    )
    assert coverage(kind, [At("tc-egress")]).sees == ["everything out"]
    assert coverage(kind, [At("tc-ingress"), At("tc-egress")]).blind == []


@pytest.mark.parametrize(
    ("place", "program", "cuts"),
    [
        ("xdp", "xdp_drop", {"host->one", "one->host"}),
        ("tc-ingress", "tc_drop", {"host->one", "one->host"}),
        ("tc-egress", "tc_drop", {"host->one", "one->host"}),
    ],
)
def test_the_words_about_a_bridge_are_true(
    lab: Lab, place: str, program: str, cuts: set[str]
) -> None:
    """Everything is dropped at the place. Pings need both ways, so either end notices; what goes
    between containers passes; which one way is cut is seen by counting frames at the bridge's
    ends."""
    from tests.support.packets.packets import Wire, ethernet

    host, one, two = (lab.namespace(name) for name in ("host", "one", "two"))
    lab.bridge(host, "docker0", "172.17.0.1/16")
    lab.veth(host, "v1", one, "eth0", master="docker0", peer_address="172.17.0.2/16")
    lab.veth(host, "v2", two, "eth0", master="docker0", peer_address="172.17.0.3/16")
    ways = {
        "host->one": (host, "172.17.0.2"),
        "one->host": (one, "172.17.0.1"),
        "one->two": (one, "172.17.0.3"),
    }

    def tried(cut: set[str]) -> set[str]:
        """The ways that are cut; on those that should not be, answers may take their time."""
        return {
            way
            for way, (space, address) in ways.items()
            if not ping(space, address, patience=0.5 if way in cut else PATIENCE)
        }

    assert tried(set()) == set()
    with host.inside(), Wire(host, "docker0") as bridge, Wire(one, "eth0") as container:
        attacher = Attacher(lab.bpffs)
        spec = AttachmentSpec.at("docker0", place)
        attacher.attach(spec, host.index("docker0"), loader(program))
        assert tried(cuts) == cuts
        container.drain()
        bridge.send(ethernet(b"to containers"))
        seen = place != "tc-egress"
        patience = PATIENCE if seen else 0.3
        found = container.receive(lambda f: b"to containers" in f, timeout=patience)
        assert (found is not None) is seen
        attacher.detach(spec, host.index("docker0"))
    assert tried(set()) == set()
