"""xdpwall serve, restore, repair"""

from __future__ import annotations

import gc

import click

from xdpwall.cli.client.connect import open_firewall
from xdpwall.cli.options import change_options, common_options, invocation
from xdpwall.cli.terminal.output import Printer
from xdpwall.cli.terminal.problems import print_note, print_warnings


@click.command()
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    metavar="ADDRESS",
    help="Where TCP listens; off loopback with TLS only.",
)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8480,
    show_default=True,
    metavar="N",
    help="TCP port; 0 takes a free one.",
)
@common_options()
def serve(host: str, port: int) -> None:
    """Run the REST service and the page, until Ctrl-C.

    Listens on the unix socket and on TCP, or on what systemd hands over in their place (xdpwall.socket).
    On a terminal it prints an address that opens the page once, within a minute; `xdpwall page` prints
    another. Filtering does not depend on it.

    Off loopback TLS is needed: [tls] in /etc/xdpwall/config.toml, as docs/guides/who-may-what.md says.

    \b
    Examples:
      sudo xdpwall serve
      sudo xdpwall serve --port 9000
    """
    from xdpwall.api.server import serve as run

    gc.enable()
    run(invocation.get().settings(), host=host, port=port)


@click.command()
@click.option(
    "--adopt", is_flag=True, help="Also in the place of what the state folder does not know."
)
@change_options(guarded=True)
@common_options()
def restore(adopt: bool) -> int:
    """Put everything back in force: attachments, rules and policy, after a reboot, when an interface
    was made again, or when someone took a program off.

    What is in force already stays as it is; after an upgrade, what attached programs judge by is made
    anew without a moment unfiltered. Ends with 1 when something that is there is not filtered; what is wanted on an
    interface that is not there is named, and attached when that comes.

    Where the kernel holds what the state folder does not know (it was lost, exchanged or is an old copy),
    nothing is done, unless --adopt says that the folder's last ruleset shall take its place.

    \b
    Examples:
      sudo xdpwall restore
      sudo xdpwall restore --adopt
    """
    asked = invocation.get()
    with open_firewall() as fw:
        outcome = fw.restore(adopt=adopt, by=asked.author())
    print_warnings(outcome.warnings, asked)

    def people() -> None:
        print_note(f"restored revision {outcome.revision}: {outcome.rules} rules", asked)
        for what, names in (
            ("attached", outcome.attached),
            ("already attached", outcome.already),
            ("not restored", outcome.failed),
            ("waiting", outcome.waiting),
        ):
            for name in names:
                print_note(f"{what}: {name}", asked)

    Printer(asked).show(outcome.to_json, lambda: [*outcome.attached, *outcome.already], people)
    return 1 if outcome.failed else 0


@click.command()
@change_options()
@common_options()
def repair() -> None:
    """Make the state folder's database anew from its second copy.

    For a database that is damaged, empty, gone or older than it was, which `xdpwall status` tells. What is
    attached filters as before, throughout: only files change. The damaged one is kept beside it, as
    xdpwall.db.damaged. History, all but the last hundred lines of the audit trail, and what deleted rules have counted are lost; sets whose copy is
    missing are read back from the kernel. Where nothing is wrong, nothing is done.

    \b
    Examples:
      sudo xdpwall repair
    """
    asked = invocation.get()
    with open_firewall() as fw:
        outcome = fw.repair(by=asked.author())
    print_warnings(outcome.warnings, asked)
    state = f"revision {outcome.revision}, {outcome.rules} rules"

    def people() -> None:
        if not outcome.repaired:
            print_note(f"nothing to repair: {state}", asked)
            return
        print_note(f"repaired: {state}", asked)
        if outcome.kept:
            print_note(f"the damaged database is kept as {outcome.kept}", asked)

    Printer(asked).show(outcome.to_json, lambda: ["repaired"] * outcome.repaired, people)
