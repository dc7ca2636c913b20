"""xdpwall status, off, on"""

from __future__ import annotations

import gc
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

import click

from xdpwall.cli.client.connect import open_firewall
from xdpwall.cli.commands.flows import fill_words
from xdpwall.cli.options import (
    change_options,
    common_options,
    exact_option,
    invocation,
    watch_options,
)
from xdpwall.cli.terminal.output import Column, Printer, TableCell
from xdpwall.cli.terminal.problems import print_note, print_warnings
from xdpwall.cli.terminal.rule_table import rate_cells
from xdpwall.cli.terminal.text import time_ago
from xdpwall.cli.terminal.watching import RateMeter, begin_look, look_times
from xdpwall.cli.way_out import act_in_need
from xdpwall.values.inputs import first_few

if TYPE_CHECKING:
    from xdpwall.firewall.facade import Facade
    from xdpwall.ruleset.policy import Policy
    from xdpwall.views.attachments import AttachmentView, InterfaceView
    from xdpwall.views.status import Status

Counted = tuple[str, str, str]
"""(interface, place, "seen" or "dropped")."""
Rates = Mapping[Counted, tuple[float, float] | None]
OFF = "OFF: every packet passes, no rule is in force"
NOT_JUDGING = "on, but no packet is judged"


@click.command()
@click.option(
    "--wait",
    type=click.FloatRange(2, 3600),
    metavar="SECONDS",
    help="Compare first, for so long, what interfaces receive with what is seen; the service always does.",
)
@click.option(
    "--ports",
    is_flag=True,
    help="List what containers publish to the outside, and which rules decide who comes to it.",
)
@watch_options
@exact_option()
@common_options()
def status(
    wait: float | None, ports: bool, watch: bool, interval: float, times: int | None
) -> None:
    """What is attached, in force and counted, and what the attachments cannot see.

    Watching adds packets a second, seen and dropped.

    \b
    Examples:
      xdpwall status
      xdpwall status --wait 5
      xdpwall status -w
      xdpwall status --ports
      xdpwall status -j
    """
    asked = invocation.get()
    printer = Printer(asked)
    if ports:
        from xdpwall.cli.terminal.published import show_published

        if watch or wait is not None:
            raise click.UsageError("--ports goes with neither --watch nor --wait")
        with open_firewall() as firewall:
            show_published(printer, firewall.published())
        return
    if watch:
        gc.enable()
        with open_firewall() as fw:
            _watch(fw, printer, interval, times)
        return

    def look(fw: Facade) -> Status:
        found = fw.status()
        if wait is not None and not found.service:
            for _ in range(2):  # two stretches of time in which nothing was seen are believed
                time.sleep(wait / 2)
                found = fw.status()
        return found

    found = act_in_need(look)
    print_warnings(found.warnings, asked)
    printer.show(found.to_json, lambda: _names(found), lambda: _people(printer, found))


def _watch(fw: Facade, printer: Printer, interval: float, times: int | None) -> None:
    asked, meter = printer.asked, RateMeter[Counted]()
    for number, moment in enumerate(look_times(interval, times)):
        found = fw.status()
        rates = meter.rates(moment, _counted(found.attachments))
        if asked.output == "json":
            printer.json(found.to_json(), one_line=True)
        elif asked.output == "yaml":
            printer.text("---\n")
            printer.yaml(found.to_json())
        elif asked.output == "name" or asked.quiet:
            for name in _names(found):
                printer.line(name)
        else:
            begin_look(printer, number)
            for warning in found.warnings:
                printer.line(f"warning: {warning}", "yellow")
            _people(printer, found, rates)
        printer.stream.flush()


def _names(found: Status) -> list[str]:
    return [f"{one.iface}/{one.place}" for one in found.attachments]


def _counted(attachments: list[AttachmentView]) -> dict[Counted, tuple[int, int]]:
    """(packets, bytes) of each attachment, seen and dropped."""
    counts: dict[Counted, tuple[int, int]] = {}
    for one in attachments:
        for what, count in (("seen", one.totals.seen), ("dropped", one.totals.dropped)):
            counts[one.iface, one.place, what] = (count.packets, count.bytes)
    return counts


@click.command()
@change_options()
@common_options()
def off() -> None:
    """Let everything pass, at once, on every interface: one word in the kernel.

    Rules, counters and attachments stay. `xdpwall on` filters again. Works also where the disk cannot be
    used or the service hangs; what could not be recorded is said.

    \b
    Examples:
      xdpwall off --message 'ticket 4711'
    """
    asked = invocation.get()
    outcome = act_in_need(lambda fw: fw.set_switch(False, by=asked.author()))
    print_warnings(outcome.warnings, asked)
    print_note(OFF if outcome.changed else f"already {OFF}", asked)
    Printer(asked).show(outcome.to_json, lambda: ["off"], lambda: None)


@click.command()
@change_options(guarded=True)
@common_options()
def on() -> None:
    """Filter again, after `xdpwall off`.

    Where that would cut your own connection, or who is logged in, it is refused without --force.

    \b
    Examples:
      xdpwall on
    """
    asked = invocation.get()
    outcome = act_in_need(lambda fw: fw.set_switch(True, by=asked.author()))
    print_warnings(outcome.warnings, asked)
    print_note("on: filtering" if outcome.changed else "already on", asked)
    Printer(asked).show(outcome.to_json, lambda: ["on"], lambda: None)


def _people(printer: Printer, found: Status, rates: Rates | None = None) -> None:
    judging = any(one.state == "attached" for one in found.attachments)
    state = TableCell(OFF, "shout")
    if found.on:
        state = TableCell("on, filtering", "green") if judging else TableCell(NOT_JUDGING, "yellow")
    rules = "not known" if found.rules is None else f"{found.rules}"
    if found.enabled_rules != found.rules:
        rules += f" ({found.enabled_rules} enabled)"
    policy = "not known" if found.policy is None else _policy(found.policy)
    facts: list[tuple[str, str | TableCell]] = [
        ("xdpwall", f"{found.version} on {found.host}"),
        ("firewall", state),
        ("rules", f"{rules}, revision {found.revision}"),
        ("policy", policy),
        (
            "service",
            "running" if found.service else f"not running{' (filtering goes on)' * judging}",
        ),
        ("state", f"{found.state_dir}, {found.bpffs}, network namespace {found.netns}"),
    ]
    if found.rules is not None and (held := found.kernel):
        said = f"revision {held.revision} of another state, policy {_policy(held.policy)}"
        facts.insert(2, ("in force", TableCell(said, "shout")))
        facts[3:5] = [(f"{name} on disk", words) for name, words in facts[3:5]]
    if waits := found.pending:
        said = f"revision {waits.revision} ({waits.action}) is taken back in {waits.seconds_left} s"
        facts.insert(2, ("waits", TableCell(f"{said} unless confirmed: xdpwall confirm", "shout")))
    if found.flows is not None:
        facts.append(("flows", fill_words(found.flows)))
    printer.facts(facts)
    if not found.attachments and not found.wanted:
        printer.line()
        printer.line("nothing is attached: no packet is judged (xdpwall attach IFACE)", "yellow")
    elif found.attachments:
        printer.line()
        _attachments(printer, found.attachments, rates)
    _wanted(printer, found)
    _others(printer, found.others)


def _policy(policy: Policy) -> str:
    return ", ".join(f"{k} {v}" for k, v in policy.to_json().items())


def _attachments(printer: Printer, attachments: list[AttachmentView], rates: Rates | None) -> None:
    titles = ("SEEN", "PASSED", "DROPPED", "BY POLICY", "MALFORMED", "ERRORS")
    columns = [Column("IFACE"), Column("HOOK"), Column("MODE"), Column("SINCE")]
    columns += [Column(title, right=True) for title in titles]
    if rates is not None:
        columns += [Column(title, right=True) for title in ("SEEN/S", "BIT/S", "DROPPED/S")]
    columns += [Column("SEEN BYTES", right=True, wide=True), Column("PROGRAM", wide=True)]
    columns += [Column("SEES")]
    rows: list[list[str | TableCell]] = []
    for one in attachments:
        t = one.totals
        counts = (t.seen, t.passed, t.dropped, t.policy_dropped, t.malformed, t.errors)
        mode = one.mode or "-"
        sees: str | TableCell = ", ".join(one.sees) or "-"
        if one.state != "attached":
            sees = TableCell(one.state.upper(), "shout")
        elif one.unseen:
            sees = TableCell("SEES NOTHING", "shout")
        name = f"{one.iface} (now {one.called})" if one.called else one.iface
        row: list[str | TableCell] = [name, one.place, mode, time_ago(one.since)]
        row += [printer.packets(count.packets) for count in counts]
        if rates is not None:
            row += rate_cells(printer, rates.get((one.iface, one.place, "seen")))
            row += rate_cells(printer, rates.get((one.iface, one.place, "dropped")))[:1]
        row += [printer.bytes(t.seen.bytes), str(one.program_id or "-"), sees]
        rows.append(row)
    printer.table(columns, rows)
    for iface, behind in dict.fromkeys((one.iface, one.behind) for one in attachments):
        if behind:
            printer.line(f"{iface}: {behind}", "dim")
    blind: dict[tuple[str, str], list[str]] = {}
    for one in attachments:
        for words in one.blind:
            blind.setdefault((one.iface, words), []).append(one.place)
    for (iface, words), places in blind.items():
        who = f"{iface} {places[0]}" if len(places) == 1 else iface
        printer.line(f"{who} cannot see: {words}", "yellow")


def _wanted(printer: Printer, found: Status) -> None:
    if found.wanted:
        columns = [Column("WANTED"), Column("HOOK"), Column("SINCE")]
        columns += [Column("IN PLACE", right=True), Column("ON")]
        rows: list[list[str | TableCell]] = []
        for one in found.wanted:
            on: str | TableCell = first_few(one.in_place) if one.in_place else "-"
            if one.why_none:
                on = TableCell(one.why_none, "yellow")
            of = f"{len(one.in_place)} of {len(one.in_place) + len(one.waiting)}"
            place = f"{one.place}, held" if one.hold else one.place
            rows.append([one.iface, place, time_ago(one.since), of, on])
        printer.line()
        printer.table(columns, rows)
    for attachment in found.attachments:
        if (spell := attachment.last_open) is not None:
            printer.line(spell.words(f"{attachment.iface} {attachment.place}"), "yellow")


def _others(printer: Printer, others: list[InterfaceView]) -> None:
    for interface in others:
        for other in interface.others:
            bypass = "; ours may be bypassed by it" if other.bypasses_us else ""
            owner = f" ({other.owner})" if other.owner else ""
            printer.line(
                f"{interface.name} {other.place}: somebody else's {other.words}{owner}{bypass}",
                "yellow",
            )
