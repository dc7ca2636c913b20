"""Warnings about rules by their causes: one sentence for each, with the rules that it is about. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from xdpwall.rule.iface_selector import means
from xdpwall.rule.rule import Rule
from xdpwall.ruleset.attachment import Attachment
from xdpwall.values.addresses import container_use
from xdpwall.values.inputs import first_few, split_negation

MOST = 20
"""Warnings about rules in one answer; one more sentence says how many there were."""
NAMED = 5
"""Rules, and interfaces, that one warning names; it counts the others."""


ADDRESS_OF = "address of "
"""In front of container:NAME, among the words by which rules may mean something."""


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


def concerns(rule: Rule, attachment: Attachment) -> bool:
    """Whether a rule is about packets of that attachment's interface, or may be; relations.py has told of
    it."""
    named = rule.iface if rule.iface is not None else container_use(rule.src)
    if named is None:
        return True
    negated, selector = split_negation(named)
    meant = means(selector, attachment.iface, attachment.relations)
    return meant is None or meant != negated


def _sentence(ids: Sequence[str | None], cause: CauseWords) -> str:
    if len(ids) == 1:
        return ("the rule" if ids[0] is None else f"rule {ids[0]}") + cause.one
    named = [one for one in ids if one is not None]
    who = f"rules {first_few(named, NAMED)}" if len(named) == len(ids) else f"{len(ids):,} rules"
    return who + cause.several
