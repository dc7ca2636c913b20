"""xdpwall doctor"""

from __future__ import annotations

import click

from xdpwall.cli.options import common_options, invocation
from xdpwall.cli.terminal.output import Column, Printer, TableCell

_COLORS = {"pass": "green", "warn": "yellow", "fail": "red"}


@click.command()
@common_options()
def doctor() -> int:
    """Check kernel, privileges and interfaces; say what to do about each.

    Each line is pass, warn or fail. Ends with 1 when something fails.

    \b
    Examples:
      sudo xdpwall doctor
      xdpwall doctor -j
    """
    from xdpwall.firewall.doctor import run_doctor

    asked = invocation.get()
    printer = Printer(asked)
    report = run_doctor(asked.settings())
    rows: list[list[str | TableCell]] = []
    for check in report.checks:
        rows.append([TableCell(check.status, _COLORS[check.status]), check.name, check.found])
        if check.todo:
            rows.append(["", "", f"-> {check.todo}"])
    printer.show(
        report.to_json,
        lambda: [check.name for check in report.checks],
        lambda: printer.table([Column("RESULT"), Column("CHECK"), Column("FOUND")], rows),
    )
    return 1 if report.worst == "fail" else 0
