"""A result as Markdown: what the terminal shows and docs/benchmarks.md holds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from statistics import median

from .aims import aims
from .result import Result
from .rounds import (
    DROP,
    OURS,
    PARSE,
    PEER,
    PEER_IPV4,
    Cell,
    Hook,
    Times,
    dearest,
    floor,
    ratio,
    row,
)
from .rules import Family

_TITLES: Mapping[tuple[Hook, Family], str] = {
    ("xdp", "ipv4"): "XDP, IPv4",
    ("xdp", "ipv6"): "XDP, IPv6",
    ("tc", "ipv4"): "tc ingress, IPv4",
    ("tc", "ipv6"): "tc ingress, IPv6",
}


def markdown(result: Result) -> str:
    """The whole report, headings of the second level."""
    parts = [_machine(result), _aims(result)]
    for (hook, family), title in _TITLES.items():
        parts.append(f"## ns per packet: {title}\n\n{_packets(result.times, hook, family)}")
    parts += [_changes(result), _page(result), _kernel(result)]
    return "\n\n".join(parts) + "\n"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns as wide as their widest cell; the first reads from the left, the others do not."""
    lines = [head, *rows]
    width = [max(len(line[i]) for line in lines) for i in range(len(head))]

    def show(line: Sequence[str]) -> str:
        cells = [
            line[0].ljust(width[0]),
            *(c.rjust(w) for c, w in zip(line[1:], width[1:], strict=True)),
        ]
        return f"| {' | '.join(cells)} |"

    rule = ["-" * width[0], *("-" * (w - 1) + ":" for w in width[1:])]
    return "\n".join([show(head), show(rule), *(show(line) for line in rows)])


def _machine(result: Result) -> str:
    words = [f"- {name}: {value}" for name, value in result.machine.items()]
    words.append(f"- rounds: {result.rounds}, of {result.repeat:,} packets a cell")
    words.append(f"- the run took {result.seconds:.0f} s")
    return "## Machine\n\n" + "\n".join(words)


def _aims(result: Result) -> str:
    rows = [(a.what, a.found, a.wanted, "met" if a.met else "MISSED") for a in aims(result)]
    return "## Aims\n\n" + table(("Aim", "found", "wanted", ""), rows)


def _packets(times: Mapping[Cell, Times], hook: Hook, family: Family) -> str:
    rows = list(_packet_rows(times, hook, family))
    head = ("Program", "rules", "first hits", "last hits", "none hits", "x drop", "x parse")
    return table(head, rows)


def _packet_rows(
    times: Mapping[Cell, Times], hook: Hook, family: Family
) -> Iterator[tuple[str, ...]]:
    for name in (DROP, PARSE, PEER, PEER_IPV4, OURS):
        counts = {c.rules for c in times if (c.contender, c.hook, c.family) == (name, hook, family)}
        for count in sorted(counts, key=lambda n: -1 if n is None else n):
            cells = row(name, hook, family, count)
            worst = dearest(times, cells)
            assert worst is not None
            shown = [_spread(times[cell]) if cell in times else "-" for cell in cells]
            ratios = [ratio(times[worst], times[floor(worst, base)]) for base in (DROP, PARSE)]
            rules = "-" if count is None else f"{count:,}"
            yield (name, rules, *shown, *(f"{r:.2f}" for r in ratios))


def _spread(times: Times) -> str:
    return f"{min(times)} / {median(times):.0f}"


def _page(result: Result) -> str:
    p = result.page
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


def _changes(result: Result) -> str:
    c, m = result.changes, result.commands
    lines: list[tuple[str, Mapping[int, float]]] = [
        ("one more rule, in process", c.firewall),
        ("one more rule, REST", c.rest),
        ("one more rule, REST, right after a change", c.rest_at_once),
        ("apply from no rule, in process", c.apply),
        ("apply with one rule more, in process", c.apply_again),
        ("`xdpwall apply` of a YAML file, from no rule", c.apply_command),
    ]
    counts = sorted({n for _, values in lines for n in values})
    rows = [
        (what, *(_duration(values[n]) if n in values else "-" for n in counts))
        for what, values in lines
    ]
    commands = [
        ("`xdpwall --help`", _duration(m.help)),
        ("`xdpwall rule list`, 100 rules, service off", _duration(m.list_off)),
        ("`xdpwall rule list`, 100 rules, service on", _duration(m.list_on)),
        ("service, from start to its first answer", _duration(m.start)),
        ("service resident, idle, 100 rules", _megabytes(m.idle)),
        ("service resident, after the changes, 1,000 rules", _megabytes(m.used)),
    ]
    return (
        "## Changes, by the number of rules\n\n"
        + table(("", *(f"{n:,}" for n in counts)), rows)
        + "\n\n## Commands and the service\n\n"
        + table(("", ""), commands)
    )


def _kernel(result: Result) -> str:
    memory = [
        (
            {"ipv4": "IPv4", "ipv6": "IPv6"}[m.family],
            f"{m.rules:,}",
            _megabytes(m.bytes),
            ", ".join(f"{name} {_megabytes(size)}" for name, size in m.largest),
        )
        for m in result.memory
    ]
    programs = [
        (p.name, f"{p.rules:,}", _duration(p.seconds), f"{p.verified:,}", f"{p.jited:,}")
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


def _duration(seconds: float) -> str:
    return f"{seconds:.2f} s" if seconds >= 1 else f"{seconds * 1000:.0f} ms"


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.1f} MB"
