"""Interleaved rounds: every cell once in each, so that a noisy minute hits all of them alike."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median
from typing import Literal

from .rules import CASES, Case, Family

Hook = Literal["xdp", "tc"]
Times = Sequence[int]
"""ns per packet, one of each round."""


@dataclass(frozen=True)
class Cell:
    """One thing measured. `rules` is None for a program that has no rules."""

    contender: str
    hook: Hook
    family: Family
    rules: int | None
    case: Case


DROP = "bare drop"
PARSE = "parse and count"
OURS = "xdpwall"
PEER = "xdp-filter"
PEER_IPV4 = "xdp-filter -f ipv4"


def floor(cell: Cell, name: str) -> Cell:
    """The floor that a cell is held against."""
    return Cell(name, cell.hook, cell.family, None, "miss")


def row(contender: str, hook: Hook, family: Family, rules: int | None) -> list[Cell]:
    """The cells of one contender with one number of rules, measured or not."""
    return [Cell(contender, hook, family, rules, case) for case in CASES]


def run(
    cells: Mapping[Cell, Callable[[], int]],
    rounds: int,
    *,
    each: Callable[[int], None] = lambda number: None,
) -> dict[Cell, list[int]]:
    """Time every cell in each round, forwards and backwards in turn. `each` hears of rounds."""
    times: dict[Cell, list[int]] = {cell: [] for cell in cells}
    for number in range(rounds):
        each(number)
        for cell in list(cells)[:: -1 if number % 2 else 1]:
            times[cell].append(cells[cell]())
    return times


def ratio(times: Times, base: Times) -> float:
    """The median of the ratios within each round."""
    return median(a / b for a, b in zip(times, base, strict=True))


def dearest(times: Mapping[Cell, Times], cells: Sequence[Cell]) -> Cell | None:
    """The cell with the highest median among those that were measured."""
    known = [cell for cell in cells if cell in times]
    return max(known, key=lambda cell: median(times[cell]), default=None)


@contextmanager
def pinned() -> Iterator[int]:
    """This process on one CPU: the last one it may use, as the first takes most interrupts."""
    before = os.sched_getaffinity(0)
    cpu = max(before)
    os.sched_setaffinity(0, {cpu})
    try:
        yield cpu
    finally:
        os.sched_setaffinity(0, before)
