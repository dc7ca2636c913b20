"""`rule list --watch`: the rules that fit the terminal, or all and then those that counted."""

from __future__ import annotations

import shutil
from collections.abc import Sequence

from xdpwall.cli.client.connect import RuleListSource
from xdpwall.values.switched_off import SWITCHED_OFF

from .output import Printer
from .rule_table import Json, Rates, RuleListFilter, rule_table
from .watching import RateMeter, begin_look, is_live, look_times

_AROUND = 4
"""Lines of the terminal that are not rules: what is off, headings, what is left out, the cursor."""


def watch_rules(
    source: RuleListSource,
    printer: Printer,
    chosen: RuleListFilter,
    interval: float,
    times: int | None,
) -> None:
    """Print the chosen rules at each look, until `times` looks are done."""
    output, meter = printer.asked.output, RateMeter[str]()
    names = output == "name" or printer.asked.quiet
    for number, moment in enumerate(look_times(interval, times)):
        found = chosen.of(source.read())
        rates = meter.rates(
            moment, {rule["id"]: (rule["packets"], rule["bytes"]) for rule in found["rules"]}
        )
        if output == "json":
            printer.json(found, one_line=True)
        elif output == "yaml":
            printer.text("---\n")
            printer.yaml(found)
        else:
            shown = found["rules"]
            if number and not is_live(printer):
                shown = [rule for rule in shown if _counted(rates, rule)]
            if names:
                for rule in shown:
                    printer.line(rule["id"])
            elif shown or not number or is_live(printer):
                begin_look(printer, number)
                if source.is_off():
                    printer.line(SWITCHED_OFF, "shout")
                _draw(printer, {**found, "rules": shown}, rates)
        printer.stream.flush()


def _draw(printer: Printer, found: Json, rates: Rates) -> None:
    rules = found["rules"]
    room = shutil.get_terminal_size().lines - _AROUND if is_live(printer) else len(rules)
    shown = _busiest(rules, rates, max(room, 1))
    rule_table(printer, {**found, "rules": shown}, rates)
    if left := len(rules) - len(shown):
        printer.line(f"... and {left:,} more rules, which count less", "dim")


def _busiest(rules: Sequence[Json], rates: Rates, most: int) -> list[Json]:
    """The rules with the most packets a second, then in all, in the order of the list."""
    if len(rules) <= most:
        return list(rules)

    def busy(rule: Json) -> tuple[float, int, int]:
        rate = rates.get(rule["id"])
        return (rate[0] if rate else 0.0, rule["packets"], -rule["position"])

    kept = sorted(rules, key=busy, reverse=True)[:most]
    return sorted(kept, key=lambda rule: int(rule["position"]))


def _counted(rates: Rates, rule: Json) -> bool:
    rate = rates.get(rule["id"])
    return rate is None or rate[0] > 0
