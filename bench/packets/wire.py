"""Packets per second over a veth on one core: ours, xdp-filter, nftables and iptables alike."""

from __future__ import annotations

import functools
import re
import subprocess
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

from bench.packets import test_run
from bench.packets.data_planes import Walls, program
from bench.packets.peer_rules import iptables_file, nft_line, nft_table
from bench.packets.rounds import DROP, IPTABLES, NFT, OURS, PEER, Cell, Clock, Hook
from bench.packets.rulesets import Family, Kind, rules, stream
from bench.packets.stream import Cable, Sender, cable, sender
from bench.packets.xdp_filter import xdp_filter
from tests.support.kernel.dataplane import KernelBench
from tests.support.net.netns import Lab, Namespace
from tests.support.packets.wire.taps import attach_tc
from xdpwall.kernel.bpf.programs import Program
from xdpwall.kernel.net.xdp import xdp_attach

Row = tuple[Kind, int]
OURS_XDP: Sequence[Row] = (
    *(("hosts", n) for n in (1, 100, 1_000, 10_000, 16_384)),
    *(("acl", n) for n in (100, 1_000, 10_000, 16_384)),
    *(("fw", 10_000), ("ipc", 10_000)),
)
OURS_TC: Sequence[Row] = (("hosts", 1), ("hosts", 10_000), ("acl", 10_000))
PEER_SIZES = (1, 1_000, 10_000)
NFT_ROWS: Sequence[Row] = (
    *(("hosts", n) for n in (1, 10, 100, 1_000, 10_000)),
    *(("acl", 1_000), ("acl", 10_000)),
)
IPTABLES_ROWS: Sequence[Row] = (
    *(("hosts", n) for n in (1, 100, 1_000, 10_000)),
    *(("acl", 1_000), ("acl", 10_000)),
)
SIX: Mapping[str, Sequence[Row]] = {
    OURS: (("hosts", 1), ("hosts", 10_000), ("acl", 10_000)),
    NFT: (("hosts", 1), ("hosts", 1_000), ("acl", 1_000)),
}
_TRIED = 2_000


class Wires:
    """Makes cables and streams; `cells` are to be timed while the stack is open."""

    def __init__(self, stack: ExitStack, lab: Lab, driver: Path) -> None:
        self.cells: dict[Cell, Clock] = {}
        self._stack, self._lab, self._driver = stack, lab, driver
        self._sends = lab.namespace("sends")
        self.shared = lab.namespace("recv")
        self._streams: dict[object, Sender] = {}
        self._number = 0

    def cable(self, space: Namespace | None = None) -> Cable:
        """A new cable, into the namespace that programs share or another one."""
        self._number += 1
        return cable(self._sends, space or self.shared, f"r{self._number}")

    def space(self) -> Namespace:
        """A namespace of its own, for a peer whose rules belong to one."""
        self._number += 1
        return self._lab.namespace(f"p{self._number}")

    def stream(self, key: object, frames: Callable[[], Sequence[bytes]]) -> Sender:
        """A sender of these frames, one for each key."""
        if key not in self._streams:
            self._streams[key] = self._stack.enter_context(sender(self._driver, frames()))
        return self._streams[key]

    def rules_stream(self, cell: Cell) -> Sender:
        """The stream for rules: hits all over them, or misses."""
        kind: Kind = cell.what or "hosts"  # type: ignore[assignment]
        size, case = cell.size or 1, cell.case if cell.size else "random"
        key = (kind, size, cell.family, case)
        return self.stream(key, lambda: stream(kind, size, cell.family, case))

    def add(self, cell: Cell, by: Sender, line: Cable, counted: Callable[[], int] | None) -> None:
        """`counted` says what the contender's own counters hold; they must rise with the stream."""
        if counted:
            before = counted()
            by.run(line.sends, line.near, _TRIED)
            rose = counted() - before
            if not 0.99 * _TRIED <= rose <= 1.02 * _TRIED:
                raise test_run.WrongVerdict(f"{cell}: its rules counted {rose} of {_TRIED} packets")
        self.cells[cell] = line.clock(by)

    def attach(self, tested: Program, hook: Hook) -> Cable:
        """A cable with this program at its far end."""
        line = self.cable()
        if hook == "tc":
            attach_tc(line.space, line.far, "ingress", tested.fileno(), 1)
            return line
        index = line.space.index(line.far)
        with line.space.inside():
            xdp_attach(index, tested.fileno(), "native", if_noexist=False)
        return line


def add_all(
    wires: Wires, stack: ExitStack, walls: Walls, floors: Mapping[tuple[str, Hook], Program]
) -> None:
    """Every contender of the rules."""
    for (name, hook), tested in floors.items():
        if name == DROP or hook == "xdp":
            line = wires.attach(tested, hook)
            for family in test_run.FAMILIES:
                cell = Cell(name, hook, family, "", None, "none", "wire")
                wires.add(cell, wires.rules_stream(cell), line, None)
    ours: list[tuple[Hook, Family, Row]] = [("xdp", "ipv4", row) for row in OURS_XDP]
    ours += [("tc", "ipv4", row) for row in OURS_TC]
    ours += [(hook, "ipv6", row) for row in SIX[OURS] for hook in ("xdp", "tc")]
    for hook, family, (kind, size) in ours:
        cell = Cell(OURS, hook, family, kind, size, "random", "wire")
        bench = walls.get(kind, size, family)
        line = wires.attach(program(bench, hook), hook)
        wires.add(cell, wires.rules_stream(cell), line, functools.partial(_sum, bench))
    for kind in ("hosts", "acl"):
        cell = Cell(OURS, "xdp", "ipv4", kind, 10_000, "none", "wire")
        bench = walls.get(kind, 10_000, "ipv4", policy="drop")
        wires.add(cell, wires.rules_stream(cell), wires.attach(program(bench, "xdp"), "xdp"), None)
    for size in PEER_SIZES:
        tested = stack.enter_context(xdp_filter(wires.shared, f"w{size}", "all", {"ipv4": size}))
        cell = Cell(PEER, "xdp", "ipv4", "hosts", size, "random", "wire")
        wires.add(cell, wires.rules_stream(cell), wires.attach(tested, "xdp"), None)
    for kind, size in NFT_ROWS:
        _nft(wires, "ipv4", kind, size)
    for kind, size in SIX[NFT]:
        _nft(wires, "ipv6", kind, size)
    for kind, size in IPTABLES_ROWS:
        _iptables(wires, kind, size)


def _sum(bench: KernelBench) -> int:
    return sum(packets for packets, _ in bench.counters())


def _nft(wires: Wires, family: Family, kind: Kind, size: int) -> None:
    space = wires.space()
    line = wires.cable(space)
    text = nft_table(line.far, (nft_line(r, family) for r in rules(kind, size, family)), "accept")
    feed(space, text, "nft", "-f", "-")
    cell = Cell(NFT, "tc", family, kind, size, "random", "wire")

    def counted() -> int:
        listed = space.run("nft", "list", "table", "netdev", "bench")
        return sum(map(int, re.findall(r"counter packets (\d+) ", listed)))

    wires.add(cell, wires.rules_stream(cell), line, counted)


def _iptables(wires: Wires, kind: Kind, size: int) -> None:
    space = wires.space()
    line = wires.cable(space)
    feed(space, iptables_file(rules(kind, size, "ipv4"), "accept"), "iptables-nft-restore")
    cell = Cell(IPTABLES, "tc", "ipv4", kind, size, "random", "wire")

    def counted() -> int:
        listed = space.run("iptables-nft", "-t", "raw", "-nvxL", "PREROUTING")
        return sum(map(int, re.findall(r"^\s*(\d+)\s+\d+ DROP", listed, re.MULTILINE)))

    wires.add(cell, wires.rules_stream(cell), line, counted)


def feed(space: Namespace, text: str, *argv: str) -> None:
    """Run a program in a namespace with `text` as its input; AssertionError shows its words."""
    done = subprocess.run(
        space.argv(*argv), input=text, text=True, capture_output=True, check=False
    )
    assert done.returncode == 0, f"{' '.join(argv)}: {done.stderr[:2000]}"
