"""Interleaved rounds: every cell once in each, so that a noisy minute hits all of them alike."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median
from typing import Literal

from .rulesets import Case, Family

Hook = Literal["xdp", "tc"]
Path = Literal["run", "wire"]
"""A test-run of one frame over and over, or a stream of different frames over a veth."""
Times = Sequence[float]
"""ns per packet, one of each round."""
Clock = Callable[[], float]


@dataclass(frozen=True)
class Cell:
    """One thing measured. `size` is None for a program that has no rules."""

    contender: str
    hook: Hook
    family: Family
    what: str
    """A kind of ruleset or of set; "" for a floor."""
    size: int | None
    case: Case
    path: Path = "run"


DROP = "bare drop"
PARSE = "parse and count"
OURS = "xdpwall"
PEER = "xdp-filter"
PEER_IPV4 = "xdp-filter -f ipv4"
NFT = "nftables netdev"
IPTABLES = "iptables-nft raw"


def floor(cell: Cell, name: str, hook: Hook | None = None) -> Cell:
    """The floor that a cell is held against: on the wire it dropped the same stream."""
    what = cell.what if cell.path == "wire" and cell.what in WIDE else ""
    return Cell(name, hook or cell.hook, cell.family, what, None, "none", cell.path)


def own_floor(cell: Cell) -> Cell:
    """The product's own program without any rule: it parses and counts."""
    return Cell(OURS, cell.hook, cell.family, "hosts", 0, "none")


WIDE = ("addresses", "prefixes")
"""Kinds whose stream is of many more frames than the others', so that they have floors of theirs."""


def run(
    cells: Mapping[Cell, Clock],
    rounds: int,
    *,
    each: Callable[[int], None] = lambda number: None,
) -> dict[Cell, list[float]]:
    """Time every cell in each round, forwards and backwards in turn. `each` hears of rounds."""
    times: dict[Cell, list[float]] = {cell: [] for cell in cells}
    for number in range(rounds):
        each(number)
        for cell in list(cells)[:: -1 if number % 2 else 1]:
            times[cell].append(cells[cell]())
    return times


def ratio(times: Times, base: Times) -> float:
    """The median of the ratios within each round."""
    return median(a / b for a, b in zip(times, base, strict=True))


def over(times: Times, base: Times) -> float:
    """The median of the differences within each round."""
    return median(a - b for a, b in zip(times, base, strict=True))


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
