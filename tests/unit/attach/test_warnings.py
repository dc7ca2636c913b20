"""Warnings about many rules: as many as a person reads, and how many there are."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

import pytest

from xdpwall.attach.warnings import MOST, rule_warnings
from xdpwall.rule.rule import Rule
from xdpwall.ruleset.attachment import Attachment

XDP = Attachment("v0", "xdp", 3, "auto", 0, "")
TC = Attachment("v1", "tc-ingress", 4, None, 1, "")
TEXTS = (
    *("drop udp", "drop tcp in", "drop tcp out", "drop on v1", "drop on !v1", "drop on nosuch"),
    *("drop vlan 5", "drop on v0 vlan 5", "drop on v0 out", "drop out vlan 3"),
)


def each_alone(rules: Sequence[Rule], rows: Sequence[Attachment]) -> dict[str, None]:
    """The same sentences, asked for rule by rule."""
    return {words: None for rule in rules for words in rule_warnings([rule], rows, {"v0"})}


@pytest.mark.parametrize("rows", [[], [XDP], [TC], [XDP, TC]])
@pytest.mark.parametrize("count", [3, 25, 400])
@pytest.mark.parametrize("named", [True, False])
def test_rules_that_are_alike_are_warned_of_alike(
    rows: list[Attachment], count: int, named: bool
) -> None:
    random = Random(count)
    rules = [Rule.parse(random.choice(TEXTS)) for _ in range(count)]
    if named:
        rules = [rule.with_id(f"r{index}") for index, rule in enumerate(rules)]
    alone = list(each_alone(rules, rows))
    found = rule_warnings(rules, rows, {"v0"})
    assert found[:MOST] == alone[:MOST]
    if len(alone) > MOST:
        left = len(alone) - MOST
        assert found[MOST:] == [f"... and {left} more warnings about rules"]
    else:
        assert len(found) == len(alone)
