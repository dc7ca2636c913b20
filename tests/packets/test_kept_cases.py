"""Every case that once failed, found by `python -m tests.fuzz.rulesets`, run again."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.fuzz.rulesets import fuzz
from tests.support.kernel.dataplane import KernelBench
from tests.support.oracle.duel import kept
from tests.support.oracle.duel.case import Case, Step
from tests.support.oracle.duel.duel import Duel
from tests.support.oracle.reference.judge import Ruling, judge
from tests.support.packets import frames as f
from xdpwall.rule.rule import Rule
from xdpwall.ruleset.policy import Policy


def test_kept_cases(bench: KernelBench) -> None:
    duel = Duel(bench)
    found = {path.name: duel.run(kept.load(path)) for path in kept.kept()}
    wrong = [f"{name}: {difference}" for name, difference in found.items() if difference]
    assert not wrong, "\n".join(wrong)


def _contrary(*what: Any) -> Ruling:
    ruling = judge(*what)
    return replace(ruling, dropped=not ruling.dropped)


def test_fuzzing_keeps_what_fails(
    bench: KernelBench, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fuzz(Duel(bench, _contrary), 1, time.monotonic() + 0.1, tmp_path) == 1
    case = kept.load(kept.kept(tmp_path)[0])
    assert (case.rules, len(case.steps)) == ((), 1)
    assert case.as_code() in capsys.readouterr().out
    assert Duel(bench).run(case) is None


def test_what_is_kept_is_what_failed(tmp_path: Path) -> None:
    rules = (Rule.parse("drop udp/53 from 10.0.0.0/8 on eth0"), Rule.parse("count disabled"))
    case = Case(rules, Policy(egress="drop"), (Step("tc-egress", f.ether(f.ipv4(f.udp()))),))
    path = kept.keep(case, "why\nit failed", tmp_path)
    assert kept.keep(case, "again", tmp_path) == path
    assert kept.kept(tmp_path) == [path]
    assert kept.load(path) == case
