"""Interleaved rounds: every cell once in each, so that a noisy minute hits all of them alike; what it
is held against is timed right before and after it, since a noisy second hits only one."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from statistics import median
from typing import Literal

from bench.packets.rulesets import Case, Family

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
    beside: Cell | None = None
    """The cell that was held against this one, right before and after which it was timed."""


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


def held_against(cell: Cell) -> tuple[Cell, ...]:
    """What ratios and differences of this cell are taken to."""
    if cell.path == "wire":
        return tuple(dict.fromkeys((floor(cell, DROP), floor(cell, DROP, "xdp"))))
    found = [own_floor(cell), floor(cell, PARSE)]
    if cell.size and cell.case == "random":
        found.append(floor(cell, DROP))
        if cell.family == "ipv6":
            found.append(replace(cell, family="ipv4"))
    return tuple(found)


def run(
    cells: Mapping[Cell, Clock],
    rounds: int,
    *,
    each: Callable[[int], None] = lambda number: None,
) -> dict[Cell, list[float]]:
    """Time every cell in each round, forwards and backwards in turn. `each` hears of rounds.

    Besides, under a Cell with `beside`, what each is held against: the mean of right before and
    right after.
    """
    times: dict[Cell, list[float]] = {cell: [] for cell in cells}
    for number in range(rounds):
        each(number)
        latest: dict[Cell, float] = {}
        for cell in list(cells)[:: -1 if number % 2 else 1]:
            bases = [base for base in held_against(cell) if base in cells and base != cell]
            before = {base: latest[base] if base in latest else cells[base]() for base in bases}
            times[cell].append(cells[cell]())
            latest = {base: cells[base]() for base in bases}
            for base in bases:
                mean = (before[base] + latest[base]) / 2
                times.setdefault(replace(base, beside=cell), []).append(mean)
    return times


def beside(times: Mapping[Cell, Times], cell: Cell, base: Cell) -> Times:
    """The base's times, as they were beside the cell if they were taken there."""
    return times.get(replace(base, beside=cell), times[base])


def ratio(times: Mapping[Cell, Times], cell: Cell, base: Cell) -> float:
    """The median of the ratios within each round."""
    return median(ratios(times[cell], beside(times, cell, base)))


def over(times: Mapping[Cell, Times], cell: Cell, base: Cell) -> float:
    """The median of the differences within each round."""
    pairs = zip(times[cell], beside(times, cell, base), strict=True)
    return median(a - b for a, b in pairs)


def ratios(times: Times, base: Times) -> list[float]:
    """The ratio within each round."""
    return [a / b for a, b in zip(times, base, strict=True)]


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
