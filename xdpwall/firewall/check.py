"""Check a ruleset: faults of single rules, each in words, with a packet that shows it."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from xdpwall.attach.relations import related, words_for_interfaces
from xdpwall.attach.warnings import rule_warnings
from xdpwall.check.findings import Fault, Finding, find_faults
from xdpwall.check.flow_advice import FlowFinding, flow_findings
from xdpwall.check.members import Members
from xdpwall.ruleset.attachment import Attachment
from xdpwall.ruleset.set_references import sets_named_by
from xdpwall.settings import Settings
from xdpwall.values.addresses import set_use
from xdpwall.values.times import now as present
from xdpwall.values.times import time_text
from xdpwall.views.check import CheckFinding, CheckReport, CheckRule

from .flow_advice import flow_words

if TYPE_CHECKING:
    from xdpwall.rule.rule import Rule
    from xdpwall.ruleset.policy import Policy
    from xdpwall.ruleset.ruleset import Ruleset
    from xdpwall.sets.entries import Entries

MOST_LISTED = 8
"""Reasons of one finding that are listed."""


def check_ruleset(
    rules: Sequence[Rule],
    policy: Policy,
    sets: Mapping[str, Entries | None],
    attachments: Sequence[Attachment] | None,
    containers: Path,
    now: str,
) -> CheckReport:
    """Check rules in order. `sets`: what the sets that they name hold, None where that is not known;
    `attachments` None: nothing is said of what they see; `containers`: the file with their names; `now` is a canonical time."""
    # One whose time is over is told as that, and is no reason for others.
    over = [rule.enabled and rule.expires is not None and rule.expires <= now for rule in rules]
    alive = [
        rule.model_copy(update={"enabled": False}) if ended else rule
        for rule, ended in zip(rules, over, strict=True)
    ]
    report = find_faults(alive, policy, Members(sets))
    found = [(one.rule, _finding(rules, policy, one, sets)) for one in report.findings]
    found += [
        (one.rule, _flow_finding(rules, one)) for one in flow_findings(alive, policy, Members(sets))
    ]
    found += [(n, _expired(rules, n)) for n, ended in enumerate(over) if ended]
    found += [(n, one) for n in range(len(alive)) for one in _empty_sets(alive, n, sets)]
    if attachments is not None:
        attachments = related(attachments, rules, containers)
        interfaces = words_for_interfaces(rules, attachments, containers)
        found += [
            (n, one)
            for n in range(len(alive))
            for one in _unseen(alive, n, attachments, interfaces)
        ]
    return CheckReport(
        rules=len(rules),
        findings=[one for _, one in sorted(found, key=lambda pair: pair[0])],
        undecided=[_rule(rules, n) for n in report.undecided],
    )


def check_file(ruleset: Ruleset) -> CheckReport:
    """Check a ruleset of which nothing is known but what it states."""
    from xdpwall.attach.wanted import planned_attachments

    stated = ruleset.sets or {}
    named = {name for rule in ruleset.rules for _, name in sets_named_by(rule)}
    stated_places = ruleset.attachments
    attachments = None if stated_places is None else planned_attachments(stated_places)
    return check_ruleset(
        ruleset.rules,
        ruleset.policy,
        {name: stated[name].entries if name in stated else None for name in named},
        attachments,
        Settings().containers,
        time_text(present()),
    )


def _rule(rules: Sequence[Rule], number: int) -> CheckRule:
    rule = rules[number]
    return CheckRule(position=number + 1, id=rule.id, text=rule.text)


def _name(rules: Sequence[Rule], number: int) -> str:
    rule = rules[number]
    return f"rule {number + 1}" if rule.id is None else rule.id


def _names(rules: Sequence[Rule], numbers: Sequence[int]) -> str:
    shown = [f"{_name(rules, n)} ({rules[n].text})" for n in numbers[:2]]
    if len(numbers) > 2:
        shown.append(f"{len(numbers) - 2} more")
    return " and ".join(shown) if len(shown) < 3 else f"{shown[0]}, {shown[1]} and {shown[2]}"


def _finding(
    rules: Sequence[Rule], policy: Policy, one: Finding, sets: Mapping[str, Entries | None]
) -> CheckFinding:
    return CheckFinding(
        kind=one.fault,
        rule=_rule(rules, one.rule),
        because=[_rule(rules, n) for n in one.because[:MOST_LISTED]],
        more=max(0, len(one.because) - MOST_LISTED),
        message=_words(rules, one.fault, one, sets),
        packet=None if one.witness is None else one.witness.text,
        state=None if one.witness is None else one.witness.state,
    )


def _flow_finding(rules: Sequence[Rule], one: FlowFinding) -> CheckFinding:
    return CheckFinding(
        kind=one.advice,
        rule=_rule(rules, one.rule),
        because=[_rule(rules, n) for n in one.because],
        message=flow_words(rules, one, lambda numbers: _names(rules, numbers)),
        packet=None if one.witness is None else one.witness.text,
        state=None if one.witness is None else one.witness.state,
    )


def _words(
    rules: Sequence[Rule], fault: Fault, one: Finding, sets: Mapping[str, Entries | None]
) -> str:
    first = _names(rules, one.because)
    match fault:
        case "equal":
            return f"says the same as {first}, and never comes into play"
        case "contradiction":
            return f"never decides: {first} matches the same packets, with the other action"
        case "shadowed":
            return f"never decides: {first} decide{'s' if len(one.because) == 1 else ''} first"
        case "impossible":
            empty = _sets_without_entries(rules[one.rule], sets)
            if empty:
                return f"matches no packet while {', '.join(empty)} is empty"
            return "matches no packet: there are none like that"
        case "redundant":
            who = [_names(rules, one.because)] if one.because else []
            who += ["the policy"] if one.policy else []
            return f"changes no verdict: without it {' and '.join(who)} would decide the same"


def _sets_without_entries(rule: Rule, sets: Mapping[str, Entries | None]) -> list[str]:
    found = []
    for value in (rule.src, rule.dst):
        used = None if value is None else set_use("src", value)
        if (
            used is not None
            and not used[0]
            and (held := sets.get(used[1])) is not None
            and not held
        ):
            found.append(f"@{used[1]}")
    return found


def _empty_sets(
    rules: Sequence[Rule], number: int, sets: Mapping[str, Entries | None]
) -> list[CheckFinding]:
    rule, found = rules[number], []
    if not rule.enabled:
        return []
    for field, name in sets_named_by(rule):
        held = sets.get(name)
        negated = str(getattr(rule, field)).startswith("!")
        if negated and held is not None and not len(held):
            found.append(
                CheckFinding(
                    kind="empty-set",
                    rule=_rule(rules, number),
                    message=f"@{name} is empty, so `not @{name}` is every address",
                )
            )
    return found


def _expired(rules: Sequence[Rule], number: int) -> CheckFinding:
    return CheckFinding(
        kind="expired",
        rule=_rule(rules, number),
        message=f"matches no packet: its time, {rules[number].expires}, is over",
    )


_OF_ONE_RULE = re.compile(r"^(rule [a-z0-9_-]+|the rule):? ")
"""How a warning about one rule begins, which the finding names by itself."""


def _unseen(
    rules: Sequence[Rule],
    number: int,
    attachments: Sequence[Attachment],
    interfaces: Collection[str],
) -> list[CheckFinding]:
    rule = rules[number]
    if not rule.enabled:
        return []
    return [
        CheckFinding(kind="unseen", rule=_rule(rules, number), message=_OF_ONE_RULE.sub("", text))
        for text in rule_warnings([rule.model_copy(update={"vlan": None})], attachments, interfaces)
    ]
