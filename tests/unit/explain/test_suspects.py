"""Which packets a change may drop that passed, told from the rules that differ."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from xdpwall.explain.connections import GuardedConnection, known_packets, lengths_told_apart
from xdpwall.explain.suspects import suspects_of
from xdpwall.rule.rule import Rule
from xdpwall.ruleset import edits
from xdpwall.ruleset.committed import CommittedRuleset
from xdpwall.ruleset.policy import Policy
from xdpwall.sets.names import SetRow

NOW = "2026-01-01T00:00:00Z"
SESSION = GuardedConnection(
    ip_address("10.9.0.2"), 50_000, ip_address("10.9.0.1"), 22, "own", inbound=True
)


def ruleset(*texts: str, policy: Policy | None = None) -> CommittedRuleset:
    sets = (SetRow("bad", 1, NOW), SetRow("new", 2, NOW))
    rules = [Rule.parse(text) for text in texts]
    return edits.with_rules(CommittedRuleset(), rules, policy or Policy(), now=NOW, sets=sets)


def suspected(old: CommittedRuleset, new: CommittedRuleset) -> bool:
    found = suspects_of(old, new, {"eth0"})
    return found is not None and found.may_drop(known_packets(SESSION))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("drop tcp/22", True),
        ("drop from 10.9.0.0/24 length 1-5", True),  # What is not known of a packet may be so.
        ("drop tcp flags rst", True),
        ("drop from @bad", True),
        ("drop tcp sport 22 out", True),
        ("drop ethertype arp", True),
        ("drop tcp/22 out", False),
        ("drop tcp/23", False),
        ("drop tcp/22 on eth0", True),
        ("drop tcp/22 on eth1", False),
        ("drop tcp/22 on not eth1", True),
        ("drop tcp/22 on eth*", True),
        ("drop tcp/22 on veth*", False),
        ("drop tcp/22 on ports:br0", True),  # What eth0 is to others is not known here.
        ("drop udp", False),
        ("drop ethertype 0x88cc", False),
        ("drop icmpv6", False),
        ("drop tcp/22 disabled", False),
        ("accept tcp/22", False),
        ("count tcp/22", False),
    ],
)
def test_a_rule_more(text: str, expected: bool) -> None:
    old = ruleset("drop icmp")
    new = edits.insert_rules(old, [Rule.parse(text)], at=None, now=NOW)
    assert suspected(old, new) is expected
    # And back: what lets more pass drops nothing.
    back = edits.delete_rules(new, [new.entries[1].id])
    assert suspected(new, back) is text.startswith("accept")


def test_policies_and_sets() -> None:
    old = ruleset("drop from @bad", "drop icmp")
    assert suspected(old, edits.with_policy(old, Policy(egress="drop")))
    strict = ruleset("drop icmp", policy=Policy(egress="drop", neighbor_discovery="judge"))
    assert not suspected(strict, edits.with_policy(strict, Policy()))
    other = (SetRow("bad", 1, NOW), SetRow("new", 3, NOW))
    assert not suspected(old, edits.with_sets(old, other)), "no rule names it"
    assert suspected(old, edits.with_sets(old, (SetRow("bad", 4, NOW), SetRow("new", 2, NOW))))


def test_what_is_not_known_to_be_one_edit_is_suspected() -> None:
    assert suspected(ruleset("drop icmp"), ruleset("drop udp"))


def test_lengths() -> None:
    rules = [
        Rule.parse(text)
        for text in ("drop length 0-60", "accept tcp length 200-300", "drop length 2000-9000")
    ]
    assert lengths_told_apart(rules) == [52, 61, 200, 301, 2000, 9001]
    assert (
        lengths_told_apart([Rule.parse("drop tcp/22"), Rule.parse("drop length 9 disabled")]) == []
    )
