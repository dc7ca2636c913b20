"""The fast reference is the slow one: on every field, on what can't be read, on generated rules."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

import numpy as np
import pytest

from tests.support.oracle.classbench.generate import BOTH, MIXED, ruleset
from tests.support.oracle.classbench.shapes import SHAPES, Kind
from tests.support.oracle.classbench.traffic import mixture
from tests.support.oracle.duel.framedraw import draw_frames
from tests.support.oracle.duel.ruledraw import draw_policy, draw_rules
from tests.support.oracle.reference.columns import Columns
from tests.support.oracle.reference.decode import decode
from tests.support.oracle.reference.fast import judge_many
from tests.support.oracle.reference.judge import Attachment, judge
from tests.support.oracle.reference.memory import FragmentMemory
from xdpwall.rule.rule import Rule
from xdpwall.ruleset.policy import Policy

SEED = 20_261_121


def compare(rules: Sequence[Rule], policy: Policy, frames: Sequence[bytes], direction: str) -> int:
    """How many packets a rule decided, all of them by both references alike."""
    where = Attachment("eth0", "egress" if direction == "egress" else "ingress")
    slow_memory, fast_memory = FragmentMemory(), FragmentMemory()
    slow = [judge(frame, rules, policy, where, slow_memory) for frame in frames]
    columns = Columns.of(fast_memory.meet(decode(frame)) for frame in frames)
    fast = judge_many(columns, rules, policy, where)
    assert [-1 if s.rule is None else s.rule for s in slow] == fast.decider.tolist()
    assert [s.dropped for s in slow] == fast.dropped.tolist()
    assert [s.policy_dropped for s in slow] == fast.policy_dropped.tolist()
    assert [s.malformed for s in slow] == columns.malformed.tolist()
    packets, sizes = np.zeros(len(rules), int), np.zeros(len(rules), int)
    for ruling, frame in zip(slow, frames, strict=True):
        for index in ruling.counted:
            packets[index] += 1
            sizes[index] += len(frame)
    assert packets.tolist() == fast.packets.tolist()
    assert sizes.tolist() == fast.bytes.tolist()
    return int((fast.decider >= 0).sum())


def test_random_rules_of_every_field() -> None:
    decided = 0
    for seed in range(SEED, SEED + 70):
        random = Random(seed)
        rules = draw_rules(random)[:150]
        frames = [frame for _ in range(60) for frame in draw_frames(random, rules)]
        direction = random.choice(("ingress", "egress"))
        decided += compare(rules, draw_policy(random), frames, direction)
    assert decided > 1_500


@pytest.mark.parametrize("kind", list(SHAPES))
def test_generated_rules(kind: Kind) -> None:
    made = ruleset(kind, 250, SEED, families=BOTH, actions=MIXED, spice=0.2)
    rules = [Rule.parse(rule) for rule in made]
    frames = mixture(Random(SEED), rules, 300)
    assert compare(rules, Policy(), frames, "ingress") > 150
