"""Rules as objects: canonical forms, implications, contradictions, changes."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

import pytest

from xdpwall.errors import InvalidInput
from xdpwall.rule.rule import Rule


@pytest.mark.parametrize(
    ("field", "given", "kept", "beside"),
    [
        ("id", "noping", "noping", {}),
        ("action", "count", "count", {}),
        ("iface", "docker0", "docker0", {}),
        ("iface", "!docker0", "!docker0", {}),
        ("direction", "egress", "egress", {}),
        ("ethertype", "arp", "arp", {}),
        ("ethertype", "0x0806", "arp", {}),
        ("ethertype", 0x88CC, "0x88cc", {}),
        ("ethertype", "0x88CC", "0x88cc", {}),
        ("ethertype", "35020", "0x88cc", {}),
        ("ethertype", "any", "any", {}),
        ("family", "ipv6", "ipv6", {}),
        ("proto", 1, "icmp", {}),
        ("proto", "58", "icmpv6", {}),
        ("proto", "47", "gre", {}),
        ("proto", 4, "ipip", {}),
        ("proto", "89", 89, {}),
        ("proto", 0, 0, {}),
        ("src", "10.0.0.1/32", "10.0.0.1", {}),
        ("src", "0.0.0.0/0", "0.0.0.0/0", {}),
        ("src", "!10.0.0.0/8", "!10.0.0.0/8", {}),
        ("dst", "2001:DB8:0:0:0:0:0:1/128", "2001:db8::1", {}),
        ("dst", "2001:db8::/32", "2001:db8::/32", {}),
        ("dst", "::/0", "::/0", {}),
        ("sport", 53, "53", {"proto": "udp"}),
        ("dport", "443,80, 8000-8100,8050-8200,81", "80-81,443,8000-8200", {"proto": "tcp"}),
        ("dport", "!22", "!22", {"proto": "sctp"}),
        ("dport", "7-7", "7", {"proto": "tcp"}),
        ("icmp_type", 8, "echo-request", {"proto": "icmp"}),
        ("icmp_type", "128", "echo-request", {"proto": "icmpv6"}),
        ("icmp_type", 200, 200, {"proto": "icmp"}),
        ("icmp_code", "port-unreachable", 3, {"proto": "icmp", "icmp_type": 3}),
        ("icmp_code", "port-unreachable", 4, {"proto": "icmpv6", "icmp_type": 1}),
        ("icmp_code", "7", 7, {"proto": "icmp", "icmp_type": 200}),
        ("tcp_flags", "syn", "syn/syn", {"proto": "tcp"}),
        ("tcp_flags", "ack,syn", "syn,ack/syn,ack", {"proto": "tcp"}),
        ("tcp_flags", "none/cwr,fin,ece", "none/fin,ece,cwr", {"proto": "tcp"}),
        ("vlan", "100", 100, {}),
        ("vlan", "!100", "!100", {}),
        ("vlan", "none", "none", {}),
        ("vlan", "!none", "!none", {}),
        ("length", "64", 64, {}),
        ("length", "0-65575", "0-65575", {}),
        ("ttl", "5-5", 5, {}),
        ("ttl", "0-4", "0-4", {}),
        ("fragment", "true", True, {}),
        ("fragment", False, False, {}),
        ("fragment", "later", "later", {}),
        ("expires", "2026-11-21T12:00:00+02:00", "2026-11-21T10:00:00Z", {}),
        ("expires", "2020-01-01t00:00:00.75z", "2020-01-01T00:00:00Z", {}),
        ("enabled", "false", False, {}),
        ("comment", 'no "pings" \\ é', 'no "pings" \\ é', {}),
    ],
)
def test_a_field_is_kept_in_one_form(
    field: str, given: object, kept: object, beside: dict[str, Any]
) -> None:
    rule = Rule.parse({"action": "drop", **beside, field: given})
    assert rule.to_json()[field] == kept
    assert type(rule.to_json()[field]) is type(kept)
    assert Rule.parse(rule.to_json()) == rule
    assert Rule.parse(rule.text) == rule.model_copy(update={"id": None})
    assert Rule(**{"action": "drop", **beside, field: given}) == rule


@pytest.mark.parametrize("obj", [None, 5, True, [], ["drop"], b"drop", 1.5, object()])
def test_what_is_no_rule_at_all(obj: object) -> None:
    with pytest.raises(InvalidInput, match="an object or a sentence"):
        Rule.parse(obj)


def test_a_name_that_is_not_text() -> None:
    with pytest.raises(InvalidInput, match="not text"):
        Rule.parse({"action": "drop", 5: 1})


def test_an_action_must_be_said() -> None:
    with pytest.raises(InvalidInput, match="drop, accept or count") as caught:
        Rule.parse({"proto": "icmp"})
    assert caught.value.field == "action"


def test_a_misspelled_field_gets_a_suggestion() -> None:
    with pytest.raises(InvalidInput) as caught:
        Rule.parse({"action": "drop", "prot": "icmp"})
    assert caught.value.hint == "did you mean 'proto'?"


def test_a_duration_counts_from_now() -> None:
    before = datetime.now(UTC).timestamp()
    rule = Rule.parse({"action": "drop", "expires": "1h30m"})
    after = datetime.now(UTC).timestamp()
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", rule.expires or "")
    until = datetime.fromisoformat(rule.expires or "").timestamp()
    assert before + 5400 <= until <= after + 5401


def test_text_beside_what_a_sentence_does_not_say() -> None:
    rule = Rule.parse({"text": "drop icmp", "id": "noping", "comment": "x", "enabled": False})
    assert rule.to_json() == {
        "id": "noping",
        "action": "drop",
        "proto": "icmp",
        "enabled": False,
        "comment": "x",
    }
    with pytest.raises(InvalidInput, match="beside text") as caught:
        Rule.parse({"text": "drop icmp", "src": "10.0.0.1"})
    assert caught.value.field == "src"
    with pytest.raises(InvalidInput, match="said by text too"):
        Rule.parse({"text": "drop icmp disabled", "enabled": True})
    with pytest.raises(InvalidInput, match="not a sentence"):
        Rule.parse({"text": 5})


def test_log_is_about_the_rule_and_not_its_match() -> None:
    quiet = Rule.parse({"action": "drop", "log": False})
    assert "log" not in quiet.to_json()
    loud = Rule.parse("drop log disabled")
    assert loud.to_json() == {"action": "drop", "enabled": False, "log": True}
    assert loud.text == "drop log disabled"
    assert loud.match_key() == quiet.match_key(), "its counters go on"
    assert quiet.changed({"log": True}).log
    assert not loud.changed({"log": None}).log


def test_an_empty_comment_is_none() -> None:
    assert Rule.parse({"action": "drop", "comment": ""}).comment is None


def test_a_rule_is_frozen_and_hashable() -> None:
    rule = Rule.parse("drop icmp")
    with pytest.raises(Exception, match="frozen"):
        rule.action = "accept"
    assert hash(rule) == hash(Rule(action="drop", proto="1"))
    assert rule == Rule(action="drop", proto="1")


def test_change_only_what_is_named() -> None:
    rule = Rule.parse({"id": "a", "action": "drop", "proto": "tcp", "dport": "22", "comment": "c"})
    changed = rule.changed({"dport": 23, "comment": None})
    assert changed.to_json() == {"id": "a", "action": "drop", "proto": "tcp", "dport": "23"}
    with pytest.raises(InvalidInput) as caught:
        rule.changed({"proto": "icmp"})
    assert caught.value.field == "dport"
    with pytest.raises(InvalidInput) as caught:
        rule.changed({"action": None})
    assert caught.value.field == "action"
    with pytest.raises(InvalidInput) as caught:
        rule.changed({"prot": None})
    assert caught.value.field == "prot"
    with pytest.raises(InvalidInput, match="which stays"):
        rule.changed({"id": "b"})


def test_text_replaces_all_but_the_id() -> None:
    rule = Rule.parse({"id": "a", "action": "drop", "proto": "tcp", "comment": "c"})
    assert rule.changed({"text": "accept udp"}).to_json() == {
        "id": "a",
        "action": "accept",
        "proto": "udp",
    }


@pytest.mark.parametrize(
    ("changes", "same"),
    [
        ({"comment": "x"}, True),
        ({"enabled": False}, True),
        ({"expires": "10m"}, True),
        ({"dport": "22-22"}, True),
        ({"dport": "23"}, False),
        ({"action": "count"}, False),
        ({"iface": "eth0"}, False),
        ({"direction": "ingress"}, False),
    ],
)
def test_what_counters_hang_on(changes: dict[str, Any], same: bool) -> None:
    rule = Rule.parse("drop tcp/22")
    assert (rule.changed(changes).match_key() == rule.match_key()) is same
