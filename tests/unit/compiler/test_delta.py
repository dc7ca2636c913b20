"""A generation that was changed rule by rule says the same as one that is compiled whole."""

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

PLACES = [NumberedAttachment(1, "eth0", False), NumberedAttachment(2, "eth0", True)]
WORLD = KernelSets(
    {"a": 1, "b": 2}, {1: frozenset({1}), 2: frozenset({2}), 5: frozenset({1, 2})}, timed=False
)
SEED = 61_407


def entries(texts: Sequence[str | Rule], first: int = 0) -> list[CompilerRule]:
    rules = [t if isinstance(t, Rule) else Rule.parse(t) for t in texts]
    return entries_of([(r, first + n) for n, r in enumerate(rules)], now_boot_ns=10**9)


def whole(g: Sequence[CompilerRule], least: int = 0) -> Generation:
    return compile_ruleset(g, Policy(), PLACES, WORLD, least=least)


def changed(g: Generation, at: int, gone: int, new: Sequence[CompilerRule]) -> Generation:
    """In place where that is possible; the kernel gets the same and spare rows are empty."""
    if not apply_edit(g, Edit(at, gone, new)):
        now = [*g.entries[:at], *new, *g.entries[at + gone :]]
        return whole(now, g.capacity)
    check_rows(g)
    return g


def check_rows(g: Generation) -> None:
    words = g.rows.data
    rows.check(g)
    assert not words[0].any(), "row 0 satisfies nothing"
    assert g.positions == sorted(set(g.positions)) and len(g.positions) == len(g.entries)
    taken = np.zeros(g.capacity, dtype=bool)
    taken[g.positions] = True
    union = np.bitwise_or.reduce(words, axis=0)
    bits = np.unpackbits(union.view(np.uint8), bitorder="little").astype(bool)
    assert not (bits & ~taken).any(), "bits where no rule is"
    for entry, position in zip(g.entries, g.positions, strict=True):
        there = g.rules[position]
        assert (there["slot"], there["action"]) == (entry.slot, entry.kernel_action)


# -- what packets look up, as bpf/rows.h does it -----------------------------------------------------


def row4(g: Generation, name: str, address: int) -> int:
    entry = int(g.tables[f"{name}4"][address >> 16])
    for shift in (8, 0):
        if entry & BLOCK:
            entry = int(g.blocks.data[entry & ~BLOCK][address >> shift & 255])
    for _ in range(abi.CHAIN):
        if not entry & LEAF:
            break
        leaf = g.leaves4.data[entry & ~LEAF]
        outside = (address ^ int(leaf["address"])) & int(leaf["mask"])
        entry = int(leaf["outside" if outside else "inside"])
    return entry


def row6(g: Generation, name: str, address: int) -> int:
    if g.tables["tries"] & (abi.SRC6_TRIE if name == "src" else abi.DST6_TRIE):
        for length in range(128, -1, -1):
            key = (address >> (128 - length) << (128 - length)).to_bytes(16, "big")
            found = getattr(g, f"{name}6").get((length, key))
            if found is not None:
                return int(found)
        return int(g.tables[f"{name}6_row"])
    entry = int(g.tables[f"{name}6"][address >> 112])
    for shift in range(104, -1, -8):
        if entry & BLOCK:
            entry = int(g.blocks.data[entry & ~BLOCK][address >> shift & 255])
    for _ in range(abi.CHAIN):
        if not entry & LEAF:
            break
        leaf = g.leaves.data[entry & ~LEAF]
        mask = int.from_bytes(leaf["mask"].tobytes(), "big")
        same = address & mask == int.from_bytes(leaf["address"].tobytes(), "big")
        entry = int(leaf["inside" if same else "outside"])
    return entry


def lookups(g: Generation, asked: Columns) -> dict[str, int]:
    """Every row that a packet can be led to, by what led there: values at, just inside and just
    outside of what the rules name."""
    t, found = g.tables, {}
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
    for place in PLACES:
        for n in {0, 1, 2, 4094, 4095, 4096, 4097, *asked.vlan[asked.vlan >= 0].tolist()}:
            first = int(t["attachment"][place.number])
            found[f"vlan {place.number} {n}"] = first + int(t["vlan"][n])
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
        found |= {f"{name}4 {a:x}": row4(g, name, a) for a in four}
        found |= {f"{name}6 {a:x}": row6(g, name, a) for a in six}
        found[f"{name} hidden"] = int(t[f"{name}_hidden"])
        found[f"{name} not in"] = int(t[f"{name}_negated"])
        for n in (0, *WORLD.classes):
            found[f"{name} class {n}"] = int(g.class_rows[name][n])
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


def check_same(g: Generation, asked: Sequence[CompilerRule]) -> None:
    """The same as compiled whole; where a generation has no group, it satisfies all."""
    fresh = whole(g.entries)
    columns = Columns([*g.entries, *asked])
    one, other = lookups(g, columns), lookups(fresh, columns)
    assert fresh.features & ~g.features == 0
    pairs = {(row, other[name]): name for name, row in one.items()}
    for (row, as_whole), name in pairs.items():
        assert rules_in_row(g, row) == rules_in_row(fresh, as_whole), name


def test_after_random_edits() -> None:
    chance = random.Random(SEED)
    for _ in range(4):
        pool = [r for _ in range(4) for r in draw_rules(chance)]
        pool += [Rule.parse(t) for t in ("drop from @a", "accept udp to @b", "drop tcp from !@a")]
        pool += [Rule.parse(t) for t in ("count to !@b", "accept from @b to @a", "drop to @a")]
        g = whole(entries(pool[: len(pool) // 2]))
        in_place = 0
        for n in range(60):
            at = chance.randint(0, len(g.entries))
            gone = chance.randint(0, min(2, len(g.entries) - at))
            come = [chance.choice(pool) for _ in range(chance.choice((0, 1, 1, 2, 5)))]
            before = g
            g = changed(g, at, gone, entries(come, 1000 + 10 * n))
            in_place += g is before
            if n % 15 == 14:
                check_same(g, entries(pool))
        assert in_place > 15


def test_one_rule_for_another_of_another_pattern() -> None:
    """Both at one position: no row of what satisfies both changes, but its summary has to."""
    texts = [f"drop tcp/{n} from 10.0.0.{n} to 10.1.0.{n}" for n in range(1, 60)]
    g = whole(entries(["accept tcp/99", *texts, "drop udp to 10.2.0.1"]), 2048)
    place = g.positions[30]
    assert changed(g, 30, 1, entries(["accept tcp"], 100)) is g
    assert g.positions[30] == place and g._patterns[place] == 0


@pytest.mark.parametrize("least", [2048, 16384])
def test_after_random_edits_of_packed_rows(least: int) -> None:
    """Rules of every pattern, some of which move by one place."""
    chance = random.Random(SEED + least)

    def rule() -> str:
        text = chance.choice(("accept tcp", "drop udp", "count tcp")) + f"/{chance.randint(1, 30)}"
        text += chance.choice(("", f" from 10.0.{chance.randint(0, 9)}.{chance.randint(0, 9)}"))
        return text + chance.choice(("", f" to 10.9.0.{chance.randint(0, 99)}"))

    g = whole(entries([rule() for _ in range(120)]), least)
    for n in range(25):
        # Next to one another, so that there are no gaps.
        at = chance.randint(50, 60)
        gone = chance.randint(0, 2)
        before = g
        new = entries([rule() for _ in range(chance.randint(0, 12))], 1000 + 20 * n)
        g = changed(g, at, gone, new)
        assert g is before
    check_same(g, [])


def test_one_range_of_ports_that_cuts_through_more_classes_than_there_is_room_for() -> None:
    """A class is a set of ports, not a range: one more rule can cut all of them in two."""
    texts = [f"drop tcp/{n},{n + 2000}" for n in range(1, 141, 2)]
    g = whole(entries(["drop udp/7 from 10.0.0.1", *texts]), 256)
    new = entries(["accept tcp/1-1000"], 500)
    check_same(changed(g, 0, 0, new), new)


def test_many_ranges_of_ports_at_once() -> None:
    g = whole(entries(["drop udp/7 sport 9 from 10.0.0.1", "drop tcp/1-60000 sport 80"]), 256)
    for n in range(0, 120, 20):
        new = entries([f"drop tcp/{p},{p + 300},{p + 700}-{p + 703}" for p in range(n, n + 20)], n)
        g = changed(g, 1, 0, new)
        check_same(g, new)


@pytest.mark.parametrize("at", [0, 63, 64, 100, 127, 128])
def test_nearly_full(at: int) -> None:
    """Up to the last position, by which all up to the one gap move."""
    g = whole(entries([f"drop tcp/{n} from 10.0.0.0/{8 + n % 20}" for n in range(1, 114)]), 128)
    assert g.capacity == 128
    for n in range(15):
        before = g
        g = changed(
            g, min(at, len(g.entries)), 0, entries([f"drop tcp/{200 + n} from 10.0.0.0/8"], 500 + n)
        )
        assert g is before
    check_same(g, [])
    assert len(g.entries) == g.capacity == 128
    one = entries(["accept tcp/9 from 10.0.0.0/8"], 700)
    # One for another, and one moved from end to end, fit still.
    g = changed(g, at and at - 1, 1, one)
    check_same(g, one)
    last = g.entries[-1]
    assert apply_edit(g, Edit(len(g.entries) - 1, 1, ())) and apply_edit(g, Edit(0, 0, [last]))
    check_rows(g)
    check_same(g, one)
    assert not apply_edit(g, Edit(0, 0, one)), "there is no room for more"


def test_moving_a_rule_across_all_takes_no_more_memory_than_a_column_or_two() -> None:
    """Where all positions but one are taken: bits are moved in words, not one byte each."""
    texts = [f"drop tcp/{n % 60} from 10.{n >> 8}.{n & 255}.0/24" for n in range(1, 4096)]
    g = whole(entries(texts), 4096)
    last, rows = g.entries[-1], g.rows.data.nbytes
    assert apply_edit(g, Edit(len(g.entries) - 1, 1, ()))
    tracemalloc.start()
    try:
        assert apply_edit(g, Edit(0, 0, [last]))
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 4 * rows
    check_rows(g)


def test_sixty_four_and_sixty_five() -> None:
    g = whole(entries([f"count tcp/{n}" for n in range(1, 51)]))
    assert g.capacity == 64
    for n in range(20):
        g = changed(g, n, 0, entries([f"drop udp/{n + 1}"], 100 + n))
        check_same(g, [])
        assert g.capacity == (64 if len(g.entries) <= 64 else 128)


def test_prefixes_that_join_one_by_one_end_in_a_trie_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """Addresses alike up to their ends: the bound on tables holds for changes as well."""
    for module in (address_table6, group_addresses):
        monkeypatch.setattr(module, "MAX_BLOCKS", 64)
    g = whole(entries(["drop from 2001:db8::1"]))
    new = [f"drop from 2001:db8:{n:x}::{end}" for n in range(8) for end in range(6)]
    for n, entry in enumerate(entries(new, 10)):
        g = changed(g, n, 0, [entry])
    assert g.blocks.count <= 64
    assert g.tables["tries"] == abi.SRC6_TRIE
    check_same(g, entries(["drop from 2001:db8:3::/64"]))
    known = entries(["accept from 2001:db8:3::1"], 90)
    assert apply_edit(g, Edit(0, 0, known)), "no other prefix is needed"
    check_rows(g)
    check_same(g, known)
