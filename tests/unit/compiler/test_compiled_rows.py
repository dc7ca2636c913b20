"""The rows of prefixes and ports against plain loops over the rules."""

from __future__ import annotations

import ipaddress
from random import Random

import numpy as np
import pytest

from tests.support.compiling import compile_rules, rules_in_row
from xdpwall.compiler.columns import ABSENT, Columns
from xdpwall.compiler.compile import entries_of
from xdpwall.compiler.generation import Generation
from xdpwall.compiler.group_addresses import PrefixGroup
from xdpwall.rule.match import match_of
from xdpwall.rule.rule import Rule
from xdpwall.ruleset.policy import Policy


def compiled(rules: list[Rule]) -> Generation:
    return compile_rules([(rule, n) for n, rule in enumerate(rules)], Policy(), [], boot=0)


def drawn(random: Random, width: int) -> str:
    """A prefix from a small range, so that many nest and some are equal; a third is negated."""
    length = random.choice([0, 1, 2, 3, 8, 9, width // 2, width - 1, width])
    address = random.choice([0, 1, 5, 6]) << width - 3 | random.choice([0, 1, 2, 3])
    network = (ipaddress.IPv4Network if width == 32 else ipaddress.IPv6Network)(
        (address >> width - length << width - length, length)
    )
    return "!" * (random.random() < 1 / 3) + str(network)


@pytest.mark.parametrize("width", [32, 128])
@pytest.mark.parametrize("seed", range(4))
def test_the_row_of_a_prefix_has_the_rules_of_all_wider_ones(width: int, seed: int) -> None:
    random = Random(seed)
    rules = [Rule.parse({"action": "drop", "src": drawn(random, width)}) for _ in range(60)]
    rules += [Rule.parse("accept"), Rule.parse("drop to ::1")]
    generation = compiled(rules)
    (group,) = (
        x
        for x in generation.groups
        if isinstance(x, PrefixGroup) and x.width == width and x._name == "src"
    )
    assert len(group.row_of) > 10
    for (address, length), row in [*group.row_of.items(), ((-1, -1), group.outside)]:
        expected = set()
        for n, rule in enumerate(rules):
            match = match_of(rule)
            if match.src is not None:
                negated, prefix = match.src
                inside = length >= prefix.length and address >> width - prefix.length == (
                    prefix.address >> width - prefix.length
                )
                if inside != negated:
                    expected.add(n)
            else:
                expected.add(n)
        assert rules_in_row(generation, row) == expected, (address, length)


@pytest.mark.parametrize("seed", range(4))
def test_the_row_of_a_port_has_the_rules_whose_ranges_contain_it(seed: int) -> None:
    random = Random(seed)
    edges = [1, 2, 80, 81, 1023, 1024, 65534, 65535]
    rules = [Rule.parse("drop"), Rule.parse("accept tcp/0-65535"), Rule.parse("drop udp/0")]
    for _ in range(80):
        low, high = sorted(random.choices(edges, k=2))
        some = f"{low}-{high},{random.choice(edges)}"
        negated = "!" * (random.random() < 1 / 3 and some != "1-65535")
        rules.append(Rule.parse({"action": "drop", "proto": "tcp", "dport": negated + some}))
    generation = compiled(rules)
    for port in {0, *edges, *(edge - 1 for edge in edges), 5000}:
        expected = set()
        for n, rule in enumerate(rules):
            value = match_of(rule).dport
            if value is None or any(a <= port <= b for a, b in value[1]) != value[0]:
                expected.add(n)
        row = int(generation.tables["dport_row"]) + int(generation.tables["dport"][port])
        assert rules_in_row(generation, row) == expected, port


def test_distinct_values_of_a_field() -> None:
    texts = ["drop tcp/80", "drop", "drop udp/80,443", "drop udp/80", "drop tcp/!80"]
    rules = [(Rule.parse(text), n) for n, text in enumerate(texts)]
    columns = Columns(entries_of(rules, boot=0))
    dport = columns.distinct("dport")
    assert dport.values == [
        (False, ((80, 80),)),
        (False, ((80, 80), (443, 443))),
        (True, ((80, 80),)),
    ]
    assert dport.numbers.tolist() == [0, ABSENT, 1, 0, 2]
    assert dport.map(lambda value: len(value[1]), 7, np.int32).tolist() == [1, 7, 2, 1, 1]
    assert columns.absent("dport").tolist() == [False, True, False, False, False]
    assert columns.distinct("vlan").values == []
    assert columns.vlan.tolist() == [ABSENT] * 5
