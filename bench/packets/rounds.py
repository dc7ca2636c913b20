"""Interleaved rounds: every cell is timed once in each, so that a noisy minute hits all of them; its
baselines are timed right before and after it, since a noisy second hits only one."""

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
"""A repeated test-run of one frame, or a stream of different frames over a veth."""
Times = Sequence[float]
"""ns per packet, one of each round."""
Timer = Callable[[], float]


@dataclass(frozen=True)
class Cell:
    """One thing measured. `size` is None for a program that has no rules."""

    contender: str
    hook: Hook
    family: Family
    what: str
    """A kind of ruleset or of set; "" for a baseline."""
    size: int | None
    case: Case
    path: Path = "run"
    beside: Cell | None = None
    """Set for a baseline: the cell right before and after which it was timed."""


DROP = "bare drop"
PARSE = "parse and count"
OURS = "xdpwall"
WAITING = "xdpwall, a change waits"
"""The same program while a change waits for its confirmation."""
XDP_FILTER = "xdp-filter"
XDP_FILTER_IPV4 = "xdp-filter -f ipv4"
NFT = "nftables netdev"
IPTABLES = "iptables-nft raw"


def baseline(cell: Cell, name: str, hook: Hook | None = None) -> Cell:
    """The baseline that a cell is compared with: on the wire, one that drops the same stream."""
    what = cell.what if cell.path == "wire" and cell.what in WIDE else ""
    return Cell(name, hook or cell.hook, cell.family, what, None, "none", cell.path)


def own_baseline(cell: Cell) -> Cell:
    """The product's own program without any rule: it parses and counts."""
    return Cell(OURS, cell.hook, cell.family, "hosts", 0, "none")


WIDE = ("addresses", "prefixes")
"""Kinds whose streams have many more frames than the others', and so their own baselines."""


def baselines_of(cell: Cell) -> tuple[Cell, ...]:
    """The cells that ratios and differences of this cell are taken to."""
    if cell.path == "wire":
        return tuple(dict.fromkeys((baseline(cell, DROP), baseline(cell, DROP, "xdp"))))
    found = [own_baseline(cell), baseline(cell, PARSE)]
    if cell.contender == WAITING:
        found.append(replace(cell, contender=OURS))
    if cell.size and cell.case == "random":
        found.append(baseline(cell, DROP))
        if cell.family == "ipv6":
            found.append(replace(cell, family="ipv4"))
    return tuple(found)


def run(
    cells: Mapping[Cell, Timer],
    rounds: int,
    *,
    each: Callable[[int], None] = lambda number: None,
) -> dict[Cell, list[float]]:
    """Time every cell in each round, forwards and backwards in turn; `each` is called with the number
    of a round before it. ns per packet, one for each round.

    A Cell with `beside` has the baseline's times beside that cell: the mean of right before and
    right after it.
    """
    times: dict[Cell, list[float]] = {cell: [] for cell in cells}
    for number in range(rounds):
        each(number)
        latest: dict[Cell, float] = {}
        for cell in list(cells)[:: -1 if number % 2 else 1]:
            bases = [base for base in baselines_of(cell) if base in cells and base != cell]
            before = {base: latest[base] if base in latest else cells[base]() for base in bases}
            times[cell].append(cells[cell]())
            latest = {base: cells[base]() for base in bases}
            for base in bases:
                mean = (before[base] + latest[base]) / 2
                times.setdefault(replace(base, beside=cell), []).append(mean)
    return times


def beside(times: Mapping[Cell, Times], cell: Cell, base: Cell) -> Times:
    """The baseline's times beside the cell, or its own where it was not timed beside it."""
    return times.get(replace(base, beside=cell), times[base])


def ratio(times: Mapping[Cell, Times], cell: Cell, base: Cell) -> float:
    """The median of the ratios within each round."""
    return median(ratios(times[cell], beside(times, cell, base)))


def difference(times: Mapping[Cell, Times], cell: Cell, base: Cell) -> float:
    """The median of the differences within each round."""
    pairs = zip(times[cell], beside(times, cell, base), strict=True)
    return median(a - b for a, b in pairs)


def ratios(times: Times, base: Times) -> list[float]:
    """The ratio within each round."""
    return [a / b for a, b in zip(times, base, strict=True)]


@contextmanager
def pinned() -> Iterator[int]:
    """Pin this process to the last CPU it may use, as the first takes most interrupts."""
    before = os.sched_getaffinity(0)
    cpu = max(before)
    os.sched_setaffinity(0, {cpu})
    try:
        yield cpu
    finally:
        os.sched_setaffinity(0, before)
