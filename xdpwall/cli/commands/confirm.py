"""xdpwall confirm, rollback"""

from __future__ import annotations

import click

from xdpwall.cli.client.connect import open_firewall
from xdpwall.cli.options import change_options, common_options, invocation
from xdpwall.cli.terminal.output import Printer
from xdpwall.cli.terminal.problems import print_note

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
@click.argument("revision", required=False, type=REVISION, metavar="[REV]")
@change_options()
@common_options()
def rollback(revision: int | None) -> None:
    """Take the change that waits for its confirmation back, at once.

    With REV only if it is that revision. Ends with 3 when none waits.

    \b
    Examples:
      xdpwall rollback
    """
    asked = invocation.get()
    with open_firewall() as fw:
        outcome = fw.cancel(revision, by=asked.author())
    Printer(asked).show(
        outcome.to_json,
        lambda: [str(outcome.revision)],
        lambda: print_note(f"taken back: revision {outcome.revision} is in force", asked),
    )
