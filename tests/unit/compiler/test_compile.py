"""What the compiler refuses, and the tables of very small rulesets."""

from __future__ import annotations

import pytest

from tests.support.compiling import compile_rules, rules_in_row
from xdpwall import abi
from xdpwall.abi import Feature, PolicyBit
from xdpwall.compiler.generation import Generation
from xdpwall.errors import Full
from xdpwall.rule.rule import Rule
from xdpwall.ruleset.policy import Policy

ATTACHMENTS = [(3, "eth0", "ingress"), (5, "eth1", "egress")]


def compiled_rules(rules: list[str], policy: Policy | None = None) -> Generation:
    parsed = [(Rule.parse(r), i) for i, r in enumerate(rules)]
    return compile_rules(parsed, policy or Policy(), ATTACHMENTS, boot=0)


def test_no_rules_use_no_feature() -> None:
    compiled = compiled_rules([])
    assert compiled.features == 0
    assert not compiled.rows.data.any()
    assert not compiled.rules["slot"].any()


@pytest.mark.parametrize(
    ("rule", "features"),
    [
        ("drop icmp", Feature(0)),
        ("drop on eth0", Feature.ATTACHMENT),
        ("drop in", Feature.ATTACHMENT),
        ("drop vlan 5", Feature.ATTACHMENT),
        ("drop ttl 5", Feature.SIZE),
        ("drop length 100-200", Feature.SIZE),
        ("drop from 10.0.0.1", Feature.SRC),
        ("drop to ::1", Feature.DST),
        ("drop udp sport 5", Feature.SPORT),
        ("drop tcp/5", Feature.DPORT),
        ("count icmp", Feature.COUNTING),
        ("drop icmp until 2100-01-01T00:00:00Z", Feature.COUNTING | Feature.EXPIRING),
    ],
)
def test_only_named_fields_set_features(rule: str, features: Feature) -> None:
    assert compiled_rules([rule]).features == features | Feature.RULES


def test_unused_fields_satisfy_every_rule() -> None:
    """A program with more features looks them up and finds the neutral row."""
    compiled = compiled_rules(["drop icmp"])
    for name in ("src4", "dst6", "attachment"):
        assert rules_in_row(compiled, int(compiled.tables[name].min())) == {0}
        assert rules_in_row(compiled, int(compiled.tables[name].max())) == {0}
    for name in ("size_row", "sport_row", "src_hidden", "dport_hidden", "src6_row"):
        assert rules_in_row(compiled, int(compiled.tables[name])) == {0}


def test_policy() -> None:
    drop = Policy(ingress="drop", egress="drop", non_ip="drop", neighbor_discovery="judge")
    keep = PolicyBit.KEEP_INGRESS | PolicyBit.KEEP_EGRESS
    assert compiled_rules([], drop).tables["policy"] == sum(PolicyBit) - keep
    kept = compiled_rules([], Policy(ingress="accept keep", egress="accept keep"))
    assert (int(kept.tables["policy"]), kept.features) == (keep, Feature.FLOWS)
    assert compiled_rules([]).tables["policy"] == 0


def test_attachments_have_rows_by_number() -> None:
    compiled = compiled_rules(["drop on eth0", "drop on not eth0", "drop out"])
    vlan = int(compiled.tables["vlan"][abi.VLAN_NONE])
    attachment = compiled.tables["attachment"]
    assert rules_in_row(compiled, int(attachment[3]) + vlan) == {0}
    assert rules_in_row(compiled, int(attachment[5]) + vlan) == {1, 2}
    assert rules_in_row(compiled, int(attachment[4])) == set()


def test_rules_carry_slot_action_and_expiry() -> None:
    given = [
        (Rule.parse("count icmp"), 7),
        (Rule.parse({"action": "drop", "expires": "1970-01-01T00:00:01Z"}), 9),
        (Rule.parse({"action": "accept", "expires": "2100-01-01T00:00:00Z"}), 8),
    ]
    compiled = compile_rules(given, Policy(), ATTACHMENTS, boot=10**18)
    rules = compiled.rules[compiled.positions]
    assert rules["slot"].tolist() == [7, 9, 8]
    assert rules["action"].tolist() == [0, 2, 1]
    never, long_ago, later = rules["expires"].tolist()
    assert (never, long_ago) == (0, 1)
    assert later == 4_102_444_800 * 10**9 - 10**18


def test_too_many_rules() -> None:
    rule = Rule.parse("drop icmp")
    with pytest.raises(Full, match="16385 enabled rules; at most 16384"):
        compile_rules([(rule, 0)] * 16385, Policy(), ATTACHMENTS)


def test_too_many_combinations() -> None:
    rules = [f"drop length {100 + i}" for i in range(400)]
    rules += [f"drop ttl {i}" for i in range(200)]
    with pytest.raises(Full, match="different lengths times"):
        compiled_rules(rules)
