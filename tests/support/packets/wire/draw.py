"""Random cases for a veth, each for one hook."""

from __future__ import annotations

from random import Random

from tests.support.oracle.duel.case import Case, Step
from tests.support.oracle.duel.framedraw import draw_frames
from tests.support.oracle.duel.ruledraw import VLANS, draw_policy, draw_rules
from tests.support.packets.wire.taps import stamped
from xdpwall.values.terms import Place

PRIORITIES = (0, 0x2000, 0x1000)


def draw_wire_case(seed: int, place: Place, frames: int = 100) -> Case:
    """Frames of the duel's recipes, many cut among their headers, some with a tag beside."""
    random = Random(seed)
    rules = draw_rules(random)
    policy = draw_policy(random)
    steps: list[Step] = []
    waiting: list[bytes] = []
    while len(steps) < frames:
        if not waiting:
            waiting = draw_frames(random, rules)
        frame = waiting.pop(0)
        if random.random() < 0.4:
            frame = frame[: random.randint(14, min(len(frame), 14 + random.choice((8, 44, 60))))]
        tci = random.choice((None, None, random.choice(VLANS) | random.choice(PRIORITIES)))
        steps.append(Step(place, stamped(frame, len(steps), tci)))
    return Case(rules, policy, tuple(steps))
