"""xdpwall history"""

from __future__ import annotations

import click

from xdpwall.cli.client.connect import open_firewall
from xdpwall.cli.options import common_options, invocation
from xdpwall.cli.terminal.difference import print_difference
from xdpwall.cli.terminal.output import Printer, TableCell
from xdpwall.errors import InvalidInput
from xdpwall.views.history import AuditLine, History, RevisionView


@click.command()
@click.option(
    "-n", "count", metavar="N", type=click.IntRange(1, 1000), default=20, show_default=True,
    help="At most so many.",
)  # fmt: skip
@click.option("--since", metavar="TIME|DURATION", help="Those since a time, or of the last 10m.")
@click.option(
    "--before", metavar="N", type=click.IntRange(min=0), help="Those with a lower number."
)
@click.option("-p", "patch", is_flag=True, help="What each changed, as diff shows it.")
@click.option(
    "--audit", is_flag=True, help="The audit trail: also what was refused, failed or taken back."
)
@common_options()
def history(count: int, since: str | None, before: int | None, patch: bool, audit: bool) -> None:
    """Who changed what, and when: the revisions that are kept, newest first.

    The latest 200 changes of rules, policy and sets are kept, and at most 64 MiB of them. A revision that
    was not confirmed, or was cancelled, is gone, and its number is not given to another change: the
    next change first gives it to what is in force. The audit trail (--audit) tells of it. That has the last 10,000 entries of everything that was done, with off, on,
    attach, refused and failed changes and wrong tokens. What sets held is no part of a revision.

    \b
    Examples:
      xdpwall history -p -n 3
      xdpwall history --since 1h
      xdpwall rollback 41
    """
    from xdpwall.values.time_read import parse_since

    asked = invocation.get()
    if audit and patch:
        raise InvalidInput(
            "-p: the audit trail has no differences", field="patch", hint="xdpwall history -p"
        )
    begin = None if since is None else parse_since("since", since)
    printer = Printer(asked)
    with open_firewall() as fw:
        if audit:
            trail = fw.audit_trail(limit=count, before=before, since=begin)
            printer.show(
                trail.to_json,
                lambda: [str(one.number) for one in trail.entries],
                lambda: _print_trail(printer, trail.entries, trail.more),
            )
            return
        found = fw.history(limit=count, before=before, since=begin, diff=patch)
    printer.show(
        found.to_json,
        lambda: [str(one.revision) for one in found.revisions],
        lambda: _print_history(printer, found),
    )


def _print_history(printer: Printer, found: History) -> None:
    for number, one in enumerate(found.revisions):
        if number:
            printer.line()
        printer.line(f"revision {one.revision}{_standing(one)}", "yellow")
        facts: list[tuple[str, str | TableCell]] = [("Author:", _author(one)), ("Date:", one.time)]
        printer.facts(facts)
        printer.line()
        printer.line(f"    {one.action}")
        if one.message is not None:
            printer.line()
            printer.line(f"    {one.message}")
        if one.diff is not None:
            printer.line()
            if one.diff.same:
                printer.line("rules, policy and sets stay as they are", "dim")
            print_difference(printer, one.diff)


def _standing(one: RevisionView) -> str:
    if not one.in_force:
        return ""
    return " (in force, not confirmed)" if one.unconfirmed else " (in force)"


def _print_trail(printer: Printer, entries: list[AuditLine], more: bool) -> None:
    for one in entries:
        head = f"{one.number} {one.time}"
        revision = "" if one.revision is None else f" (revision {one.revision})"
        said = "" if one.message is None else f": {one.message}"
        color = "red" if one.action.startswith(("refused", "failed")) else None
        printer.line(f"{head}  {_author(one)}  {one.action}{revision}{said}", color)
    if more and entries:
        printer.line(f"older ones: --before {entries[-1].number}", "dim")


def _author(one: RevisionView | AuditLine) -> str:
    name = one.author if one.user is None else f"{one.user} ({one.author})"
    return f"{name} by {one.via}{'' if one.address is None else f' from {one.address}'}"
