"""POST /explain: packets in words and as bytes, by the ruleset in force and by one in the body."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.packets import frames as f
from tests.support.service.service import Service
from xdpwall.views.explain import MOST_PACKETS, MOST_RULES, ExplainReport

RULES = {
    "version": 1,
    "policy": {},
    "rules": ["count udp", "drop udp/53 on eth1", "drop tcp/22 on eth1"],
    "attachments": [{"iface": "eth1"}, {"iface": "eth1", "hook": "tc", "direction": "egress"}],
}


def explain(service: Service, *packets: Any, **more: Any) -> list[dict[str, Any]]:
    answer = service.call("POST", "/explain", {"packets": list(packets), **more})
    assert answer.status == 200, answer.content
    ExplainReport.model_validate(answer.json)
    found: list[dict[str, Any]] = answer.json["packets"]
    return found


def test_by_what_is_in_force(service: Service) -> None:
    assert service.call("PUT", "/ruleset", RULES).status == 200
    bytes_of_it = {"data": f.ether(f.ipv4(f.udp())).hex(), "iface": "eth1"}
    out = {**bytes_of_it, "direction": "egress", "length": 1400}
    found = explain(service, "udp/53 on eth1", "tcp/22", bytes_of_it, out)
    assert [one["verdict"] for one in found] == ["drop"] * 4
    assert [one["hooks"][-1]["place"] for one in found] == ["xdp", "xdp", "xdp", "tc-egress"]
    assert found[0]["hooks"][0]["rule"]["text"] == "drop udp/53 on eth1"
    assert [rule["text"] for rule in found[2]["hooks"][0]["counted"]] == ["count udp"]
    assert "packet" not in found[2] and found[3]["bytes"] == 1400
    rules = service.call("GET", "/rules").json["rules"]
    assert [rule["packets"] for rule in rules] == [0, 0, 0]


def test_of_a_rule_is_a_packet_that_it_decides(service: Service) -> None:
    assert service.call("PUT", "/ruleset", RULES).status == 200
    ids = [rule["id"] for rule in service.call("GET", "/rules").json["rules"]]
    answer = service.call("POST", "/explain", {"rules": ids})
    assert answer.status == 200, answer.content
    hooks = [one["hooks"][0] for one in answer.json["packets"]]
    assert [rule["id"] for rule in hooks[0]["counted"]] == ids[:1]
    assert [hook["rule"]["id"] for hook in hooks[1:]] == ids[1:]
    assert all(one["packet"] and one["hooks"][0]["attached"] for one in answer.json["packets"])
    both = service.call("POST", "/explain", {"packets": ["icmp on eth1"], "rules": ids[2:]}).json
    assert [one["verdict"] for one in both["packets"]] == ["pass", "drop"]


def test_of_a_rule_that_never_decides(service: Service) -> None:
    rules = ["accept tcp", "drop tcp/22", "drop from @bad"]
    with_set = {**RULES, "rules": rules, "sets": {"bad": {"entries": []}}}
    assert service.call("PUT", "/ruleset", with_set).status == 200
    shadowed, empty = [rule["id"] for rule in service.call("GET", "/rules").json["rules"]][1:]
    found = service.call("POST", "/explain", {"rules": [shadowed]}).json["packets"][0]
    assert "tcp/22" in found["packet"] and found["hooks"][0]["rule"]["text"] == "accept tcp"
    for rule_id, status, code in ((empty, 409, "no-packet"), ("nobody", 404, "not-found")):
        answer = service.call("POST", "/explain", {"rules": [rule_id]})
        assert (answer.status, answer.json["code"], answer.json["field"]) == (status, code, "rules")


def test_by_a_ruleset_in_the_body(service: Service) -> None:
    assert service.call("PUT", "/ruleset", RULES).status == 200
    before = service.call("GET", "/ruleset").json
    new = {"version": 1, "rules": ["accept udp/53", "drop udp"]}
    answer = service.call("POST", "/explain", {"packets": ["udp/53 on eth1"], "ruleset": new})
    assert "revision" not in answer.json
    assert answer.json["packets"][0]["hooks"][0]["rule"]["text"] == "accept udp/53"
    assert service.call("GET", "/ruleset").json == before


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "packets"),
        ({"packets": []}, "packets"),
        ({"rules": []}, "rules"),
        ({"rules": ["r1"] * (MOST_RULES + 1)}, "rules"),
        ({"packets": ["tcp"] * (MOST_PACKETS + 1)}, "packets"),
        ({"packets": ["tcp/22-23"]}, "dport"),
        ({"packets": [{"data": "zz"}]}, "packets"),
        ({"packets": [{"data": "00"}]}, "packets"),
        ({"packets": [{"data": "00" * 20, "length": 3}]}, "packets"),
        ({"packets": [{"data": "00" * 20, "iface": "a/b"}]}, "iface"),
        ({"packets": [{"data": "00" * 20, "direction": "up"}]}, "packets"),
        ({"packets": ["tcp"], "ruleset": {"version": 2, "rules": []}}, "version"),
        ({"packets": ["tcp"], "rulset": {}}, "rulset"),
    ],
)
def test_what_is_refused(service: Service, body: Any, field: str) -> None:
    answer = service.call("POST", "/explain", body)
    assert answer.status in (400, 413, 422), answer.content
    assert str(answer.json["field"]).startswith(field), answer.json
