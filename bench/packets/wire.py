"""Time streams over a veth on one core: xdpwall, xdp-filter, nftables and iptables."""

from __future__ import annotations

import functools
import re
import subprocess
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

from bench.packets import test_run
from bench.packets.data_planes import DataPlanes, program
from bench.packets.nft_syntax import iptables_file, nft_line, nft_table
from bench.packets.rounds import DROP, IPTABLES, NFT, OURS, XDP_FILTER, Cell, Hook, Timer
from bench.packets.rulesets import Family, Kind, rules, stream
from bench.packets.stream import Sender, Veth, add_veth, sender
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
XDP_FILTER_SIZES = (1, 1_000, 10_000)
NFT_ROWS: Sequence[Row] = (
    *(("hosts", n) for n in (1, 10, 100, 1_000, 10_000)),
    *(("acl", 1_000), ("acl", 10_000)),
)
IPTABLES_ROWS: Sequence[Row] = (
    *(("hosts", n) for n in (1, 100, 1_000, 10_000)),
    *(("acl", 1_000), ("acl", 10_000)),
)
IPV6_ROWS: Mapping[str, Sequence[Row]] = {
    OURS: (("hosts", 1), ("hosts", 10_000), ("acl", 10_000)),
    NFT: (("hosts", 1), ("hosts", 1_000), ("acl", 1_000)),
}
_TRIED = 2_000


class VethBench:
    """Makes veths and streams; the timers in `cells` are valid while the stack is open."""

    def __init__(self, stack: ExitStack, lab: Lab, driver: Path) -> None:
        self.cells: dict[Cell, Timer] = {}
        self._stack, self._lab, self._driver = stack, lab, driver
        self._sends = lab.namespace("sends")
        self.shared = lab.namespace("recv")
        self._streams: dict[object, Sender] = {}
        self._number = 0

    def veth(self, space: Namespace | None = None) -> Veth:
        """Add a veth into the namespace that programs share, or into another one."""
        self._number += 1
        return add_veth(self._sends, space or self.shared, f"r{self._number}")

    def space(self) -> Namespace:
        """A new namespace, for a filter whose rules belong to one."""
        self._number += 1
        return self._lab.namespace(f"p{self._number}")

    def stream(self, key: object, frames: Callable[[], Sequence[bytes]]) -> Sender:
        """The sender of these frames, made once for each key."""
        if key not in self._streams:
            self._streams[key] = self._stack.enter_context(sender(self._driver, frames()))
        return self._streams[key]

    def rules_stream(self, cell: Cell) -> Sender:
        """The sender of the stream for a cell's rules and case."""
        kind: Kind = cell.what or "hosts"  # type: ignore[assignment]
        size, case = cell.size or 1, cell.case if cell.size else "random"
        key = (kind, size, cell.family, case)
        return self.stream(key, lambda: stream(kind, size, cell.family, case))

    def add(self, cell: Cell, by: Sender, veth: Veth, counted: Callable[[], int] | None) -> None:
        """Add a timer. `counted` reads the contender's counters, which must rise by the frames sent."""
        if counted:
            before = counted()
            by.run(veth.sends, veth.near, _TRIED)
            rose = counted() - before
            if not 0.99 * _TRIED <= rose <= 1.02 * _TRIED:
                raise test_run.WrongVerdict(f"{cell}: its rules counted {rose} of {_TRIED} packets")
        self.cells[cell] = veth.timer(by)

    def attach(self, tested: Program, hook: Hook) -> Veth:
        """Add a veth with this program attached at its far end."""
        veth = self.veth()
        if hook == "tc":
            attach_tc(veth.space, veth.far, "ingress", tested.fileno(), 1)
            return veth
        index = veth.space.index(veth.far)
        with veth.space.inside():
            xdp_attach(index, tested.fileno(), "native", if_noexist=False)
        return veth


def add_all(
    veths: VethBench,
    stack: ExitStack,
    planes: DataPlanes,
    baselines: Mapping[tuple[str, Hook], Program],
) -> None:
    """Add every contender with rules."""
    for (name, hook), tested in baselines.items():
        if name == DROP or hook == "xdp":
            veth = veths.attach(tested, hook)
            for family in test_run.FAMILIES:
                cell = Cell(name, hook, family, "", None, "none", "wire")
                veths.add(cell, veths.rules_stream(cell), veth, None)
    ours: list[tuple[Hook, Family, Row]] = [("xdp", "ipv4", row) for row in OURS_XDP]
    ours += [("tc", "ipv4", row) for row in OURS_TC]
    ours += [(hook, "ipv6", row) for row in IPV6_ROWS[OURS] for hook in ("xdp", "tc")]
    for hook, family, (kind, size) in ours:
        cell = Cell(OURS, hook, family, kind, size, "random", "wire")
        bench = planes.get(kind, size, family)
        veth = veths.attach(program(bench, hook), hook)
        veths.add(cell, veths.rules_stream(cell), veth, functools.partial(_sum, bench))
    for kind in ("hosts", "acl"):
        cell = Cell(OURS, "xdp", "ipv4", kind, 10_000, "none", "wire")
        bench = planes.get(kind, 10_000, "ipv4", policy="drop")
        veths.add(cell, veths.rules_stream(cell), veths.attach(program(bench, "xdp"), "xdp"), None)
    for size in XDP_FILTER_SIZES:
        tested = stack.enter_context(xdp_filter(veths.shared, f"w{size}", "all", {"ipv4": size}))
        cell = Cell(XDP_FILTER, "xdp", "ipv4", "hosts", size, "random", "wire")
        veths.add(cell, veths.rules_stream(cell), veths.attach(tested, "xdp"), None)
    for kind, size in NFT_ROWS:
        _nft(veths, "ipv4", kind, size)
    for kind, size in IPV6_ROWS[NFT]:
        _nft(veths, "ipv6", kind, size)
    for kind, size in IPTABLES_ROWS:
        _iptables(veths, kind, size)


def _sum(bench: KernelBench) -> int:
    return sum(packets for packets, _ in bench.counters())


def _nft(veths: VethBench, family: Family, kind: Kind, size: int) -> None:
    space = veths.space()
    veth = veths.veth(space)
    text = nft_table(veth.far, (nft_line(r, family) for r in rules(kind, size, family)), "accept")
    run_with_input(space, text, "nft", "-f", "-")
    cell = Cell(NFT, "tc", family, kind, size, "random", "wire")

    def counted() -> int:
        listed = space.run("nft", "list", "table", "netdev", "bench")
        return sum(map(int, re.findall(r"counter packets (\d+) ", listed)))

    veths.add(cell, veths.rules_stream(cell), veth, counted)


def _iptables(veths: VethBench, kind: Kind, size: int) -> None:
    space = veths.space()
    veth = veths.veth(space)
    run_with_input(
        space, iptables_file(rules(kind, size, "ipv4"), "accept"), "iptables-nft-restore"
    )
    cell = Cell(IPTABLES, "tc", "ipv4", kind, size, "random", "wire")

    def counted() -> int:
        listed = space.run("iptables-nft", "-t", "raw", "-nvxL", "PREROUTING")
        return sum(map(int, re.findall(r"^\s*(\d+)\s+\d+ DROP", listed, re.MULTILINE)))

    veths.add(cell, veths.rules_stream(cell), veth, counted)


def run_with_input(space: Namespace, text: str, *argv: str) -> None:
    """Run a command in a namespace with `text` as its input; AssertionError with its stderr."""
    done = subprocess.run(
        space.argv(*argv), input=text, text=True, capture_output=True, check=False
    )
    assert done.returncode == 0, f"{' '.join(argv)}: {done.stderr[:2000]}"
