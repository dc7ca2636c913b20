"""Make a failing case as small as it goes: fewer frames, fewer rules, fewer fields, duller bytes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from tests.support.oracle.duel.case import Case, Step
from tests.support.oracle.duel.duel import runnable
from xdpwall.errors import InvalidInput
from xdpwall.rule.rule import Rule
from xdpwall.ruleset.policy import Policy

_T = TypeVar("_T")


@dataclass
class Shrinker:
    """`fails` says whether a smaller case still shows the fault; `seconds` bounds the work."""

    fails: Callable[[Case], bool]
    seconds: float = 30.0

    def shrink(self, case: Case) -> Case:
        """The smallest case found."""
        self._end = time.monotonic() + self.seconds
        while True:
            smaller = case
            for candidates in (
                _fewer_steps,
                _fewer_rules,
                _plainer_rules,
                _plainer_policy,
                _frames,
            ):
                smaller = self._descend(smaller, candidates)
            if smaller == case or time.monotonic() > self._end:
                return smaller
            case = smaller

    def _descend(self, case: Case, candidates: Callable[[Case], Iterator[Case]]) -> Case:
        """Take the first candidate that fails too, and start over from it, until none does."""
        found = True
        while found:
            found = False
            for candidate in candidates(case):
                if time.monotonic() > self._end:
                    return case
                if candidate != case and self.fails(candidate):
                    case, found = candidate, True
                    break
        return case


def _without_some(items: Sequence[_T]) -> Iterator[tuple[_T, ...]]:
    """Without half of them, a quarter, ... and without each one."""
    size = len(items) // 2
    while size:
        for start in range(0, len(items), size):
            yield (*items[:start], *items[start + size :])
        size //= 2


def _fewer_steps(case: Case) -> Iterator[Case]:
    return (replace(case, steps=steps) for steps in _without_some(case.steps) if steps)


def _fewer_rules(case: Case) -> Iterator[Case]:
    if len(case.rules) == 1:
        yield replace(case, rules=())
    for rules in _without_some(case.rules):
        yield replace(case, rules=rules)


def _plainer_rules(case: Case) -> Iterator[Case]:
    for index, rule in enumerate(case.rules):
        for name in rule.to_json():
            if name == "action":
                continue
            try:
                plainer = Rule.parse({k: v for k, v in rule.to_json().items() if k != name})
            except InvalidInput:
                continue  # another field needs this one
            yield replace(case, rules=(*case.rules[:index], plainer, *case.rules[index + 1 :]))


def _plainer_policy(case: Case) -> Iterator[Case]:
    for name, value in Policy():
        if getattr(case.policy, name) != value:
            yield replace(case, policy=case.policy.model_copy(update={name: value}))


def _frames(case: Case) -> Iterator[Case]:
    for index, step in enumerate(case.steps):
        for frame in _plainer_frames(step.frame):
            smaller = Step(step.place, frame)
            if runnable(smaller):
                yield replace(case, steps=(*case.steps[:index], smaller, *case.steps[index + 1 :]))
        if step.place != "xdp":
            other = Step("xdp", step.frame)
            yield replace(case, steps=(*case.steps[:index], other, *case.steps[index + 1 :]))


def _plainer_frames(frame: bytes) -> Iterator[bytes]:
    """Shorter ones, and ones with stretches of zeros; the Ethernet header stays there."""
    for size in (64, 16, 4, 1):
        if len(frame) - size >= 14:
            yield frame[:-size]
    for size in (16, 4, 1):
        for start in range(14, len(frame), size):
            if any(frame[start : start + size]):
                yield (frame[:start] + bytes(size) + frame[start + size :])[: len(frame)]
