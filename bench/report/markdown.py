"""A result as Markdown, for the terminal and docs/benchmarks.md."""

from __future__ import annotations

from collections.abc import Mapping
from statistics import median

from bench.changes import loading
from bench.changes.interfaces import BURST, COUNT
from bench.report.aims import aims, duration
from bench.report.packet_table import rules_table, sets_table
from bench.report.result import Result
from bench.report.table import table


def markdown(result: Result) -> str:
    """The whole report, headings of the second level; parts that were not measured are left out."""
    parts = [_machine(result)]
    if found := aims(result):
        rows = [(a.what, a.found, a.wanted, "met" if a.met else "MISSED", a.here) for a in found]
        head = ("Aim", "found", "wanted", "", "at this machine's speed")
        parts.append("## Aims\n\n" + table(head, rows))
    kinds = {cell.what for cell in result.times}
    if "hosts" in kinds:
        parts.append("## A packet and rules\n\n" + rules_table(result.times))
    if "addresses" in kinds:
        parts.append("## A packet and sets\n\n" + sets_table(result.times))
    parts += [_loading(result), _changes(result), _scale(result), _commands(result)]
    parts += [_interfaces(result), _page(result), _kernel(result)]
    return "\n\n".join(filter(None, parts)) + "\n"


def _machine(result: Result) -> str:
    words = [f"- {name}: {value}" for name, value in result.machine.items()]
    if result.times:
        words.append(f"- rounds: {result.rounds}, by test-run of {result.repeat:,} packets a cell")
    words.append(f"- the run took {result.seconds:.0f} s")
    words += [f"- not measured: {what}" for what in result.failed]
    return "## Machine\n\n" + "\n".join(words)


def _loading(result: Result) -> str:
    found = result.loading
    if found is None:
        return ""
    base = median(found.seconds[loading.C])
    rows = []
    for name, seconds in found.seconds.items():
        middle = median(seconds)
        peak = _megabytes(found.peak[name])
        rows.append((name, duration(min(seconds)), duration(middle), f"{middle / base:.2f}", peak))
    head = ("", "least", "median", f"x {loading.C}", "peak memory")
    parts = ", ".join(f"{name} {duration(seconds)}" for name, seconds in found.parts.items())
    title = f"## Loading {found.size:,} addresses from a file"
    return f"{title}\n\n{table(head, rows)}\n\n{parts}."


def _changes(result: Result) -> str:
    c = result.changes
    if c is None:
        return ""
    lines: list[tuple[str, Mapping[int, float]]] = [
        ("one more rule, in process", c.firewall),
        ("one more rule, REST: in force in the kernel", c.live),
        ("one more rule, REST: answered", c.rest),
        ("one more rule, REST, right after a change: answered", c.rest_at_once),
        ("a change of a burst by 8 connections, REST", c.burst),
        ("`nft add rule`", c.nft),
        ("apply from no rule, in process", c.apply),
        ("apply with one rule more, in process", c.apply_again),
        ("`xdpwall apply` of a YAML file, from no rule", c.apply_command),
        ("`nft -f`", c.nft_apply),
    ]
    return "## Changes, by the number of rules\n\n" + _by_number(lines)


def _scale(result: Result) -> str:
    s = result.scale
    if s is None:
        return ""
    rows = [
        ("counters of all rules, the kernel's part", duration(s.counters)),
        ("`GET /stats`", duration(s.stats)),
        ("`GET /rules`", duration(s.listed)),
        *(
            (f"`check` of 10,000 {kind} rules, IPv4 and IPv6", duration(took))
            for kind, took in s.check.items()
        ),
    ]
    text = f"## {s.rules:,} rules read back\n\n" + table(("", ""), rows)
    if s.entry:
        lines: list[tuple[str, Mapping[int, float]]] = [
            ("one more entry, REST: in force in the kernel", s.entry_live),
            ("one more entry, REST: answered", s.entry),
            ("one more entry, REST, right after a change: answered", s.entry_at_once),
            ("a change of a burst by 8 connections, REST", s.entry_burst),
            ("`nft add element`", s.nft),
        ]
        text += "\n\n## One more entry, by the size of the set\n\n" + _by_number(lines)
    return text


def _by_number(lines: list[tuple[str, Mapping[int, float]]]) -> str:
    counts = sorted({n for _, values in lines for n in values})
    rows = [
        (what, *(duration(values[n]) if n in values else "-" for n in counts))
        for what, values in lines
    ]
    return table(("", *(f"{n:,}" for n in counts)), rows)


def _commands(result: Result) -> str:
    m = result.commands
    if m is None:
        return ""
    rows = [
        ("`xdpwall --help`", duration(m.help)),
        ("`xdpwall rule list`, 100 rules, service off", duration(m.list_off)),
        ("`xdpwall rule list`, 100 rules, service on", duration(m.list_on)),
        ("service, from start to its first answer", duration(m.start)),
        ("service resident, idle, 100 rules", _megabytes(m.idle)),
        ("service resident, after the changes, 10,000 rules", _megabytes(m.used)),
    ]
    return "## Commands and the service\n\n" + table(("", ""), rows)


def _interfaces(result: Result) -> str:
    m = result.interfaces
    if m is None:
        return ""
    rows = [
        (f"`xdpwall attach 'veth*'`, {COUNT} interfaces", duration(m.attach_all)),
        ("service, from start to its first answer", duration(m.start)),
        ("`GET /interfaces`", duration(median(m.listing))),
        ("an interface that comes: not filtered for", duration(median(m.one))),
        (f"a burst of {BURST}: not filtered for, at most", duration(m.burst)),
    ]
    return "## Attachments by policy\n\n" + table(("", ""), rows)


def _page(result: Result) -> str:
    p = result.page
    if p is None:
        return ""
    frames = sorted(p.frames)
    cells = (
        f"{p.rules:,} rules",
        f"{p.paint:.0f}",
        f"{median(frames):.1f}",
        f"{frames[int(len(frames) * 0.95)]:.1f}",
        f"{frames[-1]:.1f}",
    )
    head = ("Page, ms", "first paint", "frame, median", "frame, 95 %", "frame, worst")
    return "## The page, scrolled at 100 rows a second without a GPU\n\n" + table(head, [cells])


def _kernel(result: Result) -> str:
    if not result.memory:
        return ""
    memory = [
        (
            f"{m.kind}, {({'ipv4': 'IPv4', 'ipv6': 'IPv6'})[m.family]}",
            f"{m.rules:,}",
            _megabytes(m.bytes),
            ", ".join(f"{name} {_megabytes(size)}" for name, size in m.largest),
        )
        for m in result.memory
    ]
    programs = [
        (p.name, f"{p.rules:,}", duration(p.seconds), f"{p.verified:,}", f"{p.jited:,}")
        for p in result.programs
    ]
    return (
        "## Memory of the maps\n\n"
        + table(("Rules of", "rules", "all maps", "the largest"), memory)
        + "\n\n## Loading a program\n\n"
        + table(
            ("Program", "rules", "load", "instructions verified", "bytes of machine code"), programs
        )
    )


def _megabytes(size: float) -> str:
    return f"{size / 1e6:.1f} MB"
