"""What is explained is what a packet on a cable then got: its verdict, and the rule that gave it."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.support.kernel.dataplane import NUMBERS
from tests.support.oracle.duel.case import Step
from tests.support.oracle.duel.duel import runnable
from tests.support.packets.wire.bench import WireBench
from tests.support.packets.wire.draw import draw_wire_case
from tests.support.packets.wire.match import WireMatch, delivery
from xdpwall.dataplane.explaining import Hook, Question
from xdpwall.values.terms import Place

SEED = 20_261_203
FRAMES = 1000
"""Of each place."""


@pytest.mark.parametrize("place", ["xdp", "tc-ingress", "tc-egress"])
def test_random_frames(wire: WireBench, place: Place) -> None:
    """Later fragments are left out: what the memory knew when they came is gone when they are asked."""
    match, seen, seed = WireMatch(wire), Counter[str](), SEED
    while seen["frames"] < FRAMES:
        seed += 1
        case = draw_wire_case(seed, place)
        rulings = match.run(case)  # on the cable, verdict and counters as the reference says
        hook: Hook = "xdp" if place == "xdp" else "tc"
        with wire.dataplane.programs.load_explainer(hook) as explainer:
            for step, ruling in zip(case.steps, rulings, strict=True):
                met = delivery(place, step.frame)
                if met is None or ruling is None or ruling.packet.fragment == "later":
                    continue
                if not runnable(Step(place, met.frame)):
                    seen["not run"] += 1
                    continue
                vlan = None if met.stripped is None else met.stripped & 0xFFF
                question = Question(NUMBERS[place], place == "tc-egress", vlan=vlan)
                answer = explainer.ask(met.frame, question)
                by = None if answer.by is None else answer.by.slot
                counted = tuple(rule.slot for rule in answer.matched if not rule.expired)
                assert (answer.dropped, by, counted) == (
                    ruling.dropped,
                    ruling.rule,
                    ruling.counted,
                ), f"seed {seed}: {met.frame.hex()}: {ruling.why}"
                seen["frames"] += 1
                seen["dropped" if answer.dropped else "passed"] += 1
                seen["by a rule"] += by is not None
    assert min(seen[name] for name in ("dropped", "passed", "by a rule")) > FRAMES // 10, seen
