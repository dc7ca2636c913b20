"""Time packets by BPF_PROG_TEST_RUN, for every contender that is one program."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from statistics import fmean

from bench.packets.data_planes import DataPlanes, program
from bench.packets.rounds import OURS, WAITING, XDP_FILTER, XDP_FILTER_IPV4, Cell, Hook, Timer
from bench.packets.rulesets import SEVERAL, Family, Kind, cases, packets
from bench.packets.xdp_filter import xdp_filter
from tests.support.net.netns import Namespace
from xdpwall.dataplane.control_word import Trial
from xdpwall.kernel.bpf.programs import Program
from xdpwall.kernel.net.xdp import xdp_attach, xdp_detach

SIZES = (1, 10, 100, 1_000, 10_000, 16_384)
ROWS: Mapping[Kind, Sequence[int]] = {
    "hosts": SIZES,
    "acl": SIZES,
    "fw": (1_000, 10_000),
    "ipc": (1_000, 10_000),
}
XDP_FILTER_SIZES: Mapping[Family, Sequence[int]] = {
    "ipv4": (0, 1, 10, 100, 1_000, 10_000),
    "ipv6": (0, 1, 1_000),
}
FAMILIES: tuple[Family, ...] = ("ipv4", "ipv6")
HOOKS: tuple[Hook, ...] = ("xdp", "tc")
_DROPPED: Mapping[Hook, int] = {"xdp": 1, "tc": 2}


class WrongVerdict(Exception):
    """A contender drops what it should pass, or passes what it should drop."""


def cells(
    stack: ExitStack,
    planes: DataPlanes,
    baselines: Mapping[tuple[str, Hook], Program],
    space: Namespace,
    repeat: int,
    idle: IdleInterface,
) -> dict[Cell, Timer]:
    """Load and check every contender; timers are valid while the stack is open."""
    made = baseline_cells(planes, baselines, repeat, idle)

    def add(cell: Cell, tested: Program, drops: bool) -> None:
        made[cell] = _of_rules(cell, tested, repeat, drops, idle)

    for family in FAMILIES:
        for kind, sizes in ROWS.items():
            for size in sizes:
                bench = planes.get(kind, size, family)
                for hook in HOOKS:
                    for case in cases(size):
                        cell = Cell(OURS, hook, family, kind, size, case)
                        add(cell, program(bench, hook), case != "none")
    for hook in HOOKS:
        waiting = planes.get("acl", _WAITING, "ipv4", trial=Trial(3600, leaving=(63,)))
        cell = Cell(WAITING, hook, "ipv4", "acl", _WAITING, "first")
        add(cell, program(waiting, hook), True)
    for features, name, most in (
        ("all", XDP_FILTER, XDP_FILTER_SIZES),
        ("ipv4", XDP_FILTER_IPV4, _IPV4_ONLY),
    ):
        for size in most["ipv4"]:
            wanted = {f: min(size, max(sizes)) for f, sizes in most.items()}
            tested = stack.enter_context(xdp_filter(space, f"{features}{size}", features, wanted))
            for family, sizes in most.items():
                for case in cases(size) if size in sizes else ():
                    add(Cell(name, "xdp", family, "hosts", size, case), tested, case != "none")
    return made


_WAITING = 10
"""Rules of the data plane on which a change waits for its confirmation."""
_IPV4_ONLY: Mapping[Family, Sequence[int]] = {"ipv4": (1, 1_000)}


def baseline_cells(
    planes: DataPlanes,
    baselines: Mapping[tuple[str, Hook], Program],
    repeat: int,
    idle: IdleInterface,
) -> dict[Cell, Timer]:
    """The baselines of all cells: the bare programs, and xdpwall without a rule."""
    made: dict[Cell, Timer] = {}
    for family in FAMILIES:
        for (name, hook), tested in baselines.items():
            cell = Cell(name, hook, family, "", None, "none")
            made[cell] = _of_rules(cell, tested, repeat, True, idle)
        for hook in HOOKS:
            cell = Cell(OURS, hook, family, "hosts", 0, "none")
            tested = program(planes.get("hosts", 0, family), hook)
            made[cell] = _of_rules(cell, tested, repeat, False, idle)
    return made


def _of_rules(cell: Cell, tested: Program, repeat: int, drops: bool, idle: IdleInterface) -> Timer:
    kind: Kind = "hosts" if cell.what == "" else cell.what  # type: ignore[assignment]
    frames = packets(kind, cell.size or 1, cell.family).of(cell.case)
    return timer(tested, cell, frames, repeat, drops, idle)


class IdleInterface:
    """A down interface that holds an XDP program attached while it is test-run with many frames.

    The kernel patches its XDP dispatcher before and after each test-run of a program that is
    attached nowhere (Linux 5.6 and later), which takes longer than the run.
    """

    def __init__(self, space: Namespace) -> None:
        self._space = space
        space.ip("link add dock type veth peer name dockp")
        self._index = space.index("dock")

    @contextmanager
    def holding(self, tested: Program) -> Iterator[None]:
        """Attach the program in generic mode; the interface stays down."""
        with self._space.inside():
            xdp_attach(self._index, tested.fileno(), "generic", if_noexist=False)
            yield
            xdp_detach(self._index, "generic")


def timer(
    tested: Program,
    cell: Cell,
    frames: Sequence[bytes],
    repeat: int,
    drops: bool,
    idle: IdleInterface,
) -> Timer:
    """A timer of one cell: the mean of several frames, each run repeatedly.

    WrongVerdict when the program does not decide as the cell's case says.
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

    def attached() -> float:
        with idle.holding(tested):
            return mean()

    return attached if cell.hook == "xdp" else mean
