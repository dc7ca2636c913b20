"""xdpwall rule list, show"""

from __future__ import annotations

import gc
import sys
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import click

from xdpwall.cli.client.connect import open_firewall, open_rule_list
from xdpwall.cli.options import common_options, exact_option, invocation
from xdpwall.cli.shell_complete import complete_rule_ids
from xdpwall.cli.terminal.output import Column, Printer, TableCell

if TYPE_CHECKING:
    from xdpwall.views.rules import RuleView

_COLORS = {"drop": "red", "accept": "green", "count": "cyan"}
_HOME_AND_CLEAR = "\x1b[H\x1b[J"
Json = dict[str, Any]
Seen = dict[str, tuple[int, int]]


@click.command(name="list")
@click.option("-w", "--watch", is_flag=True, help="Again and again, with rates, until Ctrl-C.")
@click.option(
    "--interval",
    type=click.FloatRange(min=0.05, max=3600),
    default=1.0,
    show_default=True,
    metavar="SECONDS",
    help="Between two looks of --watch.",
)
@click.option("--times", type=click.IntRange(min=1), metavar="N", help="End --watch after N looks.")
@exact_option()
@common_options()
def list_(watch: bool, interval: float, times: int | None) -> None:
    """List rules in order, with packets and bytes.

    -o wide adds when a rule was made and last hit. Watching prints one JSON object a line
    with -j.

    \b
    Examples:
      xdpwall rule list
      xdpwall rule ls -w
      xdpwall rule list -j | jq '.rules[].packets'
    """
    printer = Printer(invocation.get())
    with open_rule_list(again=watch) as look:
        if watch:
            gc.enable()
            _watch(look, printer, interval, times)
            return
        found = look()
    printer.show(
        lambda: found,
        lambda: [rule["id"] for rule in found["rules"]],
        lambda: _table(printer, found),
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


def _watch(look: Callable[[], Json], printer: Printer, interval: float, times: int | None) -> None:
    output = printer.asked.output
    live = output in ("table", "wide") and printer.stream.isatty()
    before: Seen = {}
    last = 0.0
    for number, now in enumerate(_looks(interval, times)):
        found = look()
        if output == "json":
            printer.json(found, one_line=True)
        elif output == "yaml":
            printer.line("---")
            printer.yaml(found)
        else:
            if live:
                printer.stream.write(_HOME_AND_CLEAR)
            elif number:
                printer.line()
            _table(printer, found, before, now - last if number else 0.0)
        printer.stream.flush()
        before = {rule["id"]: (rule["packets"], rule["bytes"]) for rule in found["rules"]}
        last = now


def _looks(interval: float, times: int | None) -> Iterator[float]:
    """The moments to look at, by the monotonic clock; a late look does not shift the next."""
    due = time.monotonic()
    done = 0
    while times is None or done < times:
        if done:
            time.sleep(max(0.0, due - time.monotonic()))
        yield time.monotonic()
        done += 1
        due += interval


def _table(printer: Printer, found: Json, before: Seen | None = None, seconds: float = 0.0) -> None:
    columns = [Column("#", right=True), Column("ID")]
    columns += [Column("PACKETS", right=True), Column("BYTES", right=True)]
    if before is not None:
        columns += [Column("PKT/S", right=True), Column("BIT/S", right=True)]
    columns += [Column("LAST HIT", wide=True), Column("CREATED", wide=True), Column("RULE")]
    rows: list[list[str | TableCell]] = []
    for rule in found["rules"]:
        row: list[str | TableCell] = [str(rule["position"]), rule["id"]]
        row += [printer.packets(rule["packets"]), printer.bytes(rule["bytes"])]
        if before is not None:
            row += _rates(printer, rule, before, seconds)
        row += [rule.get("last_hit", "-"), rule["created"], _sentence(rule)]
        rows.append(row)
    printer.table(columns, rows)
    if not rows and not printer.asked.quiet:
        print("no rules", file=sys.stderr)


def _rates(printer: Printer, rule: Json, before: Seen, seconds: float) -> list[str]:
    if seconds <= 0 or rule["id"] not in before:
        return ["-", "-"]
    packets, size = before[rule["id"]]
    # A counter that was reset in between has no rate.
    pps = max(0, rule["packets"] - packets) / seconds
    bps = max(0, rule["bytes"] - size) * 8 / seconds
    return [printer.packets(round(pps)), printer.packets(round(bps))]


def _sentence(rule: Json) -> TableCell:
    idle = not rule["enabled"] or rule["expired"]
    text = f"{rule['text']} (expired)" if rule["expired"] else rule["text"]
    return TableCell(text, "dim" if idle else _COLORS[rule["action"]])


def _facts(printer: Printer, rule: RuleView) -> None:
    shown = rule.to_json()
    for name, value in (("packets", printer.packets), ("bytes", printer.bytes)):
        shown[name] = value(shown[name])
    text = shown.pop("text")
    pairs: list[tuple[str, str | TableCell]] = [("text", TableCell(text, _COLORS[rule.action]))]
    words = {True: "yes", False: "no"}
    for name, value in shown.items():
        if name == "log" or (name == "expired" and not value):
            continue
        pairs.append((name, words[value] if isinstance(value, bool) else str(value)))
    printer.facts(pairs)
