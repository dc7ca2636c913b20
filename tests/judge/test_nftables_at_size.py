"""nftables as a second reference for a thousand rules: whole rulesets in order, with counters.

test_nftables.py compares rule by rule on frames of every kind. Here frames are such that both read
the same in them, and what is compared is the order: which rule decides, and which ones count.
"""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

import pytest

from tests.judge.bridge_watch import BridgeWatch
from tests.judge.nft import Nftables
from tests.judge.victim import one_cpu
from tests.support.kernel.attached_dataplane import AttachedDataplane
from tests.support.net.netns import Lab
from tests.support.oracle.classbench.generate import BOTH, MIXED, ruleset
from tests.support.oracle.classbench.shapes import SHAPES, Kind
from tests.support.oracle.classbench.traffic import beside, inside, stranger
from tests.support.oracle.duel.recipe import build
from xdpwall.rule.match import match_of
from xdpwall.rule.rule import Rule
from xdpwall.ruleset.policy import Policy

SEED = 20_261_121
RULES, FRAMES = 1_000, 3_000


def draw_frames(rules: list[Rule]) -> list[bytes]:
    """Hits, near misses and strangers; nothing that the two are known to read differently."""
    random = Random(SEED)
    matches = [match_of(rule) for rule in rules]
    recipes = []
    for _ in range(FRAMES):
        roll = random.random()
        if roll < 0.6:
            recipes.append(inside(random, random.choice(matches)))
        elif roll < 0.9:
            recipes.append(beside(random, random.choice(matches), random.choice(matches)))
        else:
            recipes.append(stranger(random, random.choice((4, 6))))
    return [build(recipe) for recipe in recipes]


@pytest.fixture
def labs(lab: Lab) -> Iterator[dict[str, BridgeWatch]]:
    with one_cpu():
        made = {name: BridgeWatch(lab, name) for name in ("tc", "xdp", "nft")}
        yield made
        for each in made.values():
            each.close()


@pytest.mark.parametrize("kind", list(SHAPES))
def test_the_same_rules_decide_and_count(
    lab: Lab, labs: dict[str, BridgeWatch], kind: Kind
) -> None:
    made = ruleset(kind, RULES, SEED, families=BOTH, actions=MIXED, spice=0.1)
    rules = [Rule.parse(rule).changed({"direction": None}) for rule in made]
    frames = draw_frames(rules)
    with (
        AttachedDataplane(labs["tc"].host, "v0", "tc ingress", lab.bpffs / "tc") as tc,
        AttachedDataplane(labs["xdp"].host, "v0", "xdp native", lab.bpffs / "xdp") as xdp,
    ):
        nftables = Nftables(labs["nft"].host, "v0")
        for policy in ("accept", "drop"):
            tc.load(rules, Policy(ingress=policy))
            xdp.load(rules, Policy(ingress=policy))
            nftables.load(rules, policy)
            passed = {name: watch.passed(frames) for name, watch in labs.items()}
            assert passed["tc"] == passed["xdp"] == passed["nft"]
            counted = nftables.counters(rules)
            assert list(tc.counters()) == list(xdp.counters()) == counted
            # It was about something: both verdicts, and many rules.
            assert 0.1 * FRAMES < len(passed["nft"]) < 0.9 * FRAMES
            assert sum(count > 0 for count in counted) > 0.6 * RULES
