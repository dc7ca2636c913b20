"""The difference between two rulesets, rule by rule, as lines of a diff. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Literal, NamedTuple

from .flow_timeouts import FlowTimeouts
from .index import RuleEntry, with_ids
from .order import longest_increasing
from .policy import Policy

ChangeKind = Literal["added", "removed", "changed", "moved", "context"]
CONTEXT = 2
"""Unchanged rules that are shown before and after a change."""


class RuleLine(NamedTuple):
    """One rule of the difference; positions count from 1, and `old` or `new` is absent where the rule
    is. A rule that changes and moves is `changed`, with both positions."""

    kind: ChangeKind
    rule_id: str
    old_position: int | None
    position: int | None
    old: RuleEntry | None
    new: RuleEntry | None


def rule_hunks(
    old: Sequence[RuleEntry], new: Sequence[RuleEntry], *, context: int = CONTEXT
) -> list[list[RuleLine]]:
    """The rules that differ, each with `context` unchanged ones around, in the order of `new`; a rule
    that is gone stands where it was. As few rules as possible are called moved."""
    lines = _lines(old, new)
    shown: set[int] = set()
    for index, line in enumerate(lines):
        if line.kind != "context":
            shown.update(range(max(0, index - context), min(len(lines), index + context + 1)))
    hunks: list[list[RuleLine]] = []
    places = sorted(shown)
    for before, index in pairwise([-2, *places]):
        if index != before + 1:
            hunks.append([])
        hunks[-1].append(lines[index])
    return hunks


def policy_changes(old: Policy, new: Policy) -> list[tuple[str, str, str]]:
    """(field, before, after) of the fields that differ."""
    return _changed_fields(old.to_json(), new.to_json())


def timeout_changes(old: FlowTimeouts, new: FlowTimeouts) -> list[tuple[str, str, str]]:
    """(field, before, after) of the timeouts that differ, in seconds."""
    before, after = ({name: f"{value}s" for name, value in one} for one in (old, new))
    return _changed_fields(before, after)


def _changed_fields(
    before: Mapping[str, str], after: Mapping[str, str]
) -> list[tuple[str, str, str]]:
    return [(name, before[name], after[name]) for name in after if before[name] != after[name]]


def _lines(old: Sequence[RuleEntry], new: Sequence[RuleEntry]) -> list[RuleLine]:
    before, after = with_ids(old), with_ids(new)
    place = {rule_id: index for index, rule_id in enumerate(before)}
    common = [rule_id for rule_id in after if rule_id in before]
    still = {common[i] for i in longest_increasing([place[rule_id] for rule_id in common])}
    were = list(before)
    lines: list[RuleLine] = []
    come: list[RuleLine] = []  # since the last rule that stays: behind those removed there
    reached = 0

    def tell_removed(until: int) -> None:
        for index in range(reached, until):
            rule_id = were[index]
            if rule_id not in after:
                entry = before[rule_id]
                lines.append(RuleLine("removed", rule_id, index + 1, None, entry, None))

    for index, (rule_id, entry) in enumerate(after.items()):
        was = before.get(rule_id)
        if was is None:
            come.append(RuleLine("added", rule_id, None, index + 1, None, entry))
            continue
        kind: ChangeKind = "context" if rule_id in still else "moved"
        if was is not entry and was.rule != entry.rule:
            kind = "changed"
        come.append(RuleLine(kind, rule_id, place[rule_id] + 1, index + 1, was, entry))
        if rule_id in still:
            tell_removed(place[rule_id])
            reached = place[rule_id] + 1
            lines += come
            come = []
    tell_removed(len(were))
    return lines + come
