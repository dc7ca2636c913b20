"""Which rules decide the first packets of connections to a port. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from xdpwall.rule.rule import Rule
from xdpwall.rule.states import STATES
from xdpwall.ruleset.policy import Policy

from .dimension import Spans
from .members import Members
from .rule_verdicts import FAMILIES, RuleVerdicts
from .search import GaveUp

_NEW = STATES.index("new")
_SYN = 0x02


@dataclass(frozen=True, slots=True)
class Deciders:
    """Who decides such packets."""

    rules: tuple[int, ...]
    """Those that decide some of them, by index, in order."""
    policy: bool
    """Whether some come to the ingress policy."""


def deciders(
    rules: Sequence[Rule], policy: Policy, members: Members, questions: Sequence[Rule]
) -> list[Deciders | None]:
    """Find the rules that decide packets which a question matches and which begin a connection: a SYN, a whole
    packet, of no flow. A question is a rule that names a protocol; what it would do does not count. None where
    it takes too long."""
    numbers = [n for n, rule in enumerate(rules) if rule.enabled]
    counting = [one.model_copy(update={"action": "count"}) for one in questions]
    asked = RuleVerdicts([*(rules[n] for n in numbers), *counting], policy, members)
    return [_decide(asked, numbers, n, one.proto) for n, one in enumerate(questions)]


def _decide(
    asked: RuleVerdicts, numbers: Sequence[int], question: int, proto: str | int | None
) -> Deciders | None:
    first: dict[str, Spans] = {
        "state": ((_NEW, _NEW),),
        "fragment": ((0, 0),),
        "direction": ((0, 0),),
    }
    if proto == "tcp":
        first["flags"] = ((_SYN, _SYN),)
    at = len(numbers) + question
    found = []
    try:
        for place, number in enumerate(numbers):
            before = asked.deciding & (1 << place) - 1
            if asked.deciding >> place & 1 and any(
                asked.met_by_both(kind, place, at, first, before) for kind in FAMILIES
            ):
                found.append(number)
        rest = any(asked.met(kind, at, first, asked.deciding) for kind in FAMILIES)
    except GaveUp:
        return None
    return Deciders(tuple(found), rest)
