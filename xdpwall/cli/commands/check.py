"""xdpwall check"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import click

from xdpwall.cli.client.connect import open_firewall
from xdpwall.cli.options import common_options, invocation
from xdpwall.cli.ruleset_input import read_ruleset
from xdpwall.cli.terminal.output import Printer
from xdpwall.cli.terminal.problems import for_people, print_note
from xdpwall.errors import Failed, InvalidInput, NeedsPrivileges, NotFound, XdpwallError

if TYPE_CHECKING:
    from xdpwall.ruleset.ruleset import Ruleset
    from xdpwall.views.check import CheckFinding, CheckReport, CheckRule


@click.command()
@click.argument("file", metavar="[FILE|-]", required=False)
@common_options()
def check(file: str | None) -> int:
    """Find rules that never decide, or change nothing, in FILE or in what is in force.

    Told are rules that others in front decide for (one or several together), that say the same as
    another or the contrary, that match no packet, that no attachment sees, that take an empty set for
    everything, whose time is over, and those without which every packet would get the same verdict; and
    where flows are asked for, those that end answers, SYN cookies or room for flows without need. What
    another rule or the policy is the reason of comes with a packet that shows it. Sets are taken with what
    they hold now. Packets that cannot be read whole are left out: a drop rule takes what it cannot read.
    Without FILE, also ports that containers publish and that nothing filters (`xdpwall status --ports`).

    Ends with 0 when all is well, with 1 when something is found, and with 2 when FILE cannot be read.

    \b
    Examples:
      xdpwall check
      xdpwall check office.yaml
      xdpwall check -j | jq '.findings[].message'
    """
    asked = invocation.get()
    printer = Printer(asked)
    ruleset = None if file is None else _read(file)
    report = _report(ruleset)
    printer.show(
        report.to_json,
        lambda: [_name(one.rule) for one in report.findings],
        lambda: _people(printer, report),
    )
    print_note(_summary(report), asked)
    return 1 if report.findings or report.unfiltered else 0


def _read(file: str) -> Ruleset:
    try:
        return read_ruleset(file)
    except (NotFound, NeedsPrivileges, Failed) as error:  # all of them end with 2
        raise InvalidInput(
            error.message, code=error.code, field="file", value=file, hint=error.hint
        ) from error


def _report(ruleset: Ruleset | None) -> CheckReport:
    try:
        with open_firewall() as fw:
            return fw.check(ruleset)
    except XdpwallError as error:
        if ruleset is None or not isinstance(error, NeedsPrivileges):
            raise
    # A file can be read by anybody; then nothing is known of what is attached and in sets here.
    from xdpwall.firewall.check import check_file

    return check_file(ruleset)


def _people(printer: Printer, report: CheckReport) -> None:
    for one in report.findings:
        printer.line(f"{one.rule.position} {_title(one)}", "yellow")
        printer.line(f"    {for_people(one.message)}")
        if one.packet is not None:
            state = "" if one.state is None else f" (state {one.state})"
            printer.line(f"    packet: {one.packet}{state}", "dim")
    for sentence in report.unfiltered:
        printer.line(sentence, "yellow")


def _title(one: CheckFinding) -> str:
    return f"{_name(one.rule)}: {one.rule.text}" if one.rule.id else one.rule.text


def _name(rule: CheckRule) -> str:
    return rule.id or f"rule {rule.position}"


def _summary(report: CheckReport) -> str:
    counts = Counter(one.kind for one in report.findings)
    found = ", ".join(f"{count} {kind}" for kind, count in counts.items()) or "nothing found"
    words = f"{report.rules} {'rule' if report.rules == 1 else 'rules'}: {found}"
    if report.undecided:
        words += f"; {len(report.undecided)} took too long to decide"
    if report.unfiltered:
        words += f"; published ports that nothing filters: {len(report.unfiltered)}"
    return words
