"""xdpwall appeared"""

from __future__ import annotations

import click

from xdpwall.cli.client.connect import open_firewall
from xdpwall.cli.options import change_options, common_options, invocation
from xdpwall.cli.shell_complete import complete_interfaces
from xdpwall.cli.terminal.output import Printer
from xdpwall.cli.terminal.problems import print_note, print_warnings


@click.command()
@click.argument(
    "ifaces", metavar="IFACE...", nargs=-1, required=True, shell_complete=complete_interfaces
)
@change_options()
@common_options()
def appeared(ifaces: tuple[str, ...]) -> int:
    """Attach what is wanted on interfaces that have just appeared; what a udev rule calls.

    Nothing is done for an interface on which nothing is wanted, and for one that is filtered already: the
    running service attaches them by itself, and is asked first. Several calls at once wait for each other.
    Ends with 1 when something that is wanted could not be attached.

    \b
    Examples:
      sudo xdpwall appeared eth1
    """
    asked = invocation.get()
    with open_firewall() as fw:
        outcome = fw.appeared(ifaces, by=asked.author())
    print_warnings(outcome.warnings, asked)

    def people() -> None:
        if not (outcome.attached or outcome.already or outcome.failed):
            print_note(f"nothing is wanted on {', '.join(ifaces)}", asked)
        for what, names in (
            ("attached", outcome.attached),
            ("already attached", outcome.already),
            ("not attached", outcome.failed),
        ):
            for name in names:
                print_note(f"{what}: {name}", asked)

    Printer(asked).show(outcome.to_json, lambda: [*outcome.attached, *outcome.already], people)
    return 1 if outcome.failed else 0
