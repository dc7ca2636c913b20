"""Rules as a table, which ones of them, and their rates."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from xdpwall.rule.iface_selector import is_relation, matches

from .output import Column, Printer, TableCell

ACTION_COLORS = {"drop": "red", "accept": "green", "count": "cyan"}
_MORE_COUNTS = ("limited", "answered")
"""Counters that only some rules have, and columns that stand where one of the rules has."""
Json = dict[str, Any]
Rates = Mapping[str, tuple[float, float] | None]
"""Packets and bits a second by rule id; None while they are not known."""


@dataclass(frozen=True, slots=True)
class RuleListFilter:
    """Which rules are listed: all conditions hold."""

    words: tuple[str, ...] = ()
    action: str | None = None
    iface: str | None = None
    unused: bool = False
    used: bool = False
    disabled: bool = False

    def of(self, found: Json) -> Json:
        """The `RuleList` with the chosen rules alone; positions stay."""
        if self == RuleListFilter():
            return found
        return {**found, "rules": [rule for rule in found["rules"] if self.wants(rule)]}

    def wants(self, rule: Json) -> bool:
        """Whether a rule is chosen."""
        text = f"{rule['id']} {rule['text']}".lower()
        return (
            all(word.lower() in text for word in self.words)
            and self.action in (None, rule["action"])
            and (self.iface is None or _is_about(rule.get("iface"), self.iface))
            and not (self.unused and rule["packets"])
            and not (self.used and not rule["packets"])
            and not (self.disabled and rule["enabled"] and not rule["expired"])
        )


def _is_about(named: str | None, iface: str) -> bool:
    if named is None:
        return True
    selector = named.removeprefix("!")
    meant = selector == iface or (not is_relation(selector) and matches(selector, iface, None))
    return meant != named.startswith("!")


def rule_table(printer: Printer, found: Json, rates: Rates | None = None) -> None:
    """Print the rules, with rates where they are given."""
    columns = [Column("#", right=True), Column("ID")]
    columns += [Column("PACKETS", right=True), Column("BYTES", right=True)]
    more = [name for name in _MORE_COUNTS if any(name in rule for rule in found["rules"])]
    columns += [Column(name.upper(), right=True) for name in more]
    if rates is not None:
        columns += [Column("PKT/S", right=True), Column("BIT/S", right=True)]
    columns += [Column("LAST HIT", wide=True), Column("CREATED", wide=True), Column("RULE")]
    rows: list[list[str | TableCell]] = []
    for rule in found["rules"]:
        row: list[str | TableCell] = [str(rule["position"]), rule["id"]]
        row += [printer.packets(rule["packets"]), printer.bytes(rule["bytes"])]
        row += [printer.packets(rule[name]) if name in rule else "-" for name in more]
        if rates is not None:
            row += rate_cells(printer, rates.get(rule["id"]))
        row += [rule.get("last_hit", "-"), rule["created"], _sentence(rule)]
        rows.append(row)
    printer.table(columns, rows)
    if not rows and not printer.asked.quiet:
        print("no rules", file=sys.stderr)


def rate_cells(printer: Printer, rate: tuple[float, float] | None) -> list[str]:
    """Packets and bits a second; - while they are not known."""
    return ["-", "-"] if rate is None else [printer.packets(round(one)) for one in rate]


def _sentence(rule: Json) -> TableCell:
    idle = not rule["enabled"] or rule["expired"]
    text = f"{rule['text']} (expired)" if rule["expired"] else rule["text"]
    return TableCell(text, "dim" if idle else ACTION_COLORS[rule["action"]])
