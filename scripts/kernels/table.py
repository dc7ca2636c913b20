"""The results of the tests on one kernel, as lines to print."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any


def lines(result: Mapping[str, Any]) -> list[str]:
    """The table of one kernel: what guest.py wrote."""
    failed = [name for name, test in result["tests"].items() if not test["passed"]]
    young = result["too_young"]
    said = "passed" if result["code"] == 0 else f"FAILED ({len(failed)} tests)"
    return [
        f"Linux {result['release']}: {said}, {result['seconds'] / 60:.1f} min",
        *(f"  FAILED {name}" for name in failed),
        *(f"  left out {name}: what it tests came with {since}" for name, since in young.items()),
        *(f"  {line}" for line in _files(result["tests"])),
        *(f"  {line}" for line in _loads(result["tests"])),
    ]


def _files(tests: Mapping[str, Mapping[str, Any]]) -> list[str]:
    sums: dict[str, list[float]] = defaultdict(lambda: [0, 0, 0.0])
    for name, test in tests.items():
        counts = sums[name.partition("::")[0]]
        counts[not test["passed"]] += 1
        counts[2] += test["seconds"]
    return [f"{'tests':40} passed failed seconds"] + [
        f"{name:40} {passed:6} {failed:6} {seconds:7.0f}"
        for name, (passed, failed, seconds) in sums.items()
    ]


def _loads(tests: Mapping[str, Mapping[str, Any]]) -> list[str]:
    found: dict[str, dict[int, str]] = defaultdict(dict)
    for test in tests.values():
        what = test["properties"]
        if "verified" in what:
            cell = f"{what['verified']:,}  {what['seconds']:.2f} s"
            found[what["variant"]][what["positions"]] = cell
    sizes = sorted({positions for cells in found.values() for positions in cells})
    if not sizes:
        return []
    head = "".join(f"{f'{positions:,} rules':>18}" for positions in sizes)
    return [f"{'verified':10}{head}"] + [
        f"{variant:10}" + "".join(f"{cells.get(positions, '-'):>18}" for positions in sizes)
        for variant, cells in found.items()
    ]
