"""A drop as one line, and the summary of a run as a table."""

from __future__ import annotations

from collections.abc import Callable

from xdpwall.cli.options import invocation
from xdpwall.views.drops import Drop, DropCount, DropSummary

from .output import Column, Printer, TableCell, paint
from .packet_line import packet_words
from .problems import print_note
from .text import escape_controls


def drop_printer() -> Callable[[Drop], None]:
    """Make a function that prints drops in the form that was asked for."""
    asked = invocation.get()
    out = Printer(asked)

    def show(drop: Drop) -> None:
        if asked.output == "json":
            out.json(drop.to_json(), one_line=True)
        elif asked.output == "yaml":
            out.text("---\n")
            out.yaml(drop.to_json())
        elif asked.output == "name" or asked.quiet:
            out.line(_dropper(drop))
        else:
            # Whoever runs a process names it: the name must not move the cursor.
            process = f" [{escape_controls(drop.process or '')} {drop.pid}]" if drop.pid else ""
            who = paint(escape_controls(_dropper(drop)), _color(drop) if out.color else None)
            out.text(f"{escape_controls(_packet(drop))}: {who}{process}\n")
            for frame in drop.stack or ():
                out.line(f"    {frame}")

    return show


def _packet(drop: Drop) -> str:
    """`10:00:00.123456 eth0 udp 192.0.2.1:5555 > 198.51.100.2:53 length 60 ttl 64`"""
    where = drop.iface or "-"
    if drop.netns is not None:
        where += f"@{drop.netns}"
    if drop.behind is not None:
        where += f" ({drop.behind})"
    words = [drop.time.partition("T")[2].rstrip("Z"), where]
    if drop.by == "xdp-exception":
        return " ".join([*words, "a packet"])
    words += packet_words(drop, [f"{drop.bytes} bytes"] if drop.bytes is not None else [])
    if drop.packets is not None and drop.packets > 1:
        words.append(f"({drop.packets} packets in one)")
    return " ".join(words)


def _dropper(drop: Drop) -> str:
    """`rule r2 (xdp)`, `NETFILTER_DROP in nf_hook_slow+0x91`, `XDP ABORTED by program 12`"""
    if drop.by == "xdp-exception":
        return f"XDP {drop.reason} by program {drop.program}"
    if drop.by == "kernel":
        return f"{drop.reason} in {drop.function}"
    return f"{f'rule {drop.rule}' if drop.rule else 'policy'} ({drop.place})"


def _color(drop: Drop | DropCount) -> str | None:
    return {"rule": "yellow", "policy": "yellow", "xdp-exception": "red"}.get(drop.by)


def print_summary(found: DropSummary) -> None:
    """Print the counts, most first, and on stderr how many drops were not seen."""
    asked = invocation.get()
    out = Printer(asked)
    columns = [Column("PACKETS", right=True), Column("BY"), Column("REASON"), Column("FUNCTION")]
    rows: list[list[str | TableCell]] = [
        [
            out.packets(one.packets),
            TableCell(one.rule or one.by, _color(one)),
            one.reason or "-",
            one.function or "-",
        ]
        for one in found.drops
    ]
    out.show(found.to_json, list, lambda: out.table(columns, rows))
    print_note(f"{found.packets} packets dropped in {found.seconds:.1f} s", asked)
    if found.lost:
        print_note(f"{found.lost} more were not seen: more came than could be read", asked)
