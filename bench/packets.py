"""What a packet costs: every contender with every number of rules, timed by BPF_PROG_TEST_RUN."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from tests.support.kernelbench import KernelBench
from tests.support.netns import Namespace
from xdpwall.kernel.programs import Program

from .floors import floors
from .kernelcost import Memory, ProgramCost, memory, program_costs
from .peer import xdp_filter
from .rounds import OURS, PEER, PEER_IPV4, Cell, Hook
from .rules import Family, cases, frame, rules

COUNTS: Mapping[Family, tuple[int, ...]] = {
    "ipv4": (0, 1, 10, 100, 1_000, 10_000),
    "ipv6": (0, 1, 10, 100, 1_000),
}
_DROPPED: Mapping[Hook, int] = {"xdp": 1, "tc": 2}
_HOOKS: tuple[Hook, ...] = ("xdp", "tc")
Clock = Callable[[], int]


class WrongVerdict(Exception):
    """A contender does not do what is to be timed."""


@dataclass
class Contenders:
    """Everything loaded and checked; `cells` are to be timed while the stack is open."""

    cells: dict[Cell, Clock]
    memory: list[Memory]
    programs: list[ProgramCost]


def set_up(stack: ExitStack, space: Namespace, pins: Path, folder: Path, repeat: int) -> Contenders:
    """Load floors, xdp-filter in several sizes and a data plane of ours for each size."""
    made = Contenders({}, [], [])
    for (name, hook), program in stack.enter_context(floors(folder)).items():
        for family in COUNTS:
            cell = Cell(name, hook, family, None, "miss")
            made.cells[cell] = _clock(program, cell, repeat)
    _peers(stack, space, made, repeat)
    for family, counts in COUNTS.items():
        for count in counts:
            bench = stack.enter_context(KernelBench(pins / f"{family}-{count}"))
            bench.load(rules(count, family))
            for hook in _HOOKS:
                program = bench.program("xdp" if hook == "xdp" else "tc-ingress")
                _add(made, OURS, hook, family, count, program, repeat)
            if count:
                made.memory.append(memory(bench, family))
            if family == "ipv4" and count in (10, 1_000, 10_000):
                made.programs += program_costs(bench)
    return made


def _peers(stack: ExitStack, space: Namespace, made: Contenders, repeat: int) -> None:
    for count in COUNTS["ipv4"]:
        wanted = {family: min(count, max(counts)) for family, counts in COUNTS.items()}
        program = stack.enter_context(xdp_filter(space, f"all{count}", "all", wanted))
        for family, counts in COUNTS.items():
            if count in counts:
                _add(made, PEER, "xdp", family, count, program, repeat)
    for count in (1, 1_000):
        loaded = xdp_filter(space, f"four{count}", "ipv4", {"ipv4": count})
        program = stack.enter_context(loaded)
        _add(made, PEER_IPV4, "xdp", "ipv4", count, program, repeat)


def _add(
    made: Contenders,
    contender: str,
    hook: Hook,
    family: Family,
    count: int,
    program: Program,
    repeat: int,
) -> None:
    for case in cases(count):
        cell = Cell(contender, hook, family, count, case)
        made.cells[cell] = _clock(program, cell, repeat)


def _clock(program: Program, cell: Cell, repeat: int) -> Clock:
    """Times one cell, after a look at whether it does what its name says."""
    data = frame(cell.case, cell.rules or 0, cell.family)
    drops = cell.rules is None or cell.case != "miss"
    code = program.test_run(data).retval
    if (code == _DROPPED[cell.hook]) != drops:
        raise WrongVerdict(f"{cell}: the program answers {code}")
    return lambda: program.test_run(data, repeat=repeat).ns
