"""Ten thousand rules of each kind against the fast reference. `make fuzz-large` has the full form."""

from __future__ import annotations

import pytest

from tests.support.kernel.dataplane import KernelBench
from tests.support.oracle.classbench.shapes import SHAPES, Kind
from tests.support.oracle.duel.large import draw_large, run
from xdpwall.ruleset.policy import Policy

SEED = 20_261_121
RULES, PACKETS = 10_000, 5_000


@pytest.mark.parametrize("kind", list(SHAPES))
def test_ten_thousand_rules(bench: KernelBench, kind: Kind) -> None:
    outcome = run(bench, draw_large(kind, RULES, PACKETS, SEED))
    assert not outcome.differences, "\n".join(outcome.differences)
    assert outcome.packets > 0.95 * PACKETS
    assert outcome.decided > 0.6 * PACKETS
    assert outcome.deciders > 2_000


def test_a_planted_fault_is_found(bench: KernelBench, monkeypatch: pytest.MonkeyPatch) -> None:
    """One rule of a thousand that says something else than the reference was told."""
    large = draw_large("fw", 1_000, 2_000, SEED)
    assert run(bench, large).differences == ()
    turned = {"drop": "accept", "accept": "drop", "count": "drop"}
    right = list(large.rules)
    load = bench.load

    def wrong(rules: object, policy: Policy) -> None:
        changed = [rule.changed({"action": turned[rule.action]}) for rule in right[500:510]]
        load([*right[:500], *changed, *right[510:]], policy)

    monkeypatch.setattr(bench, "load", wrong)
    differences = run(bench, large).differences
    assert any("decided by" in text for text in differences)
