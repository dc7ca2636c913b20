"""xdpwall status, off, on"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click

from xdpwall.cli.client.connect import open_firewall
from xdpwall.cli.guards import guard_policy, guarded_client
from xdpwall.cli.options import change_options, common_options, exact_option, invocation
from xdpwall.cli.terminal.output import Column, Printer, TableCell
from xdpwall.cli.terminal.problems import print_note, print_warnings
from xdpwall.cli.terminal.text import time_ago

if TYPE_CHECKING:
    from xdpwall.ruleset.policy import Policy
    from xdpwall.views.attachments import AttachmentView, InterfaceView
    from xdpwall.views.status import Status

OFF = "OFF: every packet passes, no rule is in force"


@click.command()
@click.option(
    "--wait",
    type=click.FloatRange(2, 3600),
    metavar="SECONDS",
    help="Compare first, for so long, what interfaces receive with what is seen; the service always does.",
)
@exact_option()
@common_options()
def status(wait: float | None) -> None:
    """What is attached, in force and counted, and what the attachments cannot see.

    \b
    Examples:
      xdpwall status
      xdpwall status --wait 5
      xdpwall status -j
    """
    asked = invocation.get()
    printer = Printer(asked)
    with open_firewall() as fw:
        found = fw.status()
        if wait is not None and not found.service:
            for _ in range(2):  # two stretches of time in which nothing was seen are believed
                time.sleep(wait / 2)
                found = fw.status()
    print_warnings(found.warnings, asked)
    printer.show(
        found.to_json,
        lambda: [f"{a.iface}/{a.place}" for a in found.attachments],
        lambda: _people(printer, found),
    )


@click.command()
@change_options()
@common_options()
def off() -> None:
    """Let everything pass, at once, on every interface: one word in the kernel.

    Rules, counters and attachments stay. `xdpwall on` filters again.

    \b
    Examples:
      xdpwall off --message 'ticket 4711'
    """
    asked = invocation.get()
    with open_firewall() as fw:
        outcome = fw.set_switch(False, by=asked.author())
    print_note(OFF if outcome.changed else f"already {OFF}", asked)
    Printer(asked).show(outcome.to_json, lambda: ["off"], lambda: None)


@click.command()
@change_options(guarded=True)
@common_options()
def on() -> None:
    """Filter again, after `xdpwall off`.

    \b
    Examples:
      xdpwall on
    """
    asked = invocation.get()
    with open_firewall() as fw:
        if guarded_client() is not None and not fw.status().on:
            guard_policy(fw, fw.policy())
        outcome = fw.set_switch(True, by=asked.author())
    print_note("on: filtering" if outcome.changed else "already on", asked)
    Printer(asked).show(outcome.to_json, lambda: ["on"], lambda: None)


def _people(printer: Printer, found: Status) -> None:
    state = TableCell("on, filtering", "green") if found.on else TableCell(OFF, "shout")
    rules = f"{found.rules}"
    if found.enabled_rules != found.rules:
        rules += f" ({found.enabled_rules} enabled)"
    policy = _policy(found.policy)
    facts: list[tuple[str, str | TableCell]] = [
        ("xdpwall", f"{found.version} on {found.host}"),
        ("firewall", state),
        ("rules", f"{rules}, revision {found.revision}"),
        ("policy", policy),
        ("service", "running" if found.service else "not running (filtering goes on)"),
        ("state", f"{found.state_dir}, {found.bpffs}, network namespace {found.netns}"),
    ]
    if held := found.kernel:
        said = f"revision {held.revision} of another state, policy {_policy(held.policy)}"
        facts.insert(2, ("in force", TableCell(said, "shout")))
        facts[3:5] = [(f"{name} on disk", words) for name, words in facts[3:5]]
    printer.facts(facts)
    if not found.attachments:
        printer.line()
        printer.line("nothing is attached: no packet is judged (xdpwall attach IFACE)", "yellow")
    else:
        printer.line()
        _attachments(printer, found.attachments)
    _others(printer, found.others)


def _policy(policy: Policy) -> str:
    return ", ".join(f"{k} {v}" for k, v in policy.to_json().items())


def _attachments(printer: Printer, attachments: list[AttachmentView]) -> None:
    titles = ("SEEN", "PASSED", "DROPPED", "BY POLICY", "MALFORMED", "ERRORS")
    columns = [Column("IFACE"), Column("HOOK"), Column("MODE"), Column("SINCE")]
    columns += [Column(title, right=True) for title in titles]
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
        row: list[str | TableCell] = [one.iface, one.place, mode, time_ago(one.since)]
        row += [printer.packets(count.packets) for count in counts]
        row += [printer.bytes(t.seen.bytes), str(one.program_id or "-"), sees]
        rows.append(row)
    printer.table(columns, rows)
    for one in attachments:
        for blind in one.blind:
            printer.line(f"{one.iface} {one.place} cannot see: {blind}", "yellow")


def _others(printer: Printer, others: list[InterfaceView]) -> None:
    for interface in others:
        for other in interface.others:
            bypass = "; ours may be bypassed by it" if other.bypasses_us else ""
            printer.line(
                f"{interface.name} {other.place}: somebody else's {other.words}{bypass}",
                "yellow",
            )
