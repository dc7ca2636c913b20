"""The speed of this machine relative to the one on which the aims in ns and ms were set.

Three things were timed there (AMD EPYC, family 25 model 17, Linux 6.18) and are timed in each run: a
packet by test-run, a packet over a veth, and a process that loads ten thousand rules into the kernel.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from statistics import median

from bench.changes.rules import Changes
from bench.packets.rounds import DROP, XDP_FILTER, Cell, Times, baseline, difference

_RUN = 105.0
"""ns of xdp-filter with one rule, by test-run."""
_WIRE = 86.0
"""ns of the same over a bare drop, over a veth."""
_APPLY = 0.18
"""Seconds of `nft -f` of 10,000 rules."""
_RULE = Cell(XDP_FILTER, "xdp", "ipv4", "hosts", 1, "first")
_STREAM = Cell(XDP_FILTER, "xdp", "ipv4", "hosts", 1, "random", "wire")


def by_test_run(times: Mapping[Cell, Times]) -> float | None:
    """Time of a packet by test-run here / there; None when it was not measured."""
    return median(times[_RULE]) / _RUN if _RULE in times else None


def over_the_veth(times: Mapping[Cell, Times]) -> float | None:
    """Time of a packet over the veth, less a bare drop, here / there; None when not measured."""
    base = baseline(_STREAM, DROP)
    if _STREAM not in times or base not in times:
        return None
    return difference(times, _STREAM, base) / _WIRE


def of_processes(changes: Changes | None) -> float | None:
    """Time of `nft -f` here / there; None when it was not measured."""
    found = changes.nft_apply.get(10_000) if changes else None
    return found / _APPLY if found else None


def at_this_speed(
    found: float, limit: float, factor: float | None, show: Callable[[float], str]
) -> str:
    """The limit scaled to this machine and whether it is met, as text; "" when `factor` is None."""
    if factor is None:
        return ""
    here = limit * factor
    return f"{show(here)}: {'met' if found <= here else 'MISSED'}"
