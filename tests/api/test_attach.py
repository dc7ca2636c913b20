"""Attach, block, count and detach over HTTP, with real packets; and what is refused."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.kernel.tinybpf import tiny
from tests.support.net.netns import Lab, Namespace
from tests.support.net.ping import ping as echo
from tests.support.service.service import Service
from xdpwall.kernel.net.xdp import xdp_attach
from xdpwall.views.status import Stats

BOX = "172.17.0.2"


@pytest.fixture
def docker(lab: Lab, tmp_path: Path) -> Iterator[tuple[Service, Namespace]]:
    """A service in a namespace whose bridge docker0 has a box behind it."""
    gate, box = lab.namespace("gate"), lab.namespace("box")
    lab.bridge(gate, "docker0", "172.17.0.1/24")
    lab.veth(gate, "port0", box, "eth0", peer_address=f"{BOX}/24", master="docker0")
    with Service(gate, tmp_path, lab.bpffs) as service:
        yield service, gate


def ping(gate: Namespace, count: int = 3) -> bool:
    """Whether BOX answers `count` pings: all or none."""
    answers = echo(gate, BOX, count, over=("docker0", BOX))
    assert answers in (0, count)
    return answers == count


def counted(service: Service, rule: str) -> int:
    stats = Stats.model_validate(service.call("GET", "/stats").json)
    return next(one.packets for one in stats.rules if one.id == rule)


def test_one_call_blocks_pings_on_docker0(docker: tuple[Service, Namespace]) -> None:
    service, gate = docker
    assert ping(gate)
    attached = service.call("PUT", "/interfaces/docker0/attachments/xdp", {"mode": "generic"})
    assert attached.status == 201, attached.content
    assert attached.json["attachment"]["mode"] == "generic"
    assert ping(gate)
    rule = service.call(
        "POST", "/rules", {"action": "drop", "iface": "docker0", "proto": "icmp"}
    ).json
    assert not ping(gate)
    assert counted(service, rule["id"]) == 3

    service.kill()
    assert not ping(gate)
    service.start()
    assert counted(service, rule["id"]) == 6

    totals = service.call("GET", "/stats").json["attachments"][0]["totals"]
    assert totals["dropped"]["packets"] == 6
    assert service.call("PUT", "/switch", {"on": False}).json == {
        "on": False,
        "changed": True,
        "warnings": [],
    }
    assert ping(gate)
    assert service.call("GET", "/status").json["on"] is False
    service.call("PUT", "/switch", {"on": True})
    assert not ping(gate)
    assert service.call("DELETE", f"/rules/{rule['id']}").status == 200
    assert ping(gate)


def test_attaching_twice_says_that_it_was_so(service: Service) -> None:
    path = "/interfaces/eth1/attachments/xdp"
    first = service.call("PUT", path, {})
    again = service.call("PUT", path, {})
    assert (first.status, first.json["changed"]) == (201, True)
    assert (again.status, again.json["changed"]) == (200, False)
    program = first.json["attachment"]["program_id"]
    assert again.json["attachment"]["program_id"] == program
    shown = service.call("GET", "/interfaces").json["interfaces"]
    eth1 = next(one for one in shown if one["name"] == "eth1")
    assert [one["program_id"] for one in eth1["attachments"]] == [program]


def test_a_body_is_not_needed(service: Service) -> None:
    assert service.call("PUT", "/interfaces/eth1/attachments/tc-egress").status == 201


def test_detach_one_some_and_all(service: Service) -> None:
    for iface, place in [
        ("eth1", "xdp"), ("eth1", "tc-ingress"), ("eth1", "tc-egress"), ("docker0", "tc-egress"),
    ]:  # fmt: skip
        made = service.call("PUT", f"/interfaces/{iface}/attachments/{place}", {})
        assert made.status == 201, made.content
    one = service.call("DELETE", "/interfaces/eth1/attachments/xdp")
    assert one.json == {"detached": ["eth1 xdp"], "warnings": []}
    assert service.call("DELETE", "/interfaces/eth1/attachments/xdp").json == {
        "detached": [],
        "warnings": [],
    }
    some = service.call("DELETE", "/interfaces/eth1/attachments?hook=tc&direction=ingress")
    assert some.json == {"detached": ["eth1 tc-ingress"], "warnings": []}
    egress = service.call("DELETE", "/attachments?direction=egress").json["detached"]
    assert sorted(egress) == ["docker0 tc-egress", "eth1 tc-egress"]
    assert service.call("GET", "/status").json["attachments"] == []


def test_native_on_a_bridge_cannot_be(service: Service) -> None:
    refused = service.call("PUT", "/interfaces/docker0/attachments/xdp", {"mode": "native"})
    assert (refused.status, refused.json["type"]) == (422, "urn:xdpwall:unsupported")
    assert refused.json["code"] == "no-native"
    assert "generic" in refused.json["hint"]


def test_an_interface_without_ethernet_cannot_be(service: Service) -> None:
    service.space.ip("tuntap add tun9 mode tun")
    try:
        refused = service.call("PUT", "/interfaces/tun9/attachments/tc-ingress", {})
        assert (refused.status, refused.json["code"]) == (422, "not-ethernet")
        assert refused.json["type"] == "urn:xdpwall:unsupported"
    finally:
        service.space.ip("link del tun9")


def test_another_owners_program_stays(service: Service) -> None:
    with service.space.inside(), tiny("xdp_drop") as other:
        index = service.space.index("eth1")
        xdp_attach(index, other.fileno(), "generic")
        refused = service.call("PUT", "/interfaces/eth1/attachments/xdp", {"mode": "generic"})
        assert (refused.status, refused.json["code"]) == (409, "occupied")
        assert str(other.id) in refused.json["detail"]
        others = service.call("GET", "/status").json["others"]
        assert [one["others"][0]["program_id"] for one in others] == [other.id]
        assert service.call("DELETE", "/interfaces/eth1/attachments/xdp").json == {
            "detached": [],
            "warnings": [],
        }
        body: dict[str, Any] = {"mode": "generic", "replace": True}
        taken = service.call("PUT", "/interfaces/eth1/attachments/xdp", body)
        assert taken.status == 201, taken.content
        assert taken.json["attachment"]["program_id"] != other.id


def test_a_mode_besides_the_one_in_place_is_a_conflict(service: Service) -> None:
    assert service.call("PUT", "/interfaces/eth1/attachments/xdp", {"mode": "native"}).status == 201
    refused = service.call("PUT", "/interfaces/eth1/attachments/xdp", {"mode": "generic"})
    assert (refused.status, refused.json["code"]) == (409, "other-mode")


def test_egress_rule_for_an_xdp_only_interface(service: Service) -> None:
    service.call("PUT", "/interfaces/eth1/attachments/xdp", {})
    refused = service.call(
        "POST", "/rules", {"action": "drop", "iface": "eth1", "direction": "egress"}
    )
    assert (refused.status, refused.json["field"]) == (422, "direction")
