"""Rulesets reached by edits in place, against the reference: what an edit writes to the kernel is
right, and so is what it leaves there."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.support.kernel.dataplane import NUMBERS, PLACES, KernelBench
from tests.support.kernel.loading import activate
from tests.support.net.netns import Lab
from tests.support.oracle.duel.draw import draw_case
from tests.support.oracle.duel.duel import Duel
from xdpwall.compiler.compile import NO_SETS, compile_ruleset, entries_of
from xdpwall.compiler.delta import MAX_EDITED_RULES, apply_edit, plan_edits
from xdpwall.compiler.generation import NumberedAttachment
from xdpwall.compiler.sizes import Sizes
from xdpwall.dataplane.control_word import Trial
from xdpwall.kernel.clock import SystemClock
from xdpwall.rule.rule import Rule
from xdpwall.ruleset.policy import Policy

SEED = 61_121
EXTRA_SLOTS = 20_000
Sources = list[tuple[Rule, int]]


class Stepping(KernelBench):
    """Loads a ruleset rule by rule, from a part of it mixed with rules of former rulesets."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.random = random.Random(SEED)
        self.former: list[Rule] = []
        self.sources: Sources = []
        self.whole = self.changed = 0

    def load(
        self,
        rules: Iterable[Rule | str | Mapping[str, Any]],
        policy: Policy | None = None,
        *,
        trial: Trial | None = None,
    ) -> None:
        assert trial is None, "steps are in force at once"
        self.rules = [r if isinstance(r, Rule) else Rule.parse(r) for r in rules]
        target: Sources = [(rule, slot) for slot, rule in enumerate(self.rules)]
        extra = [(rule, EXTRA_SLOTS + n) for n, rule in enumerate(self.former[-12:])]
        part = [source for source in target if self.random.random() < 0.6] + extra
        self.random.shuffle(part)
        self.put(part, policy or Policy())
        for step in self.steps(part, target):
            self.put(step, policy or Policy())
        self.dataplane.counters.zero(range(len(self.rules)))
        self.former += self.rules

    def steps(self, now: Sources, target: Sources) -> Iterable[Sources]:
        """Rulesets on the way, each with one rule deleted, moved or inserted, in random order."""
        slots = [slot for _, slot in target]
        now = list(now)
        while now != target:
            wrong = [n for n, (_, slot) in enumerate(now) if slot >= EXTRA_SLOTS]
            order = [slot for _, slot in now if slot < EXTRA_SLOTS]
            missing = [slot for slot in slots if slot not in order]
            if wrong and (not missing or self.random.random() < 0.4):
                del now[self.random.choice(wrong)]
            elif missing and (order != sorted(order) or self.random.random() < 0.7):
                slot = self.random.choice(missing)
                now.insert(self.random.randint(0, len(now)), target[slot])
            elif order != sorted(order):
                n = next(n for n, slot in enumerate(order) if slot != sorted(order)[n])
                slot = sorted(order)[n]
                at = next(i for i, source in enumerate(now) if source[1] == order[n])
                now.remove(target[slot])
                now.insert(at, target[slot])
            else:
                slot = missing[0]
                at = next((i for i, (_, other) in enumerate(now) if other > slot), len(now))
                now.insert(at, target[slot])
            yield list(now)

    def put(self, sources: Sources, policy: Policy) -> None:
        """By edits where that is possible, as changes/generations.py does it."""
        places = [NumberedAttachment(NUMBERS[p], self.iface, p == "tc-egress") for p in PLACES]
        g = self.dataplane.generations.active
        few = None
        if g is not None and g.basis == policy:
            few = plan_edits(*window(self.sources, sources), self.entries)
        if g is not None and few is not None and all(apply_edit(g, edit) for edit in few):
            self.changed += 1
        else:
            self.dataplane.generations.forget_active()
            least = self.dataplane.map_set.sizes.positions
            g = compile_ruleset(self.entries(sources), policy, places, NO_SETS, least=least)
            g.basis = policy
            self.whole += 1
        self.sources = list(sources)
        self.revision += 1
        activate(self.dataplane, g, self.revision, self._forget_programs)
        if self.random.random() < 0.3:
            self.dataplane.generations.sync_idle_copy()

    @staticmethod
    def entries(sources: Sequence[tuple[Rule, int]]) -> Any:
        return entries_of(sources, boot=SystemClock().offset_ns())


def window(old: Sources, new: Sources) -> tuple[int, Sources, Sources]:
    """(index, old rules, new rules) of the part that differs."""
    at, shorter = 0, min(len(old), len(new))
    while at < shorter and old[at] is new[at]:
        at += 1
    end = 0
    while end < shorter - at and old[-1 - end] is new[-1 - end]:
        end += 1
    return at, old[at : len(old) - end], new[at : len(new) - end]


@pytest.fixture
def stepping(lab: Lab) -> Iterable[Stepping]:
    with Stepping(lab.bpffs) as bench:
        yield bench


def test_rulesets_reached_rule_by_rule(stepping: Stepping) -> None:
    duel = Duel(stepping)
    for seed in range(SEED, SEED + 25):
        case = draw_case(seed)
        assert duel.run(case) is None, f"seed {seed}"
    assert stepping.changed > stepping.whole > 0


def test_inserted_at_the_front_until_there_is_no_gap(stepping: Stepping) -> None:
    """Most new rules come first, so that the others have to move."""
    from tests.support.packets import frames as f

    sources: Sources = [(Rule.parse("drop udp/53 from 10.9.9.9"), 0)]
    stepping.put(sources, Policy())
    for n in range(1, 2 * MAX_EDITED_RULES):
        sources.insert(
            _mostly_first(n), (Rule.parse(f"drop udp/{n} from 10.0.0.0/{8 + n % 24}"), n)
        )
        stepping.put(sources, Policy())
    assert stepping.changed > 1.5 * MAX_EDITED_RULES
    stepping.rules = [rule for rule, slot in sorted(sources, key=lambda source: source[1])]
    for n in range(1, 2 * MAX_EDITED_RULES):
        wanted = next(s for r, s in sources if s and r.dport == str(n))
        judged = stepping.judge("xdp", f.ether(f.ipv4(f.udp(dport=n), src="10.0.0.0")))
        assert judged.counted == (wanted,)


def _mostly_first(n: int) -> int:
    """The index of an insertion: 0, or 1 in every fifth call."""
    return n % 5 == 0


def test_maps_grow_for_rules_and_for_sets_in_between(stepping: Stepping) -> None:
    """From 64 positions to 256, in maps that are replaced while the idle copy is up to date."""
    from tests.support.packets import frames as f

    sources: Sources = [(Rule.parse("drop udp/9999 from 10.9.9.9"), 0)]
    stepping.put(sources, Policy())
    sizes = set()
    for n in range(1, 200):
        at = stepping.random.randint(0, len(sources))
        sources.insert(at, (Rule.parse(f"drop udp/{n} from 10.0.0.0/{8 + n % 24}"), n))
        stepping.put(sources, Policy())
        if n in (30, 60, 90, 120):
            stepping.dataplane.generations.sync_idle_copy()
            with stepping.dataplane.generations.growing(Sizes(set4=1024 * n, set6=1024 * n)):
                stepping._forget_programs()
        sizes.add(stepping.dataplane.map_set.sizes.positions)
        stepping.rules = [rule for rule, slot in sorted(sources, key=lambda source: source[1])]
        for port in (n, max(1, n - 33)):
            frame = f.ether(f.ipv4(f.udp(dport=port), src="10.0.0.0"))
            assert stepping.judge("xdp", frame).counted == (port,)
    assert sizes == {64, 128, 256}
    assert stepping.changed > 150


def test_positions_nearly_full(stepping: Stepping) -> None:
    """All positions taken: rules are replaced, and moved from end to end."""
    from tests.support.packets import frames as f

    def judged(port: int) -> tuple[int, ...]:
        frame = f.ether(f.ipv4(f.udp(dport=port), src="10.0.0.0"))
        return stepping.judge("tc-ingress", frame).counted

    sources: Sources = [(Rule.parse(f"drop udp/{n} from 10.0.0.0/9"), n) for n in range(113)]
    stepping.put(sources, Policy())
    for n in range(113, 128):
        sources.insert(n % 2 * len(sources), (Rule.parse(f"drop udp/{n} from 10.0.0.0/9"), n))
        stepping.put(sources, Policy())
    assert stepping.dataplane.map_set.sizes.positions == len(sources) == 128
    stepping.rules = [rule for rule, slot in sorted(sources, key=lambda source: source[1])]
    whole = stepping.whole
    for turn in range(6):
        first = turn % 2 == 0
        sources.insert(0 if first else len(sources) - 1, sources.pop(-1 if first else 0))
        stepping.put(sources, Policy())
        sources[64 + turn] = (Rule.parse(f"drop udp/{turn + 1} from 10.0.0.0/9"), 0)
        stepping.put(sources, Policy())
        order = [slot for _, slot in sources]
        for port in (1, 2, 40, 100, 126, 127):
            wanted = next(s for r, s in sources if r.dport == str(port))
            assert judged(port) == (wanted,), order
    assert stepping.whole == whole
