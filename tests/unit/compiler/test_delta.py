"""A generation edited in place matches the same packets as one compiled from its rules."""

from __future__ import annotations

import random
import tracemalloc
from collections.abc import Sequence

import numpy as np
import pytest

from tests.support.compiling import rules_in_row
from tests.support.kernel import rows
from tests.support.oracle.duel.ruledraw import draw_rules
from xdpwall import abi
from xdpwall.abi import BLOCK, LEAF
from xdpwall.compiler import address_table6, group_addresses
from xdpwall.compiler.columns import Columns, CompilerRule
from xdpwall.compiler.compile import compile_ruleset, entries_of
from xdpwall.compiler.delta import Edit, apply_edit
from xdpwall.compiler.generation import Generation, KernelSets, NumberedAttachment
from xdpwall.rule.rule import Rule
from xdpwall.ruleset.policy import Policy

ATTACHMENTS = [NumberedAttachment(1, "eth0", False), NumberedAttachment(2, "eth0", True)]
SETS = KernelSets(
    {"a": 1, "b": 2}, {1: frozenset({1}), 2: frozenset({2}), 5: frozenset({1, 2})}, timed=False
)
SEED = 61_407


def entries(texts: Sequence[str | Rule], first: int = 0) -> list[CompilerRule]:
    rules = [t if isinstance(t, Rule) else Rule.parse(t) for t in texts]
    return entries_of([(r, first + n) for n, r in enumerate(rules)], boot=0)


def compile_entries(rules: Sequence[CompilerRule], least: int = 0) -> Generation:
    return compile_ruleset(rules, Policy(), ATTACHMENTS, SETS, least=least)


def edited(generation: Generation, at: int, gone: int, new: Sequence[CompilerRule]) -> Generation:
    """The generation after an edit: changed in place and checked, or compiled where that is refused."""
    if not apply_edit(generation, Edit(at, gone, new)):
        now = [*generation.entries[:at], *new, *generation.entries[at + gone :]]
        return compile_entries(now, generation.capacity)
    check_rows(generation)
    return generation


def check_rows(generation: Generation) -> None:
    words = generation.rows.data
    rows.check(generation)
    assert not words[0].any(), "row 0 satisfies nothing"
    assert generation.positions == sorted(set(generation.positions))
    assert len(generation.positions) == len(generation.entries)
    taken = np.zeros(generation.capacity, dtype=bool)
    taken[generation.positions] = True
    union = np.bitwise_or.reduce(words, axis=0)
    bits = np.unpackbits(union.view(np.uint8), bitorder="little").astype(bool)
    assert not (bits & ~taken).any(), "bits where no rule is"
    for entry, position in zip(generation.entries, generation.positions, strict=True):
        there = generation.rules[position]
        assert (there["slot"], there["action"]) == (entry.slot, entry.kernel_action)


# -- the rows that packets get, as bpf/rows.h finds them ---------------------------------------------


def row4(generation: Generation, name: str, address: int) -> int:
    entry = int(generation.tables[f"{name}4"][address >> 16])
    for shift in (8, 0):
        if entry & BLOCK:
            entry = int(generation.blocks.data[entry & ~BLOCK][address >> shift & 255])
    for _ in range(abi.CHAIN):
        if not entry & LEAF:
            break
        leaf = generation.leaves4.data[entry & ~LEAF]
        outside = (address ^ int(leaf["address"])) & int(leaf["mask"])
        entry = int(leaf["outside" if outside else "inside"])
    return entry


def row6(generation: Generation, name: str, address: int) -> int:
    if generation.tables["tries"] & (abi.SRC6_TRIE if name == "src" else abi.DST6_TRIE):
        for length in range(128, -1, -1):
            key = (address >> (128 - length) << (128 - length)).to_bytes(16, "big")
            found = getattr(generation, f"{name}6").get((length, key))
            if found is not None:
                return int(found)
        return int(generation.tables[f"{name}6_row"])
    entry = int(generation.tables[f"{name}6"][address >> 112])
    for shift in range(104, -1, -8):
        if entry & BLOCK:
            entry = int(generation.blocks.data[entry & ~BLOCK][address >> shift & 255])
    for _ in range(abi.CHAIN):
        if not entry & LEAF:
            break
        leaf = generation.leaves.data[entry & ~LEAF]
        mask = int.from_bytes(leaf["mask"].tobytes(), "big")
        same = address & mask == int.from_bytes(leaf["address"].tobytes(), "big")
        entry = int(leaf["inside" if same else "outside"])
    return entry


def lookups(generation: Generation, asked: Columns) -> dict[str, int]:
    """The row of each looked-up value, by a name of the value: values at, just inside and just outside
    the bounds that rules name."""
    t, found = generation.tables, {}
    protos = sorted({1, 6, 17, 47, 58, 256, *(asked.proto[asked.proto >= 0].tolist())})
    for f in range(4):
        for p in protos:
            for name in ("proto4", "proto6"):
                row = int(t[name][p]) + f * int(t["fragment_stride"])
                more = [0]
                if p == 6:
                    more = t["flags"].tolist()
                elif p == (1 if name == "proto4" else 58):
                    more = t["icmp4" if p == 1 else "icmp6"][::97].tolist()
                for n, offset in enumerate(more):
                    found[f"{name} {p} {f} {n}"] = row + offset
    for n in {0x806, 0x88CC, 0x88E5, *asked.ethertype[asked.ethertype >= 0].tolist()}:
        found[f"ether {n}"] = int(t["ether_row"]) + int(t["ether"][n])
    found |= {n: int(t[n]) for n in ("llc_row", "opaque_row")}
    for attachment in ATTACHMENTS:
        for n in {0, 1, 2, 4094, 4095, 4096, 4097, *asked.vlan[asked.vlan >= 0].tolist()}:
            first = int(t["attachment"][attachment.number])
            found[f"vlan {attachment.number} {n}"] = first + int(t["vlan"][n])
    for n in sorted({*range(0, abi.LENGTHS, 9973), *_around(asked, "length"), abi.LENGTHS}):
        for ttl in (0, 1, 63, 64, 255, 256, *_around(asked, "ttl")):
            found[f"length {n} ttl {ttl}"] = (
                int(t["size_row"]) + int(t["length"][n]) + int(t["ttl"][ttl])
            )
    for name in ("sport", "dport"):
        for n in _ports(asked.values(name)):
            found[f"{name} {n}"] = int(t[f"{name}_row"]) + int(t[name][n])
        found[f"{name} hidden"] = int(t[f"{name}_hidden"])
    for name in ("src", "dst"):
        four, six = {0, 0x0A000001, 0xFFFFFFFF}, {0, 1 << 127, (1 << 128) - 1}
        for value in asked.values(name):
            if value is not None:
                into, width = (four, 32) if value[1].family == 4 else (six, 128)
                last = value[1].address + (1 << (width - value[1].length)) - 1
                edges = (value[1].address - 1, value[1].address, last, last + 1)
                into |= {a for a in edges if 0 <= a < 1 << width}
        found |= {f"{name}4 {a:x}": row4(generation, name, a) for a in four}
        found |= {f"{name}6 {a:x}": row6(generation, name, a) for a in six}
        found[f"{name} hidden"] = int(t[f"{name}_hidden"])
        found[f"{name} not in"] = int(t[f"{name}_negated"])
        for n in (0, *SETS.classes):
            found[f"{name} class {n}"] = int(generation.class_rows[name][n])
    return found


def _ports(values: Sequence[tuple[bool, tuple[tuple[int, int], ...]] | None]) -> set[int]:
    ends = {end for value in values if value for r in value[1] for end in r}
    return {p + d for p in {0, 65535, *ends} for d in (-1, 0, 1) if 0 <= p + d < 65536}


def _around(asked: Columns, name: str) -> set[int]:
    low, high = getattr(asked, f"{name}_low"), getattr(asked, f"{name}_high")
    named = low >= 0
    values = {*(low[named] - 1), *low[named], *high[named], *(high[named] + 1)}
    most = abi.LENGTH_HIDDEN if name == "length" else 256
    return {int(v) for v in values if 0 <= v < most}


def check_same(generation: Generation, asked: Sequence[CompilerRule]) -> None:
    """Compare all rows with those of a fresh compilation, where `asked` has more rules whose values
    are looked up."""
    fresh = compile_entries(generation.entries)
    columns = Columns([*generation.entries, *asked])
    one, other = lookups(generation, columns), lookups(fresh, columns)
    assert fresh.features & ~generation.features == 0
    pairs = {(row, other[name]): name for name, row in one.items()}
    for (row, fresh_row), name in pairs.items():
        assert rules_in_row(generation, row) == rules_in_row(fresh, fresh_row), name


def test_after_random_edits() -> None:
    chance = random.Random(SEED)
    for _ in range(4):
        pool = [r for _ in range(4) for r in draw_rules(chance)]
        pool += [Rule.parse(t) for t in ("drop from @a", "accept udp to @b", "drop tcp from !@a")]
        pool += [Rule.parse(t) for t in ("count to !@b", "accept from @b to @a", "drop to @a")]
        generation = compile_entries(entries(pool[: len(pool) // 2]))
        in_place = 0
        for n in range(60):
            at = chance.randint(0, len(generation.entries))
            gone = chance.randint(0, min(2, len(generation.entries) - at))
            come = [chance.choice(pool) for _ in range(chance.choice((0, 1, 1, 2, 5)))]
            before = generation
            generation = edited(generation, at, gone, entries(come, 1000 + 10 * n))
            in_place += generation is before
            if n % 15 == 14:
                check_same(generation, entries(pool))
        assert in_place > 15


def test_a_rule_replaced_by_one_of_another_pattern_at_the_same_position() -> None:
    """Rows with the bits of both keep their words, but their summaries have to change."""
    texts = [f"drop tcp/{n} from 10.0.0.{n} to 10.1.0.{n}" for n in range(1, 60)]
    generation = compile_entries(entries(["accept tcp/99", *texts, "drop udp to 10.2.0.1"]), 2048)
    place = generation.positions[30]
    assert edited(generation, 30, 1, entries(["accept tcp"], 100)) is generation
    assert generation.positions[30] == place and generation._patterns[place] == 0


@pytest.mark.parametrize("least", [2048, 16384])
def test_after_random_edits_of_packed_rows(least: int) -> None:
    """Rules of all patterns, some of which are moved by one position."""
    chance = random.Random(SEED + least)

    def rule() -> str:
        text = chance.choice(("accept tcp", "drop udp", "count tcp")) + f"/{chance.randint(1, 30)}"
        text += chance.choice(("", f" from 10.0.{chance.randint(0, 9)}.{chance.randint(0, 9)}"))
        return text + chance.choice(("", f" to 10.9.0.{chance.randint(0, 99)}"))

    generation = compile_entries(entries([rule() for _ in range(120)]), least)
    for n in range(25):
        # Close to each other, so that the gaps are used up.
        at = chance.randint(50, 60)
        gone = chance.randint(0, 2)
        before = generation
        new = entries([rule() for _ in range(chance.randint(0, 12))], 1000 + 20 * n)
        generation = edited(generation, at, gone, new)
        assert generation is before
    check_same(generation, [])


def test_a_port_range_that_splits_more_classes_than_rows_are_free() -> None:
    """A class is any set of ports: one more range can split all classes."""
    texts = [f"drop tcp/{n},{n + 2000}" for n in range(1, 141, 2)]
    generation = compile_entries(entries(["drop udp/7 from 10.0.0.1", *texts]), 256)
    new = entries(["accept tcp/1-1000"], 500)
    check_same(edited(generation, 0, 0, new), new)


def test_many_ranges_of_ports_at_once() -> None:
    generation = compile_entries(
        entries(["drop udp/7 sport 9 from 10.0.0.1", "drop tcp/1-60000 sport 80"]), 256
    )
    for n in range(0, 120, 20):
        new = entries([f"drop tcp/{p},{p + 300},{p + 700}-{p + 703}" for p in range(n, n + 20)], n)
        generation = edited(generation, 1, 0, new)
        check_same(generation, new)


@pytest.mark.parametrize("at", [0, 63, 64, 100, 127, 128])
def test_nearly_full(at: int) -> None:
    """Up to the last position: all rules up to the only gap move."""
    generation = compile_entries(
        entries([f"drop tcp/{n} from 10.0.0.0/{8 + n % 20}" for n in range(1, 114)]), 128
    )
    assert generation.capacity == 128
    for n in range(15):
        before = generation
        generation = edited(
            generation,
            min(at, len(generation.entries)),
            0,
            entries([f"drop tcp/{200 + n} from 10.0.0.0/8"], 500 + n),
        )
        assert generation is before
    check_same(generation, [])
    assert len(generation.entries) == generation.capacity == 128
    one = entries(["accept tcp/9 from 10.0.0.0/8"], 700)
    # A replaced rule and one that moves from end to end still fit.
    generation = edited(generation, at and at - 1, 1, one)
    check_same(generation, one)
    last = generation.entries[-1]
    assert apply_edit(generation, Edit(len(generation.entries) - 1, 1, ())) and apply_edit(
        generation, Edit(0, 0, [last])
    )
    check_rows(generation)
    check_same(generation, one)
    assert not apply_edit(generation, Edit(0, 0, one)), "there is no room for more"


def test_moving_a_rule_across_all_others_takes_little_memory() -> None:
    """Where all positions but one are taken: bits are moved in words, not one byte each."""
    texts = [f"drop tcp/{n % 60} from 10.{n >> 8}.{n & 255}.0/24" for n in range(1, 4096)]
    generation = compile_entries(entries(texts), 4096)
    last, rows = generation.entries[-1], generation.rows.data.nbytes
    assert apply_edit(generation, Edit(len(generation.entries) - 1, 1, ()))
    tracemalloc.start()
    try:
        assert apply_edit(generation, Edit(0, 0, [last]))
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 4 * rows
    check_rows(generation)


def test_sixty_four_and_sixty_five() -> None:
    generation = compile_entries(entries([f"count tcp/{n}" for n in range(1, 51)]))
    assert generation.capacity == 64
    for n in range(20):
        generation = edited(generation, n, 0, entries([f"drop udp/{n + 1}"], 100 + n))
        check_same(generation, [])
        assert generation.capacity == (64 if len(generation.entries) <= 64 else 128)


def test_prefixes_inserted_one_by_one_end_in_a_trie_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """The limit of blocks holds for edits as well."""
    for module in (address_table6, group_addresses):
        monkeypatch.setattr(module, "MAX_BLOCKS", 64)
    generation = compile_entries(entries(["drop from 2001:db8::1"]))
    new = [f"drop from 2001:db8:{n:x}::{end}" for n in range(8) for end in range(6)]
    for n, entry in enumerate(entries(new, 10)):
        generation = edited(generation, n, 0, [entry])
    assert generation.blocks.count <= 64
    assert generation.tables["tries"] == abi.SRC6_TRIE
    check_same(generation, entries(["drop from 2001:db8:3::/64"]))
    known = entries(["accept from 2001:db8:3::1"], 90)
    assert apply_edit(generation, Edit(0, 0, known)), "no other prefix is needed"
    check_rows(generation)
    check_same(generation, known)
