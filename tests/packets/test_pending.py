"""While a change is pending packets are judged by it until the deadline, then by what was before."""

from __future__ import annotations

import time

import pytest

from tests.support.compiling import compile_rules
from tests.support.kernel.dataplane import NUMBERS, PLACES, KernelBench
from tests.support.kernel.deadline import wait_for_deadline
from tests.support.packets import frames as f
from xdpwall.compiler.generation import Generation
from xdpwall.dataplane.control_word import Trial
from xdpwall.errors import CHANGE_PENDING, Conflict
from xdpwall.kernel.jiffies import jiffies_per_second
from xdpwall.rule.rule import Rule
from xdpwall.ruleset.policy import Policy

FRAME = f.ether(f.ipv4(f.udp()))
PATIENCE = 60.0


def compiled_rule(sentence: str) -> Generation:
    places = [(n, "eth0", "egress" if p == "tc-egress" else "ingress") for p, n in NUMBERS.items()]
    return compile_rules([(Rule.parse(sentence), 0)], Policy(), places)


def change(bench: KernelBench, sentence: str, trial: Trial) -> None:
    """Switch to this rule on trial."""
    bench.load([sentence], trial=trial)


def verdicts(bench: KernelBench) -> list[bool]:
    return [bench.run(place, FRAME) for place in PLACES]


def test_the_kernel_reverts_by_itself(bench: KernelBench) -> None:
    bench.load(["accept udp"])
    control, before = bench.dataplane.control, bench.dataplane.control.read()
    change(bench, "drop udp", Trial(1))
    now = control.read()
    assert (now.pending, now.fallback, now.copy) == (True, before.copy, 1 - before.copy)
    assert verdicts(bench) == [True] * 3
    wait_for_deadline(bench.dataplane.control)
    assert verdicts(bench) == [False] * 3
    assert control.read() == now, "it is the packets that know"
    assert not control.confirm()
    control.revert()
    assert control.read() == before
    assert verdicts(bench) == [False] * 3


def test_a_confirmed_change_stays(bench: KernelBench) -> None:
    bench.load(["accept udp"])
    change(bench, "drop udp", Trial(3600))
    control = bench.dataplane.control
    left = control.seconds_left()
    assert left is not None and 3590 < left <= 3600
    assert control.confirm() and control.confirm()
    now = control.read()
    assert (now.pending, now.fallback, now.revision) == (False, 0, bench.revision)
    assert control.seconds_left() is None
    assert verdicts(bench) == [True] * 3


def test_the_last_tenth_of_a_second_is_too_late(bench: KernelBench) -> None:
    bench.load(["accept udp"])
    change(bench, "drop udp", Trial(1))
    control = bench.dataplane.control
    end = time.monotonic() + PATIENCE
    while (control.seconds_left() or 1) > 0.1 - 1 / jiffies_per_second():
        assert time.monotonic() < end
    assert not control.confirm()
    assert control.read().pending
    control.revert()


def test_an_attachment_passes_everything_in_the_copy_without_it(bench: KernelBench) -> None:
    bench.load(["drop udp"])
    coming, leaving = NUMBERS["xdp"], NUMBERS["tc-egress"]
    change(bench, "drop udp", Trial(1, coming=(coming,), leaving=(leaving,)))
    seen = bench.totals("tc-egress")
    assert verdicts(bench) == [True, True, False]
    assert bench.totals("tc-egress") == seen
    wait_for_deadline(bench.dataplane.control)
    assert verdicts(bench) == [False, True, True]
    bench.dataplane.control.revert()
    assert verdicts(bench) == [True] * 3, "outside a change nobody looks at these bits"


def test_off_goes_before_it(bench: KernelBench) -> None:
    bench.load(["accept udp"])
    change(bench, "drop udp", Trial(3600))
    control = bench.dataplane.control
    assert control.set_switch(False)
    assert verdicts(bench) == [False] * 3
    assert control.set_switch(True)
    assert verdicts(bench) == [True] * 3 and control.read().pending
    control.revert()


def test_the_fallback_is_never_written(bench: KernelBench) -> None:
    bench.load(["accept udp"])
    change(bench, "drop udp", Trial(3600))
    generations = bench.dataplane.generations
    assert not generations.has_housekeeping and not generations.drop_unused_features()
    generations.sync_idle_copy()
    with pytest.raises(Conflict) as refused:
        generations.expect(compiled_rule("count udp"))
    assert refused.value.code == CHANGE_PENDING
    bench.dataplane.control.revert()
    assert verdicts(bench) == [False] * 3
