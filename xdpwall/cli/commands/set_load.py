"""xdpwall set load"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from xdpwall.cli.client.connect import open_firewall
from xdpwall.cli.options import (
    Invocation,
    allow_empty,
    change_options,
    common_options,
    invocation,
    most_shrink,
)
from xdpwall.cli.shell_complete import complete_set_names
from xdpwall.cli.terminal.output import Printer
from xdpwall.cli.terminal.problems import print_note, print_warnings
from xdpwall.cli.terminal.progress import ProgressBar
from xdpwall.cli.terminal.text import entry_count

if TYPE_CHECKING:
    from xdpwall.formats.address_gather import ReadReport, ReportedLine
    from xdpwall.formats.address_list import AddressList

MAX_LINES = 10
"""Lines of a kind that are listed; -j lists up to 1,000."""


@click.command()
@click.argument("name", metavar="NAME", shell_complete=complete_set_names)
@click.argument("file", metavar="FILE|-", type=click.Path())
@click.option("--skip-bad", is_flag=True, help="Load the other lines when some are wrong.")
@allow_empty
@most_shrink
@change_options(guarded=True)
@common_options()
def load(name: str, file: str, skip_bad: bool, may_empty: bool, shrink: int | None) -> None:
    """Make a set hold exactly the addresses of a file, in one switch. Makes the set if need be.

    It takes an address, a prefix or a range a line with # and ; comments, what ipset save writes
    (with its timeouts), Spamhaus' and FireHOL's lists, any of them gzipped; - is standard input.
    An entry that a wider one of the file covers is not kept. Ctrl-C leaves the old set in force,
    and so does a line that is wrong, unless --skip-bad is given. A list that holds nothing, as after
    a download that failed, does not empty a set unless --allow-empty is given.

    \b
    Examples:
      xdpwall set load bad blocklist.txt
      curl -sf https://www.spamhaus.org/drop/drop.txt | xdpwall set load spamhaus - --most-shrink 50
      ipset save old | xdpwall set load bad - --skip-bad
    """
    from xdpwall.values.addresses import parse_set_name
    from xdpwall.values.times import expiry_after

    asked = invocation.get()
    parse_set_name("name", name)
    with ProgressBar(f"reading {name}", asked) as bar:
        found = _read(file, skip_bad, bar)
        moments = {seconds: expiry_after(seconds) for seconds in set(found.timeouts.values())}
        timeouts = {entry: moments[seconds] for entry, seconds in found.timeouts.items()}
        with open_firewall() as fw:
            bar.message(f"writing {name}: {entry_count(len(found.entries))}")
            outcome = fw.replace_set(
                name,
                found.entries,
                timeouts=timeouts or None,
                allow_empty=may_empty,
                most_shrink=shrink,
                by=asked.author(),
            )
    print_warnings(outcome.warnings, asked)

    def data() -> dict[str, Any]:
        return {**outcome.to_json(), "report": _report(found.report)}

    def people() -> None:
        print_note(f"loaded: {name}: {_words(len(found.entries), found.report)}", asked)
        _tell(found.report, asked)

    Printer(asked).show(data, lambda: [name], people)


def _read(file: str, skip_bad: bool, bar: ProgressBar) -> AddressList:
    from xdpwall.formats.address_list import load_address_list as read

    if file == "-":
        stream = sys.stdin.buffer
        return read(stream, name="standard input", skip_bad=skip_bad, progress=bar.update)
    return read(Path(file), name=file, skip_bad=skip_bad, progress=bar.update)


def _words(kept: int, report: ReadReport) -> str:
    parts = [f"{report.lines:,} lines"]
    for count, what in (
        (report.duplicates, "duplicate" if report.duplicates == 1 else "duplicates"),
        (report.merged, "inside wider entries"),
        (report.rejected, "skipped"),
    ):
        if count:
            parts.append(f"{count:,} {what}")
    return f"{entry_count(kept)} ({', '.join(parts)})"


def _tell(report: ReadReport, asked: Invocation) -> None:
    for odd_lines, count in (
        (report.duplicate_lines, report.duplicates),
        (report.merged_lines, report.merged),
    ):
        for odd in odd_lines[:MAX_LINES]:
            print_note(f"  line {odd.line}: {odd.text} {odd.reason}", asked)
        _rest(odd_lines, count, asked)
    print_warnings(
        [f"line {odd.line}: {odd.reason}" for odd in report.rejected_lines[:MAX_LINES]], asked
    )
    _rest(report.rejected_lines, report.rejected, asked)


def _rest(told: list[ReportedLine], count: int, asked: Invocation) -> None:
    left = count - min(len(told), MAX_LINES)
    if left:
        print_note(f"  and {left:,} more such lines", asked)


def _report(report: ReadReport) -> dict[str, Any]:
    def rows(odd_lines: list[ReportedLine]) -> list[dict[str, Any]]:
        return [{"line": odd.line, "text": odd.text, "reason": odd.reason} for odd in odd_lines]

    return {
        "lines": report.lines,
        "read": report.read,
        "duplicates": report.duplicates,
        "merged": report.merged,
        "rejected": report.rejected,
        "duplicate_lines": rows(report.duplicate_lines),
        "merged_lines": rows(report.merged_lines),
        "rejected_lines": rows(report.rejected_lines),
    }
