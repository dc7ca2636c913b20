"""Generated rulesets have the statistics that their shape says."""

from __future__ import annotations

import ipaddress
from collections import Counter
from random import Random
from typing import Any

import pytest

from tests.support.oracle.classbench.generate import BOTH, MIXED, ruleset
from tests.support.oracle.classbench.shapes import SHAPES, Kind, length6
from tests.support.oracle.classbench.traffic import inside, mixture, plain, stranger
from tests.support.oracle.duel.recipe import build
from tests.support.oracle.reference.columns import Columns
from tests.support.oracle.reference.decode import decode
from tests.support.oracle.reference.fast import judge_many
from tests.support.oracle.reference.judge import Attachment, matches
from xdpwall.limits import MAX_RULES
from xdpwall.rule.match import match_of
from xdpwall.rule.rule import Rule
from xdpwall.ruleset.policy import Policy

HERE = Attachment("eth0", "ingress")
KINDS = list(SHAPES)


def share(rules: list[dict[str, Any]], field: str) -> float:
    return sum(field in rule for rule in rules) / len(rules)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("count", [1, 10, 1_000])
def test_as_many_different_rules_as_asked(kind: Kind, count: int) -> None:
    made = ruleset(kind, count, 1, families=BOTH)
    assert len({Rule.parse(rule).match_key() for rule in made}) == count
    assert made == ruleset(kind, count, 1, families=BOTH)
    assert count == 1 or made != ruleset(kind, count, 2, families=BOTH)


def test_the_largest() -> None:
    made = ruleset("acl", MAX_RULES, 3)
    assert len(made) == MAX_RULES
    assert Counter(rule["action"] for rule in made) == {"drop": MAX_RULES}


def test_access_lists_are_like_the_published_one() -> None:
    made = ruleset("acl", 4_000, 4)
    protos = Counter(rule.get("proto", "any") for rule in made)
    assert 0.80 < protos["tcp"] / len(made) < 0.95
    assert share(made, "sport") == 0
    tcp = [rule for rule in made if rule.get("proto") == "tcp"]
    one = sum(rule.get("dport", "-").isdigit() for rule in tcp) / len(tcp)
    assert 0.55 < one < 0.80
    hosts = [r for r in made if all(r.get(side, "").endswith("/32") for side in ("src", "dst"))]
    assert len(hosts) > 0.45 * len(made)


def test_firewalls_have_wildcards_and_chains_have_source_ports() -> None:
    firewall, chain = (ruleset(kind, 3_000, 5) for kind in ("fw", "ipc"))
    assert share(firewall, "src") < 0.75
    assert share(chain, "src") > 0.8
    assert share(chain, "sport") > 0.15


@pytest.mark.parametrize("kind", KINDS)
def test_prefixes_nest(kind: Kind) -> None:
    made = ruleset(kind, 1_000, 6)
    nets = {ipaddress.IPv4Network(rule["dst"]) for rule in made if "dst" in rule}
    wide = [net for net in nets if net.prefixlen < 32]
    inside_another = sum(any(net != w and net.subnet_of(w) for w in wide) for net in nets)
    assert inside_another > 0.1 * len(nets)


def test_ipv6_lengths_grow_with_ipv4s() -> None:
    lengths = [length6(length) for length in range(33)]
    assert lengths[0] == 0 and lengths[32] == 128
    assert set(lengths) <= set(range(129))
    assert [length6(n) for n in (8, 16, 24, 32)] == [32, 48, 64, 128]


@pytest.mark.parametrize("kind", KINDS)
def test_a_packet_drawn_inside_a_rule_matches_it(kind: Kind) -> None:
    random = Random(7)
    for obj in ruleset(kind, 300, 7, families=BOTH, actions=MIXED, spice=0.3):
        rule = Rule.parse(obj).changed({"direction": None})
        packet = decode(build(inside(random, match_of(rule))))
        assert matches(rule, packet, HERE), (rule.text, packet)


@pytest.mark.parametrize("kind", KINDS)
def test_a_stranger_matches_next_to_nothing(kind: Kind) -> None:
    rules = [Rule.parse(obj) for obj in ruleset(kind, 1_000, 8, families=BOTH)]
    random = Random(8)
    packets = [decode(plain(stranger(random, family))) for family in (4, 6) for _ in range(200)]
    found = judge_many(Columns.of(packets), rules, Policy(), HERE)
    assert (found.decider < 0).mean() > 0.95


def test_a_mixture_reaches_rules_all_over() -> None:
    rules = [Rule.parse(obj) for obj in ruleset("ipc", 2_000, 9, families=BOTH)]
    packets = [decode(frame) for frame in mixture(Random(9), rules, 4_000)]
    found = judge_many(Columns.of(packets), rules, Policy(), HERE)
    assert (found.decider >= 0).mean() > 0.6
    assert len(set(found.decider.tolist())) > 800
