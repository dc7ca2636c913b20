"""xdpwall rule list, show"""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING, Any

import click

from xdpwall.cli.client.connect import open_firewall, open_rule_list
from xdpwall.cli.options import common_options, exact_option, invocation, watch_options
from xdpwall.cli.shell_complete import complete_interfaces, complete_rule_ids
from xdpwall.cli.terminal.output import Printer, TableCell
from xdpwall.cli.terminal.problems import print_warnings
from xdpwall.cli.terminal.rule_table import ACTION_COLORS, RuleListFilter, rule_table
from xdpwall.cli.terminal.rule_watch import watch_rules
from xdpwall.rule.field_names import RATE_FIELDS
from xdpwall.rule.sentence_words import ACTIONS
from xdpwall.values.rate_text import rate_text

if TYPE_CHECKING:
    from xdpwall.views.rules import RuleView


@click.command(name="list")
@watch_options
@click.argument("words", nargs=-1, metavar="[WORD...]")
@click.option("--action", type=click.Choice(ACTIONS), help="Only these.")
@click.option(
    "--iface",
    metavar="IFACE",
    shell_complete=complete_interfaces,
    help="Only rules that are about packets on it, named or not.",
)
@click.option("--unused", is_flag=True, help="Only rules that counted no packet.")
@click.option("--used", is_flag=True, help="Only rules that counted packets.")
@click.option("--disabled", is_flag=True, help="Only rules not in force: disabled or expired.")
@exact_option()
@common_options()
def list_(
    watch: bool, interval: float, times: int | None, words: tuple[str, ...], **wanted: Any
) -> None:
    """List rules in order, with packets and bytes.

    With words, only rules whose sentence or id has each of them. -o wide adds when a rule was made
    and last hit. Watching shows the rules that fit the terminal, the busiest first chosen; off a
    terminal all, then those that counted since. It prints one JSON object a line with -j.

    \b
    Examples:
      xdpwall rule list
      xdpwall rule ls -w
      xdpwall rule list docker0 --action drop --unused
      xdpwall rule list -j | jq '.rules[].packets'
    """
    printer = Printer(invocation.get())
    chosen = RuleListFilter(words, **wanted)
    with open_rule_list(again=watch) as source:
        if watch:
            gc.enable()
            watch_rules(source, printer, chosen, interval, times)
            return
        found = chosen.of(source.read())
        said = source.warnings()
    print_warnings(said, printer.asked)
    printer.show(
        lambda: found,
        lambda: [rule["id"] for rule in found["rules"]],
        lambda: rule_table(printer, found),
    )


@click.command()
@click.argument("rule_id", metavar="ID", shell_complete=complete_rule_ids)
@exact_option()
@common_options()
def show(rule_id: str) -> None:
    """Show one rule in full: its fields, its sentence and its counters.

    \b
    Examples:
      xdpwall rule show noping
      xdpwall rule show noping -j
    """
    printer = Printer(invocation.get())
    with open_firewall() as fw:
        rule = fw.rule(rule_id)
    printer.show(rule.to_json, lambda: [rule.id], lambda: _facts(printer, rule))


def _facts(printer: Printer, rule: RuleView) -> None:
    shown = rule.to_json()
    for name, value in (
        ("packets", printer.packets),
        ("bytes", printer.bytes),
        ("limited", printer.packets),
        ("answered", printer.packets),
    ):
        if name in shown:
            shown[name] = value(shown[name])
    for name in RATE_FIELDS:
        if name in shown:
            shown[name] = rate_text(shown[name])
    text = shown.pop("text")
    pairs: list[tuple[str, str | TableCell]] = [
        ("text", TableCell(text, ACTION_COLORS[rule.action]))
    ]
    words = {True: "yes", False: "no"}
    for name, value in shown.items():
        if name in ("log", "cookie") or (name == "expired" and not value):
            continue
        pairs.append((name, words[value] if isinstance(value, bool) else str(value)))
    printer.facts(pairs)
