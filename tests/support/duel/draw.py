"""A whole case from one number."""

from __future__ import annotations

from random import Random

from .case import Case
from .framedraw import draw_steps
from .ruledraw import draw_policy, draw_rules

STEPS = 100


def draw_case(seed: int, steps: int = STEPS) -> Case:
    """The same seed, the same case."""
    random = Random(seed)
    rules = draw_rules(random)
    return Case(rules, draw_policy(random), draw_steps(random, rules, steps))
