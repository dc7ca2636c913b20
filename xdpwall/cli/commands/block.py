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
    from collections.abc import Sequence

    from xdpwall.cli.block_ways import Way
    from xdpwall.views.blocks import BlockList

IFACE = click.option("--iface", metavar="IFACE", help="On this interface only.")
ALL_WAYS = click.option(
    "--all-ways",
    is_flag=True,
    help="In every direction through IFACE, of a bridge also from port to port; attaches what that takes.",
)
EXCEPT = click.option("--except", "spared", metavar="SRC", help="From everybody but these.")


@click.command()
@click.argument("target", nargs=-1, metavar="[TARGET]")
@click.option("--for", "lasts", metavar="DURATION", help="10m, 2h, 30d; for good when absent.")
@IFACE
@EXCEPT
@ALL_WAYS
@click.option("--dry-run", is_flag=True, help="With --all-ways: only say what would be done.")
@change_options(guarded=True)
@common_options()
def block(
    target: tuple[str, ...],
    lasts: str | None,
    iface: str | None,
    spared: str | None,
    all_ways: bool,
    dry_run: bool,
) -> None:
    """Drop at once what comes from an address or a prefix, or what a rule says behind `drop`.

    An address goes into the set `blocked`, for which one rule stands at the top; anything else becomes a
    rule block-1, block-2, ... behind it. What has a duration ends in the kernel. Without TARGET the
    blocks are listed.

    \b
    Examples:
      xdpwall block 203.0.113.0/24 --for 10m
      xdpwall block icmp --iface docker0
      xdpwall block icmp --iface docker0 --all-ways
      xdpwall block tcp/22 --except 10.0.0.0/8
      xdpwall block
    """
    asked = invocation.get()
    printer = Printer(asked)
    require(all_ways or not dry_run, "--dry-run goes with --all-ways", field="dry_run")
    if all_ways:
        _block_all_ways(printer, " ".join(target), lasts, iface, spared, dry_run=dry_run)
        return
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
@ALL_WAYS
@change_options()
@common_options()
def unblock(target: tuple[str, ...], iface: str | None, spared: str | None, all_ways: bool) -> None:
    """Take back what `block` did with the same words.

    An address that a blocked prefix still covers is told as that.

    \b
    Examples:
      xdpwall unblock 203.0.113.0/24
      xdpwall unblock icmp --iface docker0
      xdpwall unblock icmp --iface docker0 --all-ways
    """
    asked = invocation.get()
    if all_ways:
        _unblock_all_ways(Printer(asked), " ".join(target), iface, spared)
        return
    with open_firewall() as fw:
        outcome = fw.unblock(" ".join(target), iface=iface, spared=spared, by=asked.author())
    print_warnings(outcome.warnings, asked)
    Printer(asked).show(
        outcome.to_json,
        lambda: [outcome.block.target],
        lambda: print_note(f"block removed: {outcome.block.target}", asked),
    )


def _block_all_ways(
    printer: Printer,
    target: str,
    lasts: str | None,
    iface: str | None,
    spared: str | None,
    *,
    dry_run: bool,
) -> None:
    from xdpwall.cli.block_ways import block_all_ways, explain_ways, ways_through
    from xdpwall.ruleset.blocks import parse_block

    asked = printer.asked
    require(target, "what is to be blocked?", field="target")
    require(iface, "in which interface's directions?", field="iface", hint="give --iface")
    assert iface is not None
    parse_block(target, iface, spared)
    with open_firewall() as fw:
        ways = ways_through(fw, iface)
        missing = [way.hook for way in ways if not way.there]
        if missing:
            print_note(f"attaches {', '.join(missing)}; all rules in force judge there", asked)
        print_note(f"blocks {target} on {' and on '.join(_places(ways))}", asked)
        if dry_run:
            return
        outcome = block_all_ways(fw, target, ways, lasts=lasts, spared=spared, by=asked.author())
        explained = explain_ways(fw, target, ways)
    print_warnings(outcome.warnings, asked)
    judged = [(way, hook) for way, report in explained for hook in report.packets[0].hooks]
    answer = {
        "blocks": [one.to_json() for one in outcome.blocks],
        "attached": outcome.attached,
        "ways": [
            {"way": way.words, "hook": way.hook, "explained": report.to_json()}
            for way, report in explained
        ],
    }

    def people() -> None:
        for way, hook in judged:
            by = f"rule {hook.rule.id}" if hook.rule else f"the policy {hook.policy}"
            print_note(f"{way.words}: {hook.verdict} by {by} ({way.iface} {hook.place})", asked)

    printer.show(lambda: answer, lambda: [one.block.target for one in outcome.blocks], people)


def _unblock_all_ways(printer: Printer, target: str, iface: str | None, spared: str | None) -> None:
    from xdpwall.cli.block_ways import unblock_all_ways, ways_through

    asked = printer.asked
    require(iface, "in which interface's directions?", field="iface", hint="give --iface")
    assert iface is not None
    with open_firewall() as fw:
        ways = ways_through(fw, iface)
        outcomes = unblock_all_ways(fw, target, ways, spared=spared, by=asked.author())
    removed = [one.block.target for one in outcomes]
    left = "; what is attached stays: xdpwall detach " + ", xdpwall detach ".join(_places(ways))
    printer.show(
        lambda: {"blocks": [one.to_json() for one in outcomes]},
        lambda: removed,
        lambda: print_note(f"block removed: {', '.join(removed)}{left}", asked),
    )


def _places(ways: Sequence[Way]) -> list[str]:
    return list(dict.fromkeys(way.iface for way in ways))


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
