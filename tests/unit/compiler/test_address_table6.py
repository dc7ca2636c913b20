"""The IPv6 table, walked as the kernel walks it, against a longest-prefix match by hand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.compiling import compile_rules, rules_in_row
from xdpwall import abi
from xdpwall.abi import SRC6_TRIE, Feature
from xdpwall.compiler import address_table6
from xdpwall.compiler.generation import Generation
from xdpwall.rule.rule import Rule
from xdpwall.ruleset.policy import Policy

BASES = (0, 0x20010DB8 << 96, (0x20010DB8 << 96) | (5 << 64) | 1, (1 << 128) - 1)


@st.composite
def addresses(draw: st.DrawFn) -> int:
    """Near the bases, so that prefixes overlap."""
    return draw(st.sampled_from(BASES)) ^ (1 << draw(st.integers(0, 127)))


@st.composite
def prefixes(draw: st.DrawFn) -> tuple[int, int]:
    length = draw(st.integers(0, 128))
    return draw(addresses()) >> (128 - length) << (128 - length), length


def walk(compiled: Generation, address: int) -> set[int]:
    """The rules in the row of an address, looked up as table_row6() of bpf/address.h does."""
    entry = int(compiled.tables["src6"][address >> 112])
    for i in range(2, 16):
        if not entry & abi.BLOCK:
            break
        block = compiled.blocks.data[entry & ~abi.BLOCK]
        entry = int(block[address >> (120 - 8 * i) & 0xFF])
    for _ in range(abi.CHAIN):
        if not entry & abi.LEAF:
            break
        leaf = compiled.leaves.data[entry & ~abi.LEAF]
        theirs = int.from_bytes(leaf["address"].tobytes(), "big")
        mask = int.from_bytes(leaf["mask"].tobytes(), "big")
        entry = int(leaf["outside" if (address ^ theirs) & mask else "inside"])
    return rules_in_row(compiled, entry)


def text(address: int, length: int) -> str:
    groups = ":".join(f"{address >> (112 - 16 * i) & 0xFFFF:x}" for i in range(8))
    return f"{groups}/{length}"


@given(st.lists(prefixes(), min_size=1, max_size=12), st.lists(addresses(), max_size=20))
def test_walk(given_prefixes: list[tuple[int, int]], asked: list[int]) -> None:
    rules = [(Rule.parse(f"drop from {text(*p)}"), i) for i, p in enumerate(given_prefixes)]
    compiled = compile_rules(rules, Policy(), [])
    for address in (*asked, *BASES, *(p[0] for p in given_prefixes)):
        wanted = {
            i
            for i, (value, length) in enumerate(given_prefixes)
            if address >> (128 - length) == value >> (128 - length)
        }
        assert walk(compiled, address) == wanted


def test_distant_addresses_take_a_leaf_each() -> None:
    rules = [(Rule.parse(f"drop from 2001:db8:{i:x}::1"), i) for i in range(300)]
    compiled = compile_rules(rules, Policy(), [])
    # A block for each of bytes 2, 3 and 4, and two for byte 5, below which the rest are leaves.
    assert (compiled.leaves.count, compiled.blocks.count) == (300, 5)
    assert not compiled.src6


def test_a_few_neighbouring_addresses_take_leaves_and_no_block() -> None:
    rules = [(Rule.parse(f"drop from 2001:db8::{i:x}"), i) for i in range(abi.CHAIN)]
    compiled = compile_rules(rules, Policy(), [])
    assert (compiled.leaves.count, compiled.blocks.count) == (abi.CHAIN, 0)
    assert [walk(compiled, (0x20010DB8 << 96) + i) for i in range(5)] == [{0}, {1}, {2}, {3}, set()]


def test_prefixes_that_need_too_many_blocks_go_to_a_trie(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(address_table6, "MAX_BLOCKS", 3)
    rules = [(Rule.parse(f"drop from 2001:db8::{i:x}"), i) for i in range(1, 6)]
    compiled = compile_rules(rules, Policy(), [])
    assert compiled.features & Feature.TRIES
    assert compiled.tables["tries"] == SRC6_TRIE
    assert len(compiled.src6) == 5
    assert not compiled.leaves.count
