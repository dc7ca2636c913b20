"""Rules as objects: canonical forms, implications, contradictions, changes."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

import pytest

from xdpwall.errors import InvalidInput
from xdpwall.model import AttachmentSpec, Rule, Ruleset, check_direction


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


BAD: list[tuple[str, object, dict[str, Any], str]] = [
    ("id", "No Ping", {}, "1 to 32 of a-z, 0-9, _ and -"),
    ("id", "", {}, "1 to 32"),
    ("id", "a" * 33, {}, "1 to 32"),
    ("id", 5, {}, "in quotes"),
    ("action", "reject", {}, "drop or accept or count"),
    ("action", True, {}, "drop or accept or count"),
    ("iface", "", {}, "1 to 15 bytes"),
    ("iface", "a-very-long-name", {}, "1 to 15 bytes"),
    ("iface", "eth 0", {}, "without blanks"),
    ("iface", "eth0\x00", {}, "without blanks"),
    ("iface", "eth/0", {}, "without / and :"),
    ("iface", "..", {}, "like eth0"),
    ("iface", "!!eth0", {}, "like eth0"),
    ("iface", 7, {}, "in quotes"),
    ("direction", "in", {}, "ingress or egress"),
    ("ethertype", "ipv4", {}, "use family"),
    ("ethertype", 0x86DD, {}, "family: ipv6"),
    ("ethertype", "0x0800", {}, "family: ipv4"),
    ("ethertype", 1500, {}, "0x0600 to 0xffff"),
    ("ethertype", 65536, {}, "0x0600 to 0xffff"),
    ("ethertype", "lldp", {}, "0x0600 to 0xffff"),
    ("ethertype", True, {}, "0x0600 to 0xffff"),
    ("family", "inet", {}, "ipv4 or ipv6"),
    ("family", 4, {}, "ipv4 or ipv6"),
    ("proto", "tpc", {}, "0 to 255"),
    ("proto", 256, {}, "0 to 255"),
    ("proto", -1, {}, "0 to 255"),
    ("proto", "06", {}, "0 to 255"),
    ("proto", 6.0, {}, "0 to 255"),
    ("proto", 1 << 70000, {}, "0 to 255"),
    ("src", "10.0.0.5/8", {}, "10.0.0.0/8 (the network) or 10.0.0.5/32 (the one address)"),
    ("src", "2001:db8::1/32", {}, "2001:db8::/32 (the network) or 2001:db8::1/128"),
    ("src", "010.0.0.1", {}, "10.0.0.1 if the numbers are decimal"),
    ("src", "10.0.0.0/255.0.0.0", {}, "10.0.0.0/8"),
    ("src", "10.0.0.0/0.255.255.255", {}, "10.0.0.0/8"),
    ("src", "10.0.0.0/255.0.255.0", {}, "a prefix length"),
    ("src", "10.0.0.0/33", {}, "0 to 32"),
    ("src", "10.0.0.0/08", {}, "0 to 32"),
    ("src", "10.0.0.0/", {}, "0 to 32"),
    ("src", "::/129", {}, "0 to 128"),
    ("src", "10.1/16", {}, "in full"),
    ("src", "10.0.0.256", {}, "an address or a prefix"),
    ("src", "::ffff:10.0.0.1", {}, "the IPv4 spelling, 10.0.0.1"),
    ("src", "::ffff:10.0.0.0/104", {}, "10.0.0.0/8"),
    ("src", "fe80::1%eth0", {}, "fe80::1"),
    ("src", "[2001:db8::1]", {}, "2001:db8::1"),
    ("src", "2001:db8:::1", {}, "an address or a prefix"),
    ("src", "10.0.0.1,10.0.0.2", {}, "one address or prefix"),
    ("src", "10.0.0.1-10.0.0.9", {}, "an address or a prefix"),
    ("src", "10.0.0.*", {}, "an address or a prefix"),
    ("src", "example.org", {}, "an address or a prefix"),
    ("src", "any", {}, "leave src out"),
    ("src", "١٠.0.0.1", {}, "an address or a prefix"),
    ("src", "", {}, "leave src out"),
    ("src", 10, {}, "in quotes"),
    ("src", "@friends", {}, "not in this version"),
    ("dst", "!@friends", {}, "not in this version"),
    ("dst", "10.0.0.5/8", {}, "10.0.0.0/8"),
    ("dst", None, {}, "no dst at all"),
    ("sport", "ssh", {"proto": "tcp"}, "0 to 65535"),
    ("sport", 70000, {"proto": "tcp"}, "0 to 65535"),
    ("sport", -1, {"proto": "tcp"}, "0 to 65535"),
    ("sport", "70000", {"proto": "tcp"}, "0 to 65535"),
    ("sport", True, {"proto": "tcp"}, "0 to 65535"),
    ("sport", "80,", {"proto": "tcp"}, "0 to 65535"),
    ("sport", "90-80", {"proto": "tcp"}, "0 to 65535"),
    ("sport", 53, {}, "tcp, udp or sctp"),
    ("dport", 53, {"proto": "icmp"}, "tcp, udp or sctp"),
    ("dport", "080", {"proto": "tcp"}, "0 to 65535"),
    ("dport", "!", {"proto": "tcp"}, "0 to 65535"),
    ("icmp_type", 8, {}, "icmp or icmpv6"),
    ("icmp_type", 8, {"proto": "tcp"}, "icmp or icmpv6"),
    ("icmp_type", "ping", {"proto": "icmp"}, "a name or 0 to 255"),
    ("icmp_type", 256, {"proto": "icmp"}, "0 to 255"),
    ("icmp_type", None, {"proto": "icmp"}, "no icmp_type at all"),
    ("icmp_code", 1, {"proto": "icmp"}, "icmp_type beside it"),
    ("icmp_code", 1, {}, "icmp or icmpv6"),
    ("icmp_code", "port", {"proto": "icmp", "icmp_type": 3}, "port-unreachable"),
    ("icmp_code", 256, {"proto": "icmp", "icmp_type": 3}, "0 to 255"),
    ("tcp_flags", "syn/syn", {}, "tcp beside it"),
    ("tcp_flags", "syn/syn", {"proto": "udp"}, "tcp beside it"),
    ("tcp_flags", "none", {"proto": "tcp"}, "WANT/MASK"),
    ("tcp_flags", "syn/ack", {"proto": "tcp"}, "syn/syn,ack"),
    ("tcp_flags", "sin/syn", {"proto": "tcp"}, "WANT/MASK"),
    ("tcp_flags", "", {"proto": "tcp"}, "WANT/MASK"),
    ("tcp_flags", 2, {"proto": "tcp"}, "WANT/MASK"),
    ("vlan", 4096, {}, "0 to 4095"),
    ("vlan", "!4096", {}, "0 to 4095"),
    ("vlan", "all", {}, "0 to 4095"),
    ("vlan", False, {}, "0 to 4095"),
    ("length", 65576, {}, "0 to 65575"),
    ("length", "9-1", {}, "1-9"),
    ("length", "big", {}, "a number or a range"),
    ("ttl", 256, {}, "0 to 255"),
    ("ttl", "1-256", {}, "0 to 255"),
    ("ttl", "-1", {}, "a number or a range"),
    ("fragment", "middle", {}, "true, false, first or later"),
    ("fragment", 1, {}, "true, false, first or later"),
    ("expires", "tomorrow", {}, "2026-11-21T10:00:00Z"),
    ("expires", "2026-11-21", {}, "2026-11-21T10:00:00Z"),
    ("expires", "2026-11-21T10:00:00", {}, "2026-11-21T10:00:00Z"),
    ("expires", "2026-02-30T10:00:00Z", {}, "2026-11-21T10:00:00Z"),
    ("expires", "0001-01-01T00:00:00+23:00", {}, "2026-11-21T10:00:00Z"),
    ("expires", "10", {}, "10m"),
    ("expires", "0s", {}, "1 second"),
    ("expires", "999999w", {}, "100 years"),
    ("expires", 600, {}, "10m"),
    ("enabled", "yes", {}, "true or false"),
    ("enabled", 1, {}, "true or false"),
    ("log", True, {}, "not in this version"),
    ("comment", "x" * 257, {}, "256"),
    ("comment", "a\nb", {}, "one line"),
    ("comment", "a\u202eb", {}, "one line"),
    ("comment", "a\ud800b", {}, "one line"),
    ("comment", 5, {}, "256 characters"),
    ("family", "ipv6", {"proto": "icmp"}, "proto: icmpv6"),
    ("family", "ipv4", {"proto": "icmpv6"}, "proto: icmp"),
    ("src", "2001:db8::1", {"proto": "icmp"}, "proto: icmpv6"),
    ("dst", "10.0.0.1", {"proto": 58}, "proto: icmp"),
    ("dst", "10.0.0.1", {"src": "2001:db8::1"}, "one family"),
    ("family", "ipv6", {"src": "10.0.0.1"}, "one family"),
    ("family", "ipv4", {"ethertype": "any"}, "family or ethertype, not both"),
    ("proto", "udp", {"ethertype": "arp"}, "proto or ethertype, not both"),
    ("src", "10.0.0.1", {"ethertype": "arp"}, "src or ethertype, not both"),
    ("ttl", 4, {"ethertype": "0x88cc"}, "ttl or ethertype, not both"),
    ("fragment", False, {"ethertype": "0x88cc"}, "fragment or ethertype, not both"),
    ("packets", 5, {}, "without packets"),
    ("position", 1, {}, "without position"),
    ("port", 80, {}, "known: id, action"),
]


@pytest.mark.parametrize(
    ("field", "value", "beside", "right"),
    BAD,
    ids=[f"{field}-{index}" for index, (field, *_) in enumerate(BAD)],
)
def test_bad_input_is_named_and_answered(
    field: str, value: object, beside: dict[str, Any], right: str
) -> None:
    obj = {"action": "drop", **beside, field: value}
    with pytest.raises(InvalidInput) as caught:
        Rule.parse(obj)
    error = caught.value
    assert error.field == field
    assert error.message.startswith(f"{field}: ")
    assert right in error.message
    assert len(error.message) < 400
    if isinstance(value, str):
        shown = value.lstrip("!")[:40] if "not in this version" in right else repr(value)[:30]
        assert shown in error.message
    if "not in this version" in right:
        assert error.code == "not-in-this-version"


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


def test_no_log_is_what_is_so() -> None:
    assert "log" not in Rule.parse({"action": "drop", "log": False}).to_json()


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


@pytest.mark.parametrize(
    ("given", "place", "json"),
    [
        (
            {"iface": "eth0"},
            "xdp",
            {"iface": "eth0", "hook": "xdp", "direction": "ingress", "mode": "auto"},
        ),
        (
            {"iface": "eth0", "hook": "tc", "direction": "egress"},
            "tc-egress",
            {"iface": "eth0", "hook": "tc", "direction": "egress"},
        ),
        (
            {"iface": "eth0", "mode": "generic"},
            "xdp",
            {"iface": "eth0", "hook": "xdp", "direction": "ingress", "mode": "generic"},
        ),
    ],
)
def test_attachments(given: dict[str, Any], place: str, json: dict[str, Any]) -> None:
    spec = AttachmentSpec.parse(given)
    assert spec.place == place
    assert spec.to_json() == json
    assert AttachmentSpec.parse(json) == spec
    assert AttachmentSpec.at(spec.iface, place, spec.mode) == spec


@pytest.mark.parametrize(
    ("given", "field", "right"),
    [
        ({}, "iface", "the name of an interface"),
        ({"iface": "!eth0"}, "iface", "like eth0"),
        ({"iface": 5}, "iface", "in quotes"),
        ({"iface": "eth0", "hook": "nf"}, "hook", "xdp or tc"),
        ({"iface": "eth0", "direction": "in"}, "direction", "ingress or egress"),
        ({"iface": "eth0", "direction": "egress"}, "direction", "hook: tc"),
        ({"iface": "eth0", "mode": "offload"}, "mode", "auto or native or generic"),
        ({"iface": "eth0", "hook": "tc", "mode": "native"}, "mode", "no mode"),
        ({"iface": "eth0", "place": "xdp"}, "place", "known: iface"),
        ({"iface": "eth0", "hook": None}, "hook", "xdp or tc"),
        ("eth0", "attachment", "an object"),
    ],
)
def test_bad_attachments(given: object, field: str, right: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        AttachmentSpec.parse(given)
    assert caught.value.field == field
    assert right in caught.value.message


def test_egress_is_refused_where_only_xdp_is() -> None:
    rule = Rule.parse("drop icmp on eth0 out")
    xdp, tc = AttachmentSpec("eth0"), AttachmentSpec("eth0", "tc", "egress")
    with pytest.raises(InvalidInput) as caught:
        check_direction(rule, [xdp])
    assert caught.value.field == "direction"
    check_direction(rule, [xdp, tc])
    check_direction(rule, [])
    check_direction(Rule.parse("drop icmp on not eth0 out"), [xdp])
    check_direction(Rule.parse("drop icmp out"), [xdp])
    check_direction(Rule.parse("drop icmp on eth0 in"), [xdp])


@pytest.mark.parametrize(
    ("given", "field", "right"),
    [
        ([], "ruleset", "an object"),
        ({"rules": []}, "version", "version: 1"),
        ({"version": 1}, "rules", "a list"),
        ({"version": 2, "rules": []}, "version", "1"),
        ({"version": True, "rules": []}, "version", "1"),
        ({"version": 1, "rules": "drop icmp"}, "rules", "a list"),
        ({"version": 1, "rules": {}}, "rules", "a list"),
        ({"version": 1, "rules": ["drop"] * 16385}, "rules", "16,384"),
        (
            {"version": 1, "rules": ["drop", {"action": "drop", "src": "x"}]},
            "rules[1].src",
            "rule 2",
        ),
        ({"version": 1, "rules": ["drop", 5]}, "rules[1]", "rule 2"),
        (
            {"version": 1, "rules": [{"id": "a", "action": "drop"}] * 2},
            "rules[1].id",
            "is the id of rule 1 too",
        ),
        ({"version": 1, "rules": [], "policy": "drop"}, "policy", "an object"),
        (
            {"version": 1, "rules": [], "policy": {"ingress": "deny"}},
            "policy.ingress",
            "accept or drop",
        ),
        (
            {"version": 1, "rules": [], "policy": {"neighbor_discovery": "drop"}},
            "policy.neighbor_discovery",
            "accept or judge",
        ),
        ({"version": 1, "rules": [], "policy": {"forward": "drop"}}, "policy.forward", "non_ip"),
        ({"version": 1, "rules": [], "sets": {}}, "sets", "not in this version"),
        ({"version": 1, "rules": [], "rule": []}, "rule", "known: version"),
        ({"version": 1, "rules": [], "attachments": {}}, "attachments", "a list"),
        (
            {"version": 1, "rules": [], "attachments": [{"iface": "a"}, {"iface": "a"}]},
            "attachments[1].iface",
            "twice",
        ),
        (
            {"version": 1, "rules": ["drop on a out"], "attachments": [{"iface": "a"}]},
            "rules[0].direction",
            "only xdp",
        ),
    ],
)
def test_bad_rulesets(given: object, field: str, right: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        Ruleset.parse(given)
    assert caught.value.field == field
    assert right in caught.value.message


def test_a_ruleset_reads_back() -> None:
    given = {
        "version": 1,
        "policy": {"ingress": "drop"},
        "rules": ["drop icmp on eth0", {"id": "a", "action": "accept"}],
        "attachments": [{"iface": "eth0", "hook": "tc"}],
    }
    ruleset = Ruleset.parse(given)
    assert ruleset.policy.ingress == "drop"
    assert ruleset.policy.egress == "accept"
    assert Ruleset.parse(ruleset.to_json()) == ruleset
    assert "attachments" not in Ruleset.parse({"version": 1, "rules": []}).to_json()
    assert Ruleset.parse({"version": 1, "rules": [], "attachments": []}).attachments == ()
