"""xdpwall confirm, rollback"""

from __future__ import annotations

import click

from xdpwall.cli.client.connect import open_firewall
from xdpwall.cli.options import change_options, common_options, invocation
from xdpwall.cli.terminal.difference import print_difference
from xdpwall.cli.terminal.output import Printer
from xdpwall.cli.terminal.problems import print_note, print_pending, print_warnings
from xdpwall.views.history import RollbackOutcome

REVISION = click.IntRange(min=1)


@click.command()
@click.argument("revision", required=False, type=REVISION, metavar="[REV]")
@change_options()
@common_options()
def confirm(revision: int | None) -> None:
    """Keep the change that waits for its confirmation (--confirm SECONDS).

    With REV it is kept only if it is that revision, so that nobody confirms another's change. Ends
    with 3 when none waits, and with 5 when it was reverted already.

    \b
    Examples:
      xdpwall rule add drop tcp/22 from not 10.0.0.0/8 --confirm 60
      xdpwall confirm
    """
    asked = invocation.get()
    with open_firewall() as fw:
        outcome = fw.confirm(revision, by=asked.author())
    Printer(asked).show(
        outcome.to_json,
        lambda: [str(outcome.revision)],
        lambda: print_note(f"revision {outcome.revision} is confirmed: it stays", asked),
    )


@click.command()
@click.argument("revision", required=False, type=click.IntRange(min=0), metavar="[REV]")
@click.option("--dry-run", is_flag=True, help="Show what would change, and change nothing.")
@click.option(
    "--allow-empty",
    "may_empty",
    is_flag=True,
    help="Make sets that rules name and that are gone again, empty.",
)
@change_options(guarded=True, confirms=True)
@common_options()
def rollback(revision: int | None, dry_run: bool, may_empty: bool) -> None:
    """Take a change back: the one that waits for its confirmation, or go back to revision REV.

    Without REV the change that waits is cancelled at once; where none waits, the last revision with
    another ruleset is put in force again. That is a change as any other, with a revision of its own, so that a
    second rollback undoes the first. Rules that were the same then keep their counters. Attachments, and
    what sets hold, are no part of a revision and stay. A set that came later and holds something stays,
    too; one that is gone with what it held, while rules of REV name it, is refused unless --allow-empty.

    \b
    Examples:
      xdpwall rollback
      xdpwall history -p
      xdpwall rollback 41 --confirm 60
    """
    asked = invocation.get()
    with open_firewall() as fw:
        outcome = fw.rollback(revision, allow_empty=may_empty, dry_run=dry_run, by=asked.author())
    print_warnings(outcome.warnings, asked)
    print_pending(outcome.pending, asked)
    printer = Printer(asked)

    def people() -> None:
        if dry_run and outcome.diff is not None:
            print_difference(printer, outcome.diff, f"revision {outcome.to}")
        print_note(_words(outcome), asked)

    printer.show(outcome.to_json, lambda: [str(outcome.revision)], people)


def _words(outcome: RollbackOutcome) -> str:
    if outcome.cancelled:
        done = "would be taken back" if outcome.dry_run else "taken back"
        return f"{done}: revision {outcome.to} is in force"
    if not outcome.changed:
        return f"unchanged: revision {outcome.revision} is the ruleset of revision {outcome.to}"
    if outcome.dry_run:
        return f"revision {outcome.to} would be in force again"
    return f"revision {outcome.to} is in force again, as revision {outcome.revision}"
