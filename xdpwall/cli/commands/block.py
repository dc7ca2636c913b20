"""xdpwall block, unblock"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from xdpwall.cli.client.connect import open_firewall
from xdpwall.cli.options import change_options, common_options, invocation
from xdpwall.cli.terminal.output import Column, Printer
from xdpwall.cli.terminal.problems import print_note, print_warnings, require
from xdpwall.cli.terminal.text import time_left

if TYPE_CHECKING:
    from xdpwall.views.blocks import BlockList

IFACE = click.option("--iface", metavar="IFACE", help="On this interface only.")
EXCEPT = click.option("--except", "spared", metavar="SRC", help="From everybody but these.")


@click.command()
@click.argument("target", nargs=-1, metavar="[TARGET]")
@click.option("--for", "lasts", metavar="DURATION", help="10m, 2h, 30d; for good when absent.")
@IFACE
@EXCEPT
@change_options(guarded=True)
@common_options()
def block(
    target: tuple[str, ...], lasts: str | None, iface: str | None, spared: str | None
) -> None:
    """Drop at once what comes from an address or a prefix, or what a rule says behind `drop`.

    An address goes into the set `blocked`, for which one rule stands at the top; anything else becomes a
    rule block-1, block-2, ... behind it. What has a duration ends in the kernel. Without TARGET the
    blocks are listed.

    \b
    Examples:
      xdpwall block 203.0.113.0/24 --for 10m
      xdpwall block icmp --iface docker0
      xdpwall block tcp/22 --except 10.0.0.0/8
      xdpwall block
    """
    asked = invocation.get()
    printer = Printer(asked)
    if not target:
        require(not (lasts or iface or spared), "what is to be blocked?", field="target")
        with open_firewall() as fw:
            found = fw.blocks()
        printer.show(
            found.to_json,
            lambda: [one.target for one in found.blocks],
            lambda: _list(printer, found),
        )
        return
    with open_firewall() as fw:
        outcome = fw.block(
            " ".join(target),
            lasts=lasts,
            iface=iface,
            spared=spared,
            by=asked.author(),
        )
    print_warnings(outcome.warnings, asked)
    made = outcome.block
    until = f" until {made.expires}" if made.expires else ""
    words = "blocked" if outcome.changed else "already blocked"
    printer.show(
        outcome.to_json,
        lambda: [made.target],
        lambda: print_note(f"{words}: {made.target}{until} (rule {made.rule})", asked),
    )


@click.command()
@click.argument("target", nargs=-1, required=True)
@IFACE
@EXCEPT
@change_options()
@common_options()
def unblock(target: tuple[str, ...], iface: str | None, spared: str | None) -> None:
    """Take back what `block` did with the same words.

    An address that a blocked prefix still covers is told as that.

    \b
    Examples:
      xdpwall unblock 203.0.113.0/24
      xdpwall unblock icmp --iface docker0
    """
    asked = invocation.get()
    with open_firewall() as fw:
        outcome = fw.unblock(" ".join(target), iface=iface, spared=spared, by=asked.author())
    print_warnings(outcome.warnings, asked)
    Printer(asked).show(
        outcome.to_json,
        lambda: [outcome.block.target],
        lambda: print_note(f"block removed: {outcome.block.target}", asked),
    )


def _list(printer: Printer, found: BlockList) -> None:
    if not found.blocks:
        printer.line("nothing is blocked", "dim")
        return
    rows = [
        [
            one.target,
            time_left(one.expires) if one.expires else "for good",
            one.rule,
            "-" if one.packets is None else printer.packets(one.packets),
        ]
        for one in found.blocks
    ]
    columns = [Column("BLOCKED"), Column("LEFT"), Column("RULE"), Column("PACKETS", right=True)]
    printer.table(columns, rows)
    if found.total > len(found.blocks):
        printer.line(
            f"... {found.total - len(found.blocks):,} more: xdpwall set list blocked", "dim"
        )
