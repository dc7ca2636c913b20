"""xdpwall diff"""

from __future__ import annotations

import click

from xdpwall.cli.client.connect import open_firewall
from xdpwall.cli.options import common_options, invocation
from xdpwall.cli.ruleset_input import read_ruleset
from xdpwall.cli.terminal.difference import print_difference
from xdpwall.cli.terminal.output import Printer
from xdpwall.cli.terminal.problems import print_error, print_note
from xdpwall.errors import InvalidInput, XdpwallError
from xdpwall.views.history import RulesetDifference


@click.command()
@click.argument("file", metavar="FILE|-")
@common_options()
def diff(file: str) -> int:
    """Show what applying FILE would change, rule by rule; nothing is changed.

    A rule that goes has - in front, one that comes +, one that only moves ~ with both places; a blank
    stands before rules that stay, two around each change. Of sets the counts and the first entries are
    shown. As in apply, what the file does not state (attachments, sets) is left alone.

    Ends with 0 when nothing differs, with 1 when something does, and with 2 after any error.

    \b
    Examples:
      xdpwall diff office.yaml
      xdpwall export | sed s/eth0/eth1/ | xdpwall diff -
      xdpwall diff office.yaml || xdpwall apply office.yaml --confirm 60
    """
    asked = invocation.get()
    try:
        ruleset = read_ruleset(file)
        with open_firewall() as fw:
            found = fw.diff(ruleset)
    except XdpwallError as error:
        print_error(error, asked)
        return InvalidInput.exit_code
    printer = Printer(asked)
    name = "standard input" if file == "-" else file
    printer.show(
        found.to_json,
        lambda: _names(found),
        lambda: print_difference(printer, found, name),
    )
    if found.same:
        print_note(f"no difference: revision {found.revision} is this ruleset", asked)
    return 0 if found.same else 1


def _names(found: RulesetDifference) -> list[str]:
    rules = [one.id for one in found.rules if one.kind != "context"]
    return [*rules, *(f"@{one.name}" for one in found.sets)]
