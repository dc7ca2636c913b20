"""The results of all cards and modes: lines to print, and docs/reference/drivers.md. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from scripts.drivers import nics

STEPS = ("attach", "traffic", "down and up", "MTU up", "MTU down", "detach")
Report = Mapping[str, Any]
"""What guest.py wrote of one kernel."""

HEAD = """\
<!-- Made by `make test-drivers` (python -m scripts.test_drivers --page); run it, do not edit this page. -->
# Drivers that were tried

`make test-drivers` boots Debian's kernels under emulation, with QEMU's network cards, attaches to each card in
every mode, sends real packets both ways, sets the card down and up, raises the MTU to 9,000 and lowers it
again, detaches, and each time compares what the rules counted and dropped with what was sent.

- **ok**: every packet was judged, and none was lost.
- **refused**: not possible there, and said so; nothing was changed.
- **told**: it does not work, and `xdpwall status` says so, with what cures it.
- **(1,500)**: with packets of up to 1,500 bytes alone, since the emulation carries no larger ones with LRO off.
- **-**: not tried.
"""
CARDS = """
| card | QEMU's device | Linux's driver |
|---|---|---|
"""


def failures(report: Report) -> list[str]:
    """What went wrong, one line each."""
    found = [
        f"{one['nic']} {one['mode']}: {step['name']}: {step['note']}"
        for one in report["results"]
        for step in one["steps"]
        if step["result"] == "FAILED"
    ]
    return [*found, *(f"the kernel said: {line}" for line in report["kernel_said"])]


def lines(reports: Iterable[Report]) -> list[str]:
    """The table of each kernel, and what went wrong."""
    shown = []
    for report in reports:
        bad = failures(report)
        said = f"FAILED ({len(bad)})" if bad else "passed"
        rows = [["card", "mode", "got", *STEPS], *_rows(report)]
        widths = [max(len(row[n]) for row in rows) for n in range(len(rows[0]))]
        shown += ["", f"Linux {report['release']}: {said}, {report['seconds'] / 60:.1f} min"]
        shown += ["  " + "  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
        shown += [f"  FAILED {line}" for line in bad]
    return shown


def page(reports: Sequence[Report]) -> str:
    """docs/reference/drivers.md."""
    parts = [HEAD, CARDS]
    for nic in nics.NICS:
        about = f" ({nic.about})" if nic.about else ""
        parts.append(f"| {nic.name} | `{nic.device}`{about} | {nic.module} |\n")
    for report in reports:
        parts.append(f"\n## Linux {report['release']}, {report['date']}\n\n")
        parts.append(f"| card | mode asked for | got | {' | '.join(STEPS)} |\n")
        parts.append("|---" * (3 + len(STEPS)) + "|\n")
        parts += [f"| {' | '.join(row)} |\n" for row in _rows(report)]
        parts += ["\n", *(f"{line}\n" for line in _notes(report))]
    return "".join(parts)


def _rows(report: Report) -> Iterator[list[str]]:
    for one in report["results"]:
        results = {step["name"]: step["result"] for step in one["steps"]}
        cells = [results.get(step, "-") for step in STEPS]
        if not one["jumbo"] and "MTU up" in results:
            cells[STEPS.index("MTU up")] += " (1,500)"
        yield [one["nic"], one["mode"], one["got"], *cells]


def _notes(report: Report) -> list[str]:
    """What was said where something is refused or told, each once, with what it is about."""
    found: dict[str, list[str]] = {}
    for one in report["results"]:
        for step in one["steps"]:
            if step["note"] and step["result"] != "ok":
                about = f"{one['nic']} {one['mode']}, {step['name']} {step['result']}"
                found.setdefault(step["note"], []).append(about)
        if one.get("why_generic"):
            found.setdefault(one["why_generic"], []).append(f"{one['nic']} auto, generic")
    return [f"- *{'; '.join(about)}*: {note}" for note, about in found.items()]
