"""A whole case from one number."""

from __future__ import annotations

from random import Random

from tests.support.oracle.duel.case import Case
from tests.support.oracle.duel.framedraw import draw_steps
from tests.support.oracle.duel.ruledraw import draw_policy, draw_rules

STEPS = 100


def draw_case(seed: int, steps: int = STEPS) -> Case:
    """The same seed, the same case."""
    random = Random(seed)
    rules = draw_rules(random)
    return Case(rules, draw_policy(random), draw_steps(random, rules, steps))
