"""Bad input for every field: refused with the field's name, and nothing changed."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.service.service import Service
from xdpwall.rule.rule import Rule

TCP = {"action": "drop", "proto": "tcp"}
PING = {"action": "drop", "proto": "icmp"}


def each(field: str, *values: Any, base: dict[str, Any] | None = None) -> list[dict[str, Any]]:
    """A rule with each of the values in that field."""
    return [{**(base or {"action": "drop"}), field: value} for value in values]


RULES: dict[str, list[dict[str, Any]]] = {
    "id": each("id", "", "UPPER", "-x", "x" * 33, "a b", "a\x00", 5, ["a"], "é"),
    "action": [{}, *each("action", "deny", "", 1, None, ["drop"], "DROP ")],
    "iface": each("iface", "", "a" * 16, "a/b", "a b", "..", "!", "!!eth0", 7, "e\nth0"),
    "direction": each("direction", "both", "in", 1, ""),
    "ethertype": each("ethertype", "ipv4", "ipv6", "0x0800", "0x86dd", "0x05ff", "0x10000", "x", -1)
    + each("ethertype", 1.5, True, ""),
    "family": each("family", "ip", 4, "", "IPv5")
    + each("family", "ipv6", base={"action": "drop", "src": "10.0.0.0/8"}),
    "proto": each("proto", "tpc", 256, -1, "", 6.5, True),
    "src": each("src", "10.0.0.1/8", "10.0.0.0/33", "host", "", "@set", "1.2.3", "fe80::1%eth0", 5),
    "dst": each("dst", "::1/129", "2001:db8::1/32", "!", "x")
    + each("dst", "2001:db8::1", base=PING),
    "sport": each("sport", "65536", "-1", "9-1", "", "a", "1,", "1-2-3", base=TCP)
    + each("sport", 53),
    "dport": each("dport", 65536, -1, "80;443", [80], "!", True, 1.5, base=TCP)
    + each("dport", 1, base={"action": "drop", "proto": "gre"}),
    "icmp_type": each("icmp_type", "ping", 256, -1, "", 1.5, base=PING)
    + each("icmp_type", 8, base=TCP),
    "icmp_code": each("icmp_code", "nope", 256, -1, "", base={**PING, "icmp_type": 3})
    + each("icmp_code", 0, base=PING),
    "tcp_flags": each("tcp_flags", "syn/", "foo", "syn/ack", "", 2, "/", base=TCP)
    + each("tcp_flags", "syn", base=PING),
    "vlan": each("vlan", 4096, -1, "any", "", "1-2", True),
    "length": each("length", 65_576, "9-1", "a", -1, "", "1-"),
    "ttl": each("ttl", 256, "9-1", "x", -1, "", 1.5),
    "fragment": each("fragment", "middle", 1, "", []),
    "state": each("state", "", "open", "new;invalid", "!new,,related", 1, [], ["new", 3], True)
    + each("state", "!new,established,related,invalid,untracked")
    + each("state", "new", base={"action": "drop", "ethertype": "arp"}),
    "keep": each("keep", "yes", 1, "", [])
    + each("keep", True)
    + each("keep", True, base={"action": "count"})
    + each("keep", True, base={"action": "accept", "ethertype": "any"}),
    "cookie": each("cookie", "yes", 1, "", [])
    + each("cookie", True)
    + each("cookie", True, base={"action": "accept", "proto": "udp", "dport": 53})
    + each("cookie", True, base={"action": "accept", "proto": "tcp"}),
    "expires": each("expires", "soon", "2030-13-01T00:00:00Z", "", 5.5, "-1h"),
    "enabled": each("enabled", "yes", 1, "", []),
    "comment": each("comment", "x" * 257, "a\nb", "\x1b[31m", 5, ["x"], "\x00"),
    "log": each("log", "yes", 1, "", []),
    "limit": each(
        "limit", "", "10", "0/s", "-1/s", "10/week", "10/s burst 0", "10/s per dst", 10, []
    ),
    "over": each("over", "", "ten/s", "10/s per src/33", "10/s burst x", {"burst": 5}, True),
    "position": each("position", 0, -1, 3, 99_999, "x", 1.5, True, [1]),
    "color": each("color", "red"),
    "packets": each("packets", 0),
    "text": [{"text": value} for value in ("", "block it", 5, "drop tcp/99999", "x" * 10_000)],
}


def field_of(problem: dict[str, Any]) -> str:
    """The last name of `rules[0].src`."""
    return str(problem.get("field", "")).rpartition(".")[2]


def test_the_table_has_every_field_of_a_rule() -> None:
    assert set(Rule.model_fields) <= set(RULES)


@pytest.mark.parametrize("field", RULES)
def test_a_bad_field_of_a_rule(service: Service, field: str) -> None:
    service.call("POST", "/rules", {"action": "count", "id": "kept", "comment": "as it was"})
    before = service.call("GET", "/ruleset").content
    for body in RULES[field]:
        refused = service.call("POST", "/rules", body)
        assert refused.status == 422, (body, refused.content)
        assert " should " not in refused.json["detail"], "the library's words"
        named = field_of(refused.json)
        # In a sentence the wrong word is pointed at, and named by what it would have been.
        assert named == field or "span" in refused.json, (body, refused.json)
        assert refused.json["detail"].isprintable(), (body, refused.json)
        if "position" not in body:
            in_list = service.call("POST", "/rules", [{"action": "count"}, body])
            assert in_list.status == 422, body
            assert in_list.json["field"].startswith("rules[1]"), (body, in_list.json)
            whole = service.call("PUT", "/ruleset", {"version": 1, "rules": [body]})
            assert whole.status == 422, body
            assert whole.json["field"].startswith("rules[0]"), (body, whole.json)
        replaced = service.call("PUT", "/rules/kept", body)
        assert replaced.status == 422, (body, replaced.content)
    assert service.call("GET", "/ruleset").content == before


@pytest.mark.parametrize("field", [name for name in RULES if name not in ("id", "action", "text")])
def test_a_bad_field_of_a_change(service: Service, field: str) -> None:
    service.call("POST", "/rules", {"action": "count", "id": "kept"})
    before = service.call("GET", "/ruleset").content
    for body in RULES[field]:
        refused = service.call("PATCH", "/rules/kept", body)
        assert refused.status == 422, (body, refused.content)
        assert " should " not in refused.json["detail"], "the library's words"
        assert field_of(refused.json) == field, (body, refused.json)
    assert service.call("GET", "/ruleset").content == before


OTHERS: list[tuple[str, str, Any, str]] = [
    ("PUT", "/policy", {"ingress": "deny"}, "ingress"),
    ("PUT", "/policy", {"egress": None}, "egress"),
    ("PUT", "/policy", {"non_ip": "judge"}, "non_ip"),
    ("PUT", "/policy", {"neighbor_discovery": "drop"}, "neighbor_discovery"),
    ("PUT", "/policy", {"ingress": "drop", "transit": "drop"}, "transit"),
    ("PUT", "/policy", {"ingress": ["drop"]}, "ingress"),
    ("PUT", "/policy", {}, "body"),
    ("PUT", "/switch", {"on": "true"}, "on"),
    ("PUT", "/switch", {"on": 1}, "on"),
    ("PUT", "/switch", {}, "on"),
    ("PUT", "/switch", {"on": False, "confirm": 60}, "confirm"),
    ("PUT", "/interfaces/eth1/attachments/xdp", {"mode": "fast"}, "mode"),
    ("PUT", "/interfaces/eth1/attachments/tc-ingress", {"mode": "native"}, "mode"),
    ("PUT", "/interfaces/eth1/attachments/xdp", {"replace": "yes"}, "replace"),
    ("PUT", "/interfaces/eth1/attachments/xdp", {"force": True}, "force"),
    ("PUT", "/interfaces/eth1/attachments/xdp-egress", {}, "place"),
    ("PUT", f"/interfaces/{'x' * 16}/attachments/xdp", {}, "iface"),
    ("DELETE", "/interfaces/eth1/attachments?hook=nf", None, "hook"),
    ("DELETE", "/attachments?direction=up", None, "direction"),
    ("POST", "/rules/delete", {"ids": []}, "ids"),
    ("POST", "/rules/delete", {"ids": "kept"}, "ids"),
    ("POST", "/rules/delete", {"ids": [5]}, "ids[0]"),
    ("POST", "/rules/delete", {}, "ids"),
    ("POST", "/rules/disable", {"rules": ["kept"]}, "rules"),
    ("POST", "/rules/reset-counters", {"ids": []}, "ids"),
    ("POST", "/rules/flush", {"yes": True}, "body"),
    ("POST", "/rules?confirm=0", {"action": "drop"}, "confirm"),
    ("POST", "/rules?confirm=3601", {"action": "drop"}, "confirm"),
    ("GET", "/ruleset/history?limit=0", None, "limit"),
    ("POST", "/explain", {"packets": []}, "packets"),
    ("POST", "/rules", {"text": "drop tcp", "proto": "tcp"}, "proto"),
    ("POST", "/rules/parse", {"text": 5}, "text"),
    ("POST", "/rules/parse", {"sentence": "drop"}, "sentence"),
    ("POST", "/rules/parse", {"text": "drop", "partial": "yes"}, "partial"),
    ("PUT", "/rules/kept", {"id": "other", "action": "drop"}, "id"),
    ("PATCH", "/rules/kept", {"id": "other"}, "id"),
    ("PUT", "/ruleset", {"version": 2, "rules": []}, "version"),
    ("PUT", "/ruleset", {"version": 1}, "rules"),
    ("PUT", "/ruleset", {"version": 1, "rules": {}}, "rules"),
    ("PUT", "/ruleset", {"version": 1, "rules": [], "policy": {"ingress": 1}}, "policy.ingress"),
    ("PUT", "/ruleset", {"version": 1, "rules": [], "extra": 1}, "extra"),
    (
        "PUT", "/ruleset",
        {"version": 1, "rules": [], "attachments": [{"iface": "eth1", "direction": "egress"}]},
        "attachments[0].direction",
    ),
    ("PUT", "/ruleset", {"version": 1, "rules": ["drop"] * 16_385}, "rules"),
    ("PUT", "/ruleset", {"version": 1, "rules": [{"action": "drop", "id": "a"}] * 2}, "rules[1].id"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("method", "path", "body", "field"),
    OTHERS,
    ids=[f"{n}-{case[3]}" for n, case in enumerate(OTHERS)],
)
def test_a_bad_field_elsewhere(
    service: Service, method: str, path: str, body: Any, field: str
) -> None:
    service.call("POST", "/rules", {"action": "count", "id": "kept"})
    before = service.call("GET", "/status").content
    rules = service.call("GET", "/ruleset").content
    refused = service.call(method, path, body)
    assert refused.status == 422, refused.content
    assert " should " not in refused.json["detail"], "the library's words"
    assert refused.json["field"] == field, refused.json
    assert service.call("GET", "/ruleset").content == rules
    assert service.call("GET", "/status").content == before
