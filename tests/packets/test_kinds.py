"""The classifier compiled apart for the common kinds of rulesets: each of them, in each form of its
rows, against the fast reference. Other tests' rulesets use more and are judged by the general one.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest

from tests.support.kernel.dataplane import KernelBench
from tests.support.kernel.kinds import FEW, MORE
from tests.support.oracle.classbench.generate import BOTH, ruleset
from tests.support.oracle.classbench.traffic import mixture
from tests.support.oracle.duel.case import Step
from tests.support.oracle.duel.duel import runnable
from tests.support.oracle.duel.large import Large, run
from xdpwall.abi import Feature
from xdpwall.kernel.bpf import bpffs
from xdpwall.rule.rule import Rule
from xdpwall.ruleset.policy import Policy

FIELDS = {
    "src": Feature.SRC,
    "dst": Feature.DST,
    "sport": Feature.SPORT,
    "dport": Feature.DPORT,
    "iface": Feature.ATTACHMENT,
}
FORMS = {40: (64, 64), 300: (128, 1024), 1_200: (2048, 4096), 5_000: (8192, 16384)}
"""Rules, and the positions that they take: one word, plain, packed by words and by fours."""
PACKETS = 1_000
SETS = Feature.SRC_SET | Feature.DST_SET


@pytest.fixture
def bench() -> Iterator[KernelBench]:
    """One for each test: maps never shrink, and features that were in use stay for a while."""
    folder = Path("/sys/fs/bpf/xwt-kinds")
    bpffs.remove_tree(folder)
    try:
        with KernelBench(folder) as made:
            yield made
    finally:
        bpffs.remove_tree(folder)


def draw(features: Feature, count: int) -> Large:
    """Rules on these fields alone, and packets some of which they match."""
    random = Random(f"{int(features)} {count}")
    rules = [restricted(random, rule, features) for rule in made(count)]
    drawn = [
        Step(random.choices(("xdp", "tc-ingress"), (4, 1))[0], frame)
        for frame in mixture(random, rules, PACKETS)
    ]
    steps = [step for step in drawn if runnable(step)]
    policy = Policy(ingress=random.choice(("accept", "drop")))
    return Large(tuple(rules), policy, tuple(s.place for s in steps), tuple(s.frame for s in steps))


def made(count: int) -> list[dict[str, Any]]:
    """Of a generated firewall."""
    return [dict(rule) for rule in ruleset("fw", count, 20_261_121, families=BOTH)]


def restricted(random: Random, rule: dict[str, Any], features: Feature) -> Rule:
    """The rule with only the fields that the kind knows."""
    rule = {"proto": random.choice(("tcp", "udp")), **rule, "iface": "eth0"}
    if not random.randrange(4):
        rule["iface"] = random.choice(("!eth0", "eth1"))
    if rule["proto"] in ("tcp", "udp", "sctp") and "dport" not in rule:
        rule["dport"] = str(random.randrange(1, 1024))
    kept = {
        name: value for name, value in rule.items() if name not in FIELDS or features & FIELDS[name]
    }
    return Rule.parse({**kept, "action": random.choice(("drop", "accept"))})


@pytest.mark.parametrize("count", FORMS)
@pytest.mark.parametrize("features", MORE, ids=repr)
def test_each_kind_in_each_form(bench: KernelBench, features: Feature, count: int) -> None:
    check(bench, features, count)


@pytest.mark.parametrize("features", [kind for kind in FEW if not kind & SETS], ids=repr)
def test_each_kind_of_few_rules(bench: KernelBench, features: Feature) -> None:
    check(bench, features, 40)


def check(bench: KernelBench, features: Feature, count: int) -> None:
    """Judged right, and by the classifier that is meant."""
    outcome = run(bench, draw(features, count))
    assert not outcome.differences, "\n".join(outcome.differences)
    assert outcome.deciders > 1
    assert bench.dataplane.control.features == features
    least, most = FORMS[count]
    assert least <= bench.dataplane.map_set.sizes.positions <= most
