"""What a packet costs by BPF_PROG_TEST_RUN: every contender that is one program."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from statistics import fmean

from bench.packets.data_planes import Walls, program
from bench.packets.rounds import OURS, PEER, PEER_IPV4, Cell, Clock, Hook
from bench.packets.rulesets import SEVERAL, Family, Kind, cases, packets
from bench.packets.xdp_filter import xdp_filter
from tests.support.net.netns import Namespace
from xdpwall.kernel.bpf.programs import Program
from xdpwall.kernel.net.xdp import xdp_attach, xdp_detach

SIZES = (1, 10, 100, 1_000, 10_000, 16_384)
ROWS: Mapping[Kind, Sequence[int]] = {
    "hosts": SIZES,
    "acl": SIZES,
    "fw": (1_000, 10_000),
    "ipc": (1_000, 10_000),
}
PEER_SIZES: Mapping[Family, Sequence[int]] = {
    "ipv4": (0, 1, 10, 100, 1_000, 10_000),
    "ipv6": (0, 1, 1_000),
}
FAMILIES: tuple[Family, ...] = ("ipv4", "ipv6")
HOOKS: tuple[Hook, ...] = ("xdp", "tc")
_DROPPED: Mapping[Hook, int] = {"xdp": 1, "tc": 2}


class WrongVerdict(Exception):
    """A contender does not do what is to be timed."""


def cells(
    stack: ExitStack,
    walls: Walls,
    floors: Mapping[tuple[str, Hook], Program],
    space: Namespace,
    repeat: int,
    dock: Dock,
) -> dict[Cell, Clock]:
    """Everything loaded and checked, to be timed while the stack is open."""
    made = floor_cells(walls, floors, repeat, dock)

    def add(cell: Cell, tested: Program, drops: bool) -> None:
        made[cell] = _of_rules(cell, tested, repeat, drops, dock)

    for family in FAMILIES:
        for kind, sizes in ROWS.items():
            for size in sizes:
                bench = walls.get(kind, size, family)
                for hook in HOOKS:
                    for case in cases(size):
                        cell = Cell(OURS, hook, family, kind, size, case)
                        add(cell, program(bench, hook), case != "none")
    for features, name, most in (("all", PEER, PEER_SIZES), ("ipv4", PEER_IPV4, _IPV4_ONLY)):
        for size in most["ipv4"]:
            wanted = {f: min(size, max(sizes)) for f, sizes in most.items()}
            tested = stack.enter_context(xdp_filter(space, f"{features}{size}", features, wanted))
            for family, sizes in most.items():
                for case in cases(size) if size in sizes else ():
                    add(Cell(name, "xdp", family, "hosts", size, case), tested, case != "none")
    return made


_IPV4_ONLY: Mapping[Family, Sequence[int]] = {"ipv4": (1, 1_000)}


def floor_cells(
    walls: Walls, floors: Mapping[tuple[str, Hook], Program], repeat: int, dock: Dock
) -> dict[Cell, Clock]:
    """What everything is held against: the bare programs, and ours without a rule."""
    made: dict[Cell, Clock] = {}
    for family in FAMILIES:
        for (name, hook), tested in floors.items():
            cell = Cell(name, hook, family, "", None, "none")
            made[cell] = _of_rules(cell, tested, repeat, True, dock)
        for hook in HOOKS:
            cell = Cell(OURS, hook, family, "hosts", 0, "none")
            tested = program(walls.get("hosts", 0, family), hook)
            made[cell] = _of_rules(cell, tested, repeat, False, dock)
    return made


def _of_rules(cell: Cell, tested: Program, repeat: int, drops: bool, dock: Dock) -> Clock:
    kind: Kind = "hosts" if cell.what == "" else cell.what  # type: ignore[assignment]
    frames = packets(kind, cell.size or 1, cell.family).of(cell.case)
    return clock(tested, cell, frames, repeat, drops, dock)


class Dock:
    """An interface to which a program is attached while many frames are run through it.

    The kernel patches its XDP dispatcher before and after each test-run of a program that is
    attached nowhere, which takes it longer than the run.
    """

    def __init__(self, space: Namespace) -> None:
        self._space = space
        space.ip("link add dock type veth peer name dockp")
        self._index = space.index("dock")

    @contextmanager
    def holding(self, tested: Program) -> Iterator[None]:
        """Generic mode, and the interface stays down."""
        with self._space.inside():
            xdp_attach(self._index, tested.fileno(), "generic", if_noexist=False)
            yield
            xdp_detach(self._index, "generic")


def clock(
    tested: Program,
    cell: Cell,
    frames: Sequence[bytes],
    repeat: int,
    drops: bool,
    dock: Dock,
) -> Clock:
    """Times one cell, after a look at whether it does what its name says.

    Several frames are each run over and over, and the mean is taken.
    """
    some = frames[:SEVERAL]
    for data in some:
        code = tested.test_run(data, out_size=0).retval
        if (code == _DROPPED[cell.hook]) != drops:
            raise WrongVerdict(f"{cell}: the program answers {code} to {data.hex()}")
    if len(some) == 1 or cell.case == "none":
        return lambda: tested.test_run(some[0], repeat=repeat, out_size=0).ns
    each = max(1_000, repeat // len(some))

    def mean() -> float:
        return fmean(tested.test_run(f, repeat=each, out_size=0).ns for f in some)

    def docked() -> float:
        with dock.holding(tested):
            return mean()

    return docked if cell.hook == "xdp" else mean
