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

_NEW = STATES.index("new")
_SYN = 0x02


@dataclass(frozen=True, slots=True)
class Deciders:
    """Who decides such packets."""

    rules: tuple[int, ...]
    """Those that decide some of them, by index, in order."""
    policy: bool
    """Whether some come to the ingress policy."""


def deciders(rules: Sequence[Rule], policy: Policy, members: Members, incoming: Rule) -> Deciders:
    """Find the rules that decide packets which `incoming` matches and which begin a connection: a SYN, a
    whole packet, of no flow. `incoming` names a protocol; what it would do does not count. Raises GaveUp."""
    numbers = [n for n, rule in enumerate(rules) if rule.enabled]
    alive = [rules[n] for n in numbers]
    asked = RuleVerdicts([*alive, incoming.model_copy(update={"action": "count"})], policy, members)
    first: dict[str, Spans] = {
        "state": ((_NEW, _NEW),),
        "fragment": ((0, 0),),
        "direction": ((0, 0),),
    }
    if incoming.proto == "tcp":
        first["flags"] = ((_SYN, _SYN),)
    question = len(alive)
    found = []
    for place, number in enumerate(numbers):
        before = asked.deciding & (1 << place) - 1
        if asked.deciding >> place & 1 and any(
            asked.met_by_both(kind, place, question, first, before) for kind in FAMILIES
        ):
            found.append(number)
    rest = any(asked.met(kind, question, first, asked.deciding) for kind in FAMILIES)
    return Deciders(tuple(found), rest)
