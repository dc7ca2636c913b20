"""Rulesets of thousands of rules against the fast reference, packets by the ten thousand.

Each packet is test-run once, some 20 us, and its verdict noted. Counters are read once in the end,
every rule's packets and bytes and the places' totals: reading 10,000 costs as much as 200 packets.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

import numpy as np

from tests.support.kernel.dataplane import DROPPED, PASSED, PLACES, KernelBench
from tests.support.oracle.classbench.generate import BOTH, MIXED, ruleset
from tests.support.oracle.classbench.shapes import Kind
from tests.support.oracle.classbench.traffic import mixture
from tests.support.oracle.duel.case import Step
from tests.support.oracle.duel.duel import runnable
from tests.support.oracle.duel.ruledraw import draw_policy
from tests.support.oracle.reference.columns import Columns
from tests.support.oracle.reference.decode import decode
from tests.support.oracle.reference.fast import Rulings, judge_many
from tests.support.oracle.reference.judge import Attachment
from tests.support.oracle.reference.memory import FragmentMemory
from xdpwall.kernel.bpf.maps import Map
from xdpwall.rule.rule import Rule
from xdpwall.ruleset.policy import Policy
from xdpwall.values.terms import Place


@dataclass(frozen=True)
class Large:
    """What is run: mostly at XDP, some at tc."""

    rules: tuple[Rule, ...]
    policy: Policy
    places: tuple[Place, ...]
    frames: tuple[bytes, ...]


@dataclass(frozen=True)
class Outcome:
    """What a run came to, so that a test can ask whether it was about anything."""

    packets: int
    decided: int
    deciders: int
    """Different rules that decided a packet."""
    differences: tuple[str, ...]


def draw_large(kind: Kind, rules: int, packets: int, seed: int) -> Large:
    """The same arguments, the same run."""
    random = Random(seed)
    made = ruleset(kind, rules, seed, families=BOTH, actions=MIXED, spice=0.05)
    parsed = tuple(Rule.parse(rule) for rule in made)
    steps = [
        Step(random.choices(PLACES, (8, 1, 1))[0], frame)
        for frame in mixture(random, parsed, packets)
    ]
    steps = [step if runnable(step) else Step("xdp", step.frame) for step in steps]
    steps = [step for step in steps if runnable(step)]
    return Large(
        parsed, draw_policy(random), tuple(s.place for s in steps), tuple(s.frame for s in steps)
    )


def wanted(large: Large, iface: str) -> dict[Place, Rulings]:
    """The reference's rulings on each place's packets, in their order."""
    memory = FragmentMemory()
    packets = [memory.meet(decode(frame)) for frame in large.frames]
    found = {}
    for place in PLACES:
        mine = Columns.of(p for p, at in zip(packets, large.places, strict=True) if at == place)
        where = Attachment(iface, "egress" if place == "tc-egress" else "ingress")
        found[place] = judge_many(mine, large.rules, large.policy, where)
    return found


def run(bench: KernelBench, large: Large) -> Outcome:
    """Run it and compare verdicts and counters."""
    right = wanted(large, bench.iface)
    bench.load(large.rules, large.policy)
    with Map.open_pinned(bench.dataplane.folder / "maps" / "fragments") as fragments:
        for key in list(fragments.keys()):
            fragments.delete(key)
    totals = {place: bench.totals(place) for place in PLACES}
    got: dict[Place, list[int]] = {place: [] for place in PLACES}
    for place, frame in zip(large.places, large.frames, strict=True):
        got[place].append(bench.program(place).test_run(frame, out_size=0).retval)
    differences = list(_verdicts(large, got, right))
    differences += _counters(bench, right)
    for place in PLACES:
        after, before = bench.totals(place), totals[place]
        drops = after.dropped.packets - before.dropped.packets
        if (should := int(right[place].dropped.sum())) != drops:
            differences.append(f"{place}: {drops} counted as dropped, {should} by the reference")
    deciders = np.concatenate([r.decider for r in right.values()])
    decided = deciders[deciders >= 0]
    return Outcome(
        len(large.frames), len(decided), len(np.unique(decided)), tuple(differences[:20])
    )


def _verdicts(
    large: Large, got: dict[Place, list[int]], right: dict[Place, Rulings]
) -> Sequence[str]:
    said = []
    for place in PLACES:
        mine = [f for f, at in zip(large.frames, large.places, strict=True) if at == place]
        for number, (code, drops) in enumerate(zip(got[place], right[place].dropped, strict=True)):
            if code != (DROPPED if drops else PASSED)[place]:
                rule = right[place].decider[number]
                text = large.rules[rule].text if rule >= 0 else "the policy"
                said.append(f"{place}: {code} for {mine[number].hex()}, decided by {text}")
    return said


def _counters(bench: KernelBench, right: dict[Place, Rulings]) -> list[str]:
    packets = np.sum([r.packets for r in right.values()], axis=0)
    sizes = np.sum([r.bytes for r in right.values()], axis=0)
    found = np.array(bench.counters(), dtype=np.int64).reshape(-1, 2)
    return [
        f"rule {i + 1} ({bench.rules[i].text}): counted {tuple(found[i])},"
        f" {(packets[i], sizes[i])} by the reference"
        for i in np.flatnonzero((found[:, 0] != packets) | (found[:, 1] != sizes))
    ]
