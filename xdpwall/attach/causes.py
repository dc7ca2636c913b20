"""Warnings about rules by their causes: one sentence for each, with the rules that it is about. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from xdpwall.rule.rule import Rule
from xdpwall.values.inputs import first_few

MOST = 20
"""Warnings about rules in one answer; one more sentence says how many there were."""
NAMED = 5
"""Rules, and interfaces, that one warning names; it counts the others."""


class CauseWords(NamedTuple):
    """What is to be said of one rule, and of several, after "rule r1" and "rules r1, r2"."""

    one: str
    several: str


def cause_warnings(found: Mapping[CauseWords, Sequence[str | None]]) -> list[str]:
    """A sentence for each of the first MOST causes, and one that counts the others. `found`: the ids of
    the rules that each is about."""
    warnings = [_sentence(ids, cause) for cause, ids in list(found.items())[:MOST]]
    more = len(found) - MOST
    return [*warnings, f"... and {more} more warnings about rules"] if more > 0 else warnings


def concerns(rule: Rule, iface: str) -> bool:
    """Whether a rule is about packets of that interface."""
    if rule.iface is None:
        return True
    if rule.iface.startswith("!"):
        return rule.iface[1:] != iface
    return rule.iface == iface


def _sentence(ids: Sequence[str | None], cause: CauseWords) -> str:
    if len(ids) == 1:
        return ("the rule" if ids[0] is None else f"rule {ids[0]}") + cause.one
    named = [one for one in ids if one is not None]
    who = f"rules {first_few(named, NAMED)}" if len(named) == len(ids) else f"{len(ids):,} rules"
    return who + cause.several
