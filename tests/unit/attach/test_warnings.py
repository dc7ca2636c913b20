"""Warnings about many rules: once for each cause, with the rules that it is about."""

from __future__ import annotations

import pytest

from xdpwall.attach.causes import MOST
from xdpwall.attach.warnings import expired_warnings, rule_warnings, vlan_warnings
from xdpwall.rule.iface_selector import Relations
from xdpwall.rule.rule import Rule
from xdpwall.ruleset.attachment import Attachment

XDP = Attachment("v0", "xdp", 3, "auto", 0, "", kind="veth")
TC = Attachment("v1", "tc-ingress", 4, None, 1, "", kind="veth")
BRIDGE = Attachment("br0", "xdp", 5, "auto", 2, "", kind="bridge")
CARDS = tuple(Attachment(f"eth{n}", "xdp", n, "auto", n, "") for n in range(12))
THERE = {"v0", "v1", "br0"}


def named(*texts: str) -> list[Rule]:
    return [Rule.parse(text).with_id(f"r{index}") for index, text in enumerate(texts, 1)]


@pytest.mark.parametrize(
    ("text", "rows", "one", "several"),
    [
        ("drop on any", [XDP], "rule r1: the interface any does not exist (yet); a rule without `on` is about every interface",
         "rules r1, r2: the interface any does not exist (yet); a rule without `on` is about every interface"),
        ("drop on eth0,eth1", [XDP], "rule r1: the interface eth0,eth1 does not exist (yet); several interfaces are a rule each, or a pattern like veth*",
         "rules r1, r2: the interface eth0,eth1 does not exist (yet); several interfaces are a rule each, or a pattern like veth*"),
        ("drop on eth+", [XDP], "rule r1: the interface eth+ does not exist (yet); every interface with such a name is eth*",
         "rules r1, r2: the interface eth+ does not exist (yet); every interface with such a name is eth*"),
        ("drop on nosuch", [XDP], "rule r1: the interface nosuch does not exist (yet)",
         "rules r1, r2: the interface nosuch does not exist (yet)"),
        ("drop on v1", [XDP], "rule r1: nothing is attached to v1, it sees no packet until: ",
         "rules r1, r2: nothing is attached to v1, they see no packet until: "),
        ("drop udp", [], "rule r1: nothing is attached to any interface that it is about, it sees",
         "rules r1, r2: nothing is attached to any interface that they are about, they see"),
        ("drop out", [TC], "rule r1 is about egress, which v1 tc-ingress cannot see; this does",
         "rules r1, r2 are about egress, which v1 tc-ingress cannot see; this does"),
        ("drop on br0", [BRIDGE], "rule r1 on the bridge br0 does not see: to containers",
         "rules r1, r2 on the bridge br0 do not see: to containers"),
        ("drop vlan 5", [XDP], "rule r1 names vlan: XDP on v0 cannot see a tag",
         "rules r1, r2 name vlan: XDP on v0 cannot see a tag"),
    ],
)  # fmt: skip
def test_a_cause_is_said_once(text: str, rows: list[Attachment], one: str, several: str) -> None:
    (alone,) = rule_warnings(named(text), rows, THERE)
    assert alone.startswith(one)
    (both,) = rule_warnings(named(text, text), rows, THERE)
    assert both.startswith(several)
    (many,) = rule_warnings(named(*[text] * 60), rows, THERE)
    assert many.startswith(several.replace("r1, r2", "r1, r2, r3, r4, r5 and 55 more"))


def test_rules_without_an_id_are_counted() -> None:
    rule = Rule.parse("drop on nosuch")
    (alone,) = rule_warnings([rule], [XDP], THERE)
    assert alone.startswith("the rule: the interface")
    (many,) = rule_warnings([rule] * 1000, [XDP], THERE)
    assert many.startswith("1,000 rules: the interface")


def test_many_causes_are_cut_off_with_a_count() -> None:
    found = rule_warnings(named(*[f"drop on gone{n}" for n in range(60)]), [XDP], THERE)
    assert len(found) == MOST + 1
    assert found[-1] == "... and 40 more warnings about rules"


def test_twelve_cards_are_one_warning_and_none_where_tags_stay_in_the_frame() -> None:
    rules = named("drop vlan 5", "drop vlan 7")
    (words,) = vlan_warnings(rules, CARDS, lambda card: True)
    assert words == (
        "rules r1, r2 name vlan: XDP on eth0, eth1, eth2, eth3, eth4 and 7 more cannot see a tag "
        "that the driver stripped; tc can: xdpwall attach IFACE --hook tc"
    )
    assert vlan_warnings(rules, CARDS, lambda card: False) == []
    (words,) = vlan_warnings(rules, CARDS, lambda card: card.iface == "eth3")
    assert "XDP on eth3 cannot" in words and "attach eth3 --hook tc" in words


def test_times_that_are_over_are_said_once_for_each_time() -> None:
    rules = named(*["drop until 2020-01-01T00:00:00Z"] * 3, "drop until 2021-01-01T00:00:00Z")
    first, second = expired_warnings(rules, "2026-01-01T00:00:00Z")
    assert first.startswith("rules r1, r2, r3: their time, 2020-01-01T00:00:00Z, is over: they")
    assert second.startswith("rule r4: its time, 2021-01-01T00:00:00Z, is over: it matches")


def test_what_a_rule_on_the_ports_sees_is_not_missed_on_the_bridge() -> None:
    port = Attachment(
        "v9", "xdp", 9, "auto", 9, "", kind="veth", relations=Relations(frozenset({"ports:br0"}))
    )
    rows, there = [BRIDGE, port], THERE | {"v9", "ports:br0"}

    def missed(*beside: str) -> bool:
        (said,) = rule_warnings(named("drop icmp on br0"), rows, there, beside=named(*beside))
        return "between containers" in said

    assert missed()
    assert not missed("drop icmp on ports:br0")
    assert not missed("drop icmp on ports:br0 log")  # says nothing else of its packets
    for other in ("drop udp on ports:br0", "accept icmp on ports:br0", "drop icmp on ports:br1"):
        assert missed(other)
    assert missed("drop icmp on ports:br0 disabled")
