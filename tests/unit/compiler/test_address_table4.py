"""The IPv4 tables, with blocks and chains of leaves, against a longest-prefix match by hand."""

from __future__ import annotations

import random
from collections.abc import Mapping

import pytest

from tests.support.compiling import rules_in_row
from tests.unit.compiler.test_delta import row4
from xdpwall import abi
from xdpwall.compiler.compile import compile_ruleset, entries_of
from xdpwall.compiler.delta import Edit, apply_edit
from xdpwall.compiler.generation import NO_ROW, Generation
from xdpwall.rule.rule import Rule
from xdpwall.ruleset.policy import Policy

Prefix = tuple[int, int]


def draw(source: random.Random, count: int) -> list[Prefix]:
    """Nested and clustered prefixes: many below some /16 and /24, one to six below others."""
    tops = [source.getrandbits(16) << 16 for _ in range(4)]
    near = [top | source.getrandbits(8) << 8 for top in tops for _ in range(3)]
    found: set[Prefix] = set()
    while len(found) < count:
        length = source.choice([4, 12, 16, 17, 20, 23, 24, 25, 28, 30, 31, 32, 32, 32])
        base = source.choice([*tops, *near, *near, source.getrandbits(32)])
        address = base ^ source.getrandbits(source.choice([2, 5, 8, 12]))
        found.add((address >> (32 - length) << (32 - length), length))
    return sorted(found, key=lambda _: source.random())


def rule(prefix: Prefix) -> Rule:
    address, length = prefix
    dotted = ".".join(str(address >> shift & 255) for shift in (24, 16, 8, 0))
    return Rule.parse(f"drop from {dotted}/{length}")


def check(generation: Generation, wanted: Mapping[Prefix, int], source: random.Random) -> None:
    """Look up addresses in and around all prefixes: the row has the rules of all prefixes around the
    address. `wanted`: the index of each prefix's rule."""
    addresses = {source.getrandbits(32) for _ in range(20)}
    for address, length in wanted:
        last = address | (1 << (32 - length)) - 1
        addresses |= {address, last, max(address - 1, 0), min(last + 1, (1 << 32) - 1)}
    for address in addresses:
        inside = {n for (a, length), n in wanted.items() if (address ^ a) >> (32 - length) == 0}
        assert rules_in_row(generation, row4(generation, "src", address)) == inside, hex(address)


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("count", [1, 3, 12, 60])
def test_compiled_at_once(seed: int, count: int) -> None:
    source = random.Random(seed)
    prefixes = draw(source, count)
    entries = entries_of([(rule(p), n) for n, p in enumerate(prefixes)], boot=0)
    generation = compile_ruleset(entries, Policy(), [])
    check(generation, {prefix: n for n, prefix in enumerate(prefixes)}, source)


@pytest.mark.parametrize("seed", range(12))
def test_inserted_one_by_one(seed: int) -> None:
    source = random.Random(100 + seed)
    prefixes = draw(source, 60)
    entries = entries_of([(rule(p), n) for n, p in enumerate(prefixes)], boot=0)
    generation = compile_ruleset(entries[:2], Policy(), [])
    for n in range(2, len(entries)):
        assert apply_edit(generation, Edit(n, 0, entries[n : n + 1]))
        if n % 9 == 0:
            check(generation, {prefix: i for i, prefix in enumerate(prefixes[: n + 1])}, source)
    check(generation, {prefix: i for i, prefix in enumerate(prefixes)}, source)


def test_a_rule_for_any_address_is_inserted_among_rules_for_some() -> None:
    """Until then the tables lead other addresses to NO_ROW."""
    texts = ["drop tcp from 10.0.0.0/8", "drop from 10.1.2.3", "drop udp from 2001:db8::/32"]
    entries = entries_of([(Rule.parse(t), n) for n, t in enumerate(texts)], boot=0)
    generation = compile_ruleset(entries, Policy(), [])
    assert (
        row4(generation, "src", 1)
        == generation.tables["src6"][0]
        == generation.tables["src_unlisted"]
        == NO_ROW
    )
    late = entries_of([(Rule.parse("drop tcp from !192.0.2.0/24"), 3)], boot=0)
    assert apply_edit(generation, Edit(3, 0, late))
    assert rules_in_row(generation, row4(generation, "src", 1)) == {3}
    assert rules_in_row(generation, row4(generation, "src", 0x0A010203)) == {0, 1, 3}
    assert rules_in_row(generation, row4(generation, "src", 0xC0000201)) == set()
    assert rules_in_row(generation, int(generation.tables["src6"][0])) == set()
    late = entries_of([(Rule.parse("drop udp to 192.0.2.1"), 4)], boot=0)
    generation = compile_ruleset([*generation.entries, *late], Policy(), [])
    assert apply_edit(generation, Edit(0, 0, entries_of([(Rule.parse("drop udp"), 5)], boot=0)))
    assert rules_in_row(generation, row4(generation, "src", 1)) == {0, 4, 5}
    assert (
        rules_in_row(generation, int(generation.tables["src6"][0]))
        == rules_in_row(generation, int(generation.tables["src6_row"]))
        == {0, 5}
    )


def test_leaves_of_one_entry_share_a_cache_line() -> None:
    source = random.Random(7)
    prefixes = [(source.getrandbits(16) << 16, 17 + n) for n in range(4) for _ in range(40)]
    prefixes += [(top | 1 << 15, 32) for top, _ in prefixes[::3]]
    rules = [(rule(p), n) for n, p in enumerate(dict.fromkeys(prefixes))]
    generation = compile_ruleset(entries_of(rules, boot=0), Policy(), [])
    for entry in generation.tables["src4"].tolist():
        line = None
        while entry & abi.LEAF:
            number = entry & ~abi.LEAF
            assert line in (None, number // abi.CHAIN)
            line = number // abi.CHAIN
            entry = int(generation.leaves4.data["outside"][number])
