"""Attachments and rulesets as objects."""

from __future__ import annotations

from typing import Any

import pytest

from xdpwall.errors import InvalidInput
from xdpwall.rule.rule import Rule
from xdpwall.ruleset.attachment import AttachmentSpec, check_direction
from xdpwall.ruleset.ruleset import Ruleset


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


def test_a_file_may_hold_such_a_rule() -> None:
    """Detaching makes one of a rule that was right; export must write what apply reads."""
    given = {"version": 1, "rules": ["drop on a out"], "attachments": [{"iface": "a"}]}
    assert Ruleset.parse(given).rules[0].direction == "egress"


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
        ({"version": 1, "rules": [], "sets": []}, "sets", "names, each with its entries"),
        ({"version": 1, "rules": [], "sets": {"A": {}}}, "sets.A", "is not a set's name"),
        ({"version": 1, "rules": [], "sets": {"a": {}}}, "sets.a.entries", "missing"),
        ({"version": 1, "rules": [], "sets": {"a": {"entry": []}}}, "sets.a.entry", "known:"),
        ({"version": 1, "rules": [], "sets": {"a": {"entries": "x"}}}, "sets.a.entries", "a list"),
        (
            {"version": 1, "rules": [], "sets": {"a": {"entries": ["10.0.0.1", "10.0.0.1/8"]}}},
            "sets.a.entries[1]",
            "host bits",
        ),
        (
            {"version": 1, "rules": [], "sets": {"a": {"entries": [{"entry": "::1", "for": 1}]}}},
            "sets.a.entries[0].for",
            "known: entry, expires",
        ),
        ({"version": 1, "rules": [], "sets": {"a": {"packed": "?"}}}, "sets.a.packed", "base64"),
        ({"version": 1, "rules": [], "sets": {"a": {"packed": "AAAA"}}}, "sets.a.packed", "packed"),
        (
            {"version": 1, "rules": [], "sets": {"a": {"file": "a.txt"}}},
            "sets.a.file",
            "is not read here",
        ),
        (
            {"version": 1, "rules": ["drop from @b"], "sets": {"a": {"entries": []}}},
            "rules[0].src",
            "no set is called 'b'",
        ),
        ({"version": 1, "rules": [], "rule": []}, "rule", "known: version"),
        ({"version": 1, "rules": [], "attachments": {}}, "attachments", "a list"),
        (
            {"version": 1, "rules": [], "attachments": [{"iface": "a"}, {"iface": "a"}]},
            "attachments[1].iface",
            "twice",
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
