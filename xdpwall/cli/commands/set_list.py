"""xdpwall set list, test"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from xdpwall.cli.client.connect import open_firewall
from xdpwall.cli.options import common_options, invocation
from xdpwall.cli.shell_complete import complete_set_names
from xdpwall.cli.terminal.output import Column, Printer
from xdpwall.cli.terminal.problems import print_note

if TYPE_CHECKING:
    from xdpwall.firewall.facade import Facade
    from xdpwall.views.sets import SetEntry, SetList, SetShown

PAGE = 50_000
"""Entries asked for at once."""


@click.command(name="list")
@click.argument("name", metavar="[NAME]", required=False, shell_complete=complete_set_names)
@click.option(
    "--start", type=click.IntRange(min=0), default=0, metavar="N", help="Pass over N entries."
)
@click.option(
    "--limit",
    type=click.IntRange(min=0),
    default=1000,
    show_default=True,
    metavar="N",
    help="At most so many entries.",
)
@click.option("--all", "all_", is_flag=True, help="Every entry, however many.")
@common_options()
def list_(name: str | None, start: int, limit: int, all_: bool) -> None:
    """List the sets, or the entries of one, an entry a line.

    \b
    Examples:
      xdpwall set list
      xdpwall set list bad
      xdpwall set list bad --all -q > bad.txt
    """
    asked = invocation.get()
    printer = Printer(asked)
    with open_firewall() as fw:
        if name is None:
            found = fw.sets()
        else:
            shown = _shown(fw, name, start, None if all_ else limit)
    if name is None:
        printer.show(
            found.to_json,
            lambda: [one.name for one in found.sets],
            lambda: _table(printer, found),
        )
        return
    printer.show(
        shown.to_json,
        lambda: [row.entry for row in shown.entries],
        lambda: _entries(printer, shown),
    )
    left = shown.set.entries - start - len(shown.entries)
    if left > 0:
        print_note(f"{left:,} more; --all lists them", asked)


@click.command()
@click.argument("name", metavar="NAME", shell_complete=complete_set_names)
@click.argument("address", metavar="ADDRESS")
@common_options()
def test(name: str, address: str) -> int:
    """Say whether an address is in a set, and by which entries. Ends with 1 when it is not.

    \b
    Examples:
      xdpwall set test bad 198.51.100.9
      xdpwall set test -q friends 10.0.0.1 || echo stranger
    """
    printer = Printer(invocation.get())
    with open_firewall() as fw:
        outcome = fw.test_set(name, address)

    def people() -> None:
        if not outcome.found:
            printer.line(f"{outcome.address} is not in {name}", "yellow")
            return
        until = f", until {outcome.expires}" if outcome.expires else ""
        printer.line(f"{outcome.address} is in {name}: {', '.join(outcome.by)}{until}", "green")

    printer.show(outcome.to_json, lambda: outcome.by, people)
    return 0 if outcome.found else 1


def _shown(fw: Facade, name: str, start: int, limit: int | None) -> SetShown:
    """As GET /sets/{name} answers it; `limit` None is everything."""
    from xdpwall.views.sets import SetShown

    found = fw.set(name)
    rows: list[SetEntry] = []
    wanted = found.entries if limit is None else limit
    while len(rows) < wanted:
        count = min(PAGE, wanted - len(rows))
        page = fw.set_entries(name, start=start + len(rows), limit=count).entries
        rows += page
        if len(page) < count:
            break
    return SetShown(set=found, start=start, entries=rows)


def _table(printer: Printer, found: SetList) -> None:
    columns = [
        Column("NAME"),
        Column("ENTRIES", right=True),
        Column("IPV4", right=True),
        Column("IPV4 NETS", right=True),
        Column("IPV6", right=True),
        Column("IPV6 NETS", right=True),
        Column("TIMED", right=True),
        Column("NEXT EXPIRY", wide=True),
        Column("CREATED", wide=True),
        Column("RULES"),
    ]
    rows = []
    for one in found.sets:
        counts = (one.entries, one.addresses4, one.prefixes4, one.addresses6, one.prefixes6)
        rules = ", ".join(one.rules[:5]) + (", ..." if len(one.rules) > 5 else "")
        rows.append(
            [
                one.name,
                *(str(count) for count in counts),
                str(one.timed),
                one.next_expiry or "-",
                one.created,
                rules or "-",
            ]
        )
    printer.table(columns, rows)


def _entries(printer: Printer, shown: SetShown) -> None:
    for row in shown.entries:
        printer.line(row.entry if row.expires is None else f"{row.entry}  until {row.expires}")
