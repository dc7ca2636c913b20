"""Packets and sets of a thousand to a million entries, of xdpwall and nftables: hit, miss, near miss."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from bench.instance import ServedInstance
from bench.packets import test_run
from bench.packets.nft_syntax import nft_set, nft_table
from bench.packets.rounds import DROP, NFT, OURS, Cell, Hook
from bench.packets.rulesets import Case, Family
from bench.packets.set_entries import SetKind, entries, frames
from bench.packets.stream import Sender
from bench.packets.wire import VethBench, run_with_input
from tests.support.net.netns import Namespace
from xdpwall.kernel.bpf.programs import Program
from xdpwall.kernel.net.tc import tc_filters
from xdpwall.kernel.net.xdp import xdp_query
from xdpwall.ruleset.ruleset import Ruleset

NAME = "blocked"
RULE = f"drop from @{NAME}"
OURS_ROWS: Sequence[tuple[SetKind, int, Family]] = (
    *(("addresses", size, "ipv4") for size in (1_000, 100_000, 1_000_000)),
    *(("prefixes", size, "ipv4") for size in (1_000, 100_000, 1_000_000)),
    *(("addresses", 1_000_000, "ipv6"), ("prefixes", 100_000, "ipv6")),
)
NFT_ROWS: Sequence[tuple[SetKind, int, Family]] = (
    *(("addresses", size, "ipv4") for size in (1_000, 100_000, 1_000_000)),
    *(("prefixes", size, "ipv4") for size in (1_000, 100_000)),
    ("addresses", 1_000_000, "ipv6"),
)
TC = 100_000
CASES: tuple[Case, ...] = ("hit", "miss", "near")


@dataclass(frozen=True)
class Bench:
    """The surroundings in which sets are made and timed."""

    veths: VethBench
    stack: ExitStack
    folder: Path
    pins: Path
    repeat: int
    idle: test_run.IdleInterface


def add(bench: Bench, baselines: Mapping[tuple[str, Hook], Program]) -> None:
    """Add every set, by test-run and over the veth, to the cells of `bench.veths`."""
    # The sender's cost depends on the length of the stream, not on the set.
    for kind, size, family in {
        (kind, family): row for row in OURS_ROWS for kind, _, family in [row]
    }.values():
        for hook in test_run.HOOKS:
            cell = Cell(DROP, hook, family, kind, None, "none", "wire")
            by = _stream(bench.veths, kind, size, family, "hit")
            bench.veths.add(cell, by, bench.veths.attach(baselines[DROP, hook], hook), None)
    for row in OURS_ROWS:
        _ours(bench, row)
    for row in NFT_ROWS:
        _nft(bench.veths, *row)


def _stream(veths: VethBench, kind: SetKind, size: int, family: Family, case: Case) -> Sender:
    return veths.stream((kind, size, family, case), lambda: frames(kind, size, family, case))


def _ours(bench: Bench, row: tuple[SetKind, int, Family]) -> None:
    kind, size, family = row
    space = bench.veths.space()
    hooks: tuple[Hook, ...] = ("xdp", "tc") if size == TC and family == "ipv4" else ("xdp",)
    lines = {hook: bench.veths.veth(space) for hook in hooks}
    name = f"{kind}-{size}-{family}"
    (bench.folder / name).mkdir()
    (bench.pins / name).mkdir()
    instance = ServedInstance(space, bench.folder / name, bench.pins / name)
    with instance.opened() as firewall:
        for hook, veth in lines.items():
            firewall.attach(veth.far, hook=hook)
        firewall.replace_set(NAME, entries(kind, size, family))
        firewall.apply(Ruleset.parse({"version": 1, "rules": [{"text": RULE}]}))
    streams = {case: frames(kind, size, family, case) for case in CASES}
    for hook, veth in lines.items():
        program = bench.stack.enter_context(Program.open_id(_attached(space, veth.far, hook)))
        for case, some in streams.items():
            cell = Cell(OURS, hook, family, kind, size, case)
            timed = test_run.timer(program, cell, some, bench.repeat, case == "hit", bench.idle)
            bench.veths.cells[cell] = timed
    # Packets that pass would go up the stack, which would be timed too.
    with instance.opened() as firewall:
        firewall.set_policy({"ingress": "drop"})
    for hook, veth in lines.items():
        for case, some in streams.items():
            by = bench.veths.stream((kind, size, family, case), functools.partial(tuple, some))
            bench.veths.add(Cell(OURS, hook, family, kind, size, case, "wire"), by, veth, None)


def _attached(space: Namespace, iface: str, hook: Hook) -> int:
    index = space.index(iface)
    with space.inside():
        if hook == "xdp":
            return xdp_query(index).ids[0]
        found = tc_filters(index, "ingress")
    number = found[0].prog_id
    assert number is not None
    return number


def _nft(veths: VethBench, kind: SetKind, size: int, family: Family) -> None:
    space = veths.space()
    veth = veths.veth(space)
    held = nft_set("s", family, entries(kind, size, family).texts(), interval=kind == "prefixes")
    address = "ip" if family == "ipv4" else "ip6"
    text = nft_table(veth.far, [f"{address} saddr @s counter drop"], "drop", held)
    run_with_input(space, text, "nft", "-f", "-")

    def counted() -> int:
        listed = space.run("nft", "-t", "list", "table", "netdev", "bench")
        return sum(map(int, re.findall(r"counter packets (\d+) ", listed)))

    for case in CASES[:2]:
        by = _stream(veths, kind, size, family, case)
        cell = Cell(NFT, "tc", family, kind, size, case, "wire")
        # nft reads the elements to list a counter: seconds for a million of them.
        checked = case == "hit" and size < 1_000_000
        veths.add(cell, by, veth, counted if checked else None)
