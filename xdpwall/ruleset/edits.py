"""Ordered rules with their slots, and the edits that lead from one ruleset to the next. Pure.

An edit takes a CommittedRuleset and returns the next one: ids made, ranks and slots given out, the
revision one higher. An edit that changes nothing returns an equal one (CommittedRuleset.same_as).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal, NamedTuple

from xdpwall.errors import Conflict, Full, InvalidInput
from xdpwall.limits import MAX_RULES
from xdpwall.rule.rule import Rule
from xdpwall.sets.names import SetRow
from xdpwall.values.inputs import parse_in_list

from .committed import CommittedRuleset, Step, check_rules_known, find_rule
from .flow_timeouts import FlowTimeouts
from .index import RuleEntry, with_ids
from .order import NO_SLOT, assign_ranks, changed_window, placed_between, with_slots
from .policy import Policy
from .set_references import check_sets_known

_MADE_ID = re.compile(r"r([1-9][0-9]{0,14})\Z")


class Beside(NamedTuple):
    """A place beside another rule."""

    where: Literal["before", "after"]
    rule_id: str


Where = int | Beside
"""A place from 1, or beside a rule."""


def insert_rules(
    ruleset: CommittedRuleset, rules: Sequence[Rule], *, at: Where | None, now: str
) -> CommittedRuleset:
    """Insert rules together at place `at`, at the end when None."""
    if not rules:
        raise InvalidInput("no rule was given", field="rules")
    count = len(ruleset.entries)
    if at is None:
        at = count + 1
    elif isinstance(at, Beside):
        beside = ruleset.place(find_rule(ruleset, at.rule_id)) + 1
        at = beside if at.where == "before" else beside + 1
    if not 1 <= at <= count + 1:
        raise InvalidInput(
            f"position must be 1 to {count + 1}, got {at}", field="position", value=at
        )
    taken, given = ruleset.by_id(), set[str]()
    for rule in rules:
        if rule.id is not None:
            if rule.id in taken or rule.id in given:
                raise Conflict(
                    f"a rule with the id {rule.id!r} is there already",
                    code="id-taken",
                    field="id",
                    value=rule.id,
                    hint=f"give another id, or change that rule: xdpwall rule set {rule.id} ...",
                )
            given.add(rule.id)
    _check_sets(rules, ruleset.sets, listed=len(rules) > 1)
    named, number = _give_ids(rules, given, ruleset.next_number)
    fresh = [RuleEntry(rule, NO_SLOT, now) for rule in named]
    return _spliced(ruleset, at - 1, at - 1, fresh, next_number=number)


def replace_rule(ruleset: CommittedRuleset, rule_id: str, rule: Rule) -> CommittedRuleset:
    """Replace a rule; its id and place stay."""
    if rule.id not in (None, rule_id):
        raise InvalidInput(
            f"a rule keeps its id: {rule_id!r} cannot become {rule.id!r}",
            field="id",
            value=rule.id,
            hint="delete the rule and add it under the new id",
        )
    entry = find_rule(ruleset, rule_id)
    check_sets_known([rule], ruleset.sets)
    place = ruleset.place(entry)
    return _spliced(ruleset, place, place + 1, [_carry(entry, rule)])


def change_rule(
    ruleset: CommittedRuleset, rule_id: str, changes: Mapping[str, Any]
) -> CommittedRuleset:
    """Change the named fields of a rule; None takes one away; `text` replaces the whole rule."""
    return replace_rule(ruleset, rule_id, find_rule(ruleset, rule_id).rule.changed(changes))


def delete_rules(ruleset: CommittedRuleset, rule_ids: Collection[str]) -> CommittedRuleset:
    """Delete these rules, or none: NotFound when one of them is not there."""
    check_rules_known(ruleset, rule_ids)
    places = sorted(
        {ruleset.place(find_rule(ruleset, rule_id)) for rule_id in rule_ids}, reverse=True
    )
    if len(places) == 1:
        return _spliced(ruleset, places[0], places[0] + 1, [])
    entries = list(ruleset.entries)
    for place in places:
        del entries[place]
    return _finish(ruleset, entries)


def move_rule(ruleset: CommittedRuleset, rule_id: str, position: Where) -> CommittedRuleset:
    """Move a rule to `position`, counted after the move."""
    entry = find_rule(ruleset, rule_id)
    count = len(ruleset.entries)
    if isinstance(position, Beside):
        position = _place_beside(ruleset, entry, position)
    if not 1 <= position <= count:
        raise InvalidInput(
            f"position must be 1 to {count}, got {position}", field="position", value=position
        )
    entries = list(ruleset.entries)
    entries.insert(position - 1, entries.pop(ruleset.place(entry)))
    return _finish(ruleset, entries)


def _place_beside(ruleset: CommittedRuleset, entry: RuleEntry, where: Beside) -> int:
    """The position beside a rule, counted without the entry that moves."""
    if where.rule_id == entry.id:
        raise InvalidInput(
            f"{where.where}: {where.rule_id!r} is the rule itself",
            field=where.where,
            value=where.rule_id,
            hint="name another rule",
        )
    beside = ruleset.place(find_rule(ruleset, where.rule_id))
    if ruleset.place(entry) < beside:
        beside -= 1
    return beside + (1 if where.where == "before" else 2)


def enable_rules(
    ruleset: CommittedRuleset, rule_ids: Collection[str], enabled: bool
) -> CommittedRuleset:
    """Enable or disable these rules; their counters stay."""
    check_rules_known(ruleset, rule_ids)
    entries = list(ruleset.entries)
    for rule_id in rule_ids:
        entry = find_rule(ruleset, rule_id)
        if entry.rule.enabled != enabled:
            rule = entry.rule.model_copy(update={"enabled": enabled})
            entries[ruleset.place(entry)] = entry._replace(rule=rule)
    return _finish(ruleset, entries)


def with_policy(ruleset: CommittedRuleset, policy: Policy) -> CommittedRuleset:
    """The same rules under another policy."""
    return _finish(ruleset, list(ruleset.entries), policy=policy)


def with_sets(ruleset: CommittedRuleset, sets: tuple[SetRow, ...]) -> CommittedRuleset:
    """The same rules with these sets. InvalidInput when a rule refers to one that is not there."""
    check_sets_known((entry.rule for entry in ruleset.entries), sets)
    return _finish(ruleset, list(ruleset.entries), sets=sets)


def with_rules(
    ruleset: CommittedRuleset,
    rules: Sequence[Rule],
    policy: Policy,
    *,
    now: str,
    sets: tuple[SetRow, ...] | None = None,
    timeouts: FlowTimeouts | None = None,
) -> CommittedRuleset:
    """Replace all rules and the policy; rules that stay the same keep id and counters. `sets` and
    `timeouts` None keep these.

    The same is: the same id; or, for a rule without id, the same sentence, else the same match and
    action (so that a new comment costs no counters), each in order.
    """
    _check_sets(rules, ruleset.sets if sets is None else sets, listed=True)
    current = with_ids(ruleset.entries)
    given: set[str] = set()
    for index, rule in enumerate(rules):
        if rule.id is not None:
            if rule.id in given:
                raise InvalidInput(
                    f"rules[{index}]: the id {rule.id!r} stands twice",
                    field=f"rules[{index}].id",
                    value=rule.id,
                )
            given.add(rule.id)
    partner: list[RuleEntry | None] = [
        current.get(rule.id) if rule.id is not None else None for rule in rules
    ]
    free = [entry for entry in ruleset.entries if entry.id not in given]
    nameless = [index for index, rule in enumerate(rules) if rule.id is None]
    for key in (Rule.text_key, Rule.match_key):
        if not free:
            break
        waiting: dict[Any, list[RuleEntry]] = {}
        for entry in reversed(free):
            waiting.setdefault(key(entry.rule), []).append(entry)
        for index in nameless:
            found = waiting.get(key(rules[index])) if partner[index] is None else None
            if found:
                partner[index] = found.pop()
        taken = {id(entry) for entry in partner if entry is not None}
        free = [entry for entry in free if id(entry) not in taken]
    coming = [rule for rule, entry in zip(rules, partner, strict=True) if entry is None]
    named, number = _give_ids(coming, given, ruleset.next_number)
    fresh = iter(named)
    entries = [
        RuleEntry(next(fresh), NO_SLOT, now) if entry is None else _carry(entry, rule)
        for rule, entry in zip(rules, partner, strict=True)
    ]
    made = _finish(ruleset, entries, policy=policy, next_number=number, sets=sets)
    return made if timeouts is None else replace(made, timeouts=timeouts)


def _check_sets(rules: Sequence[Rule], sets: tuple[SetRow, ...], *, listed: bool) -> None:
    """check_sets_known for many; `listed`: the error names the rule's index in the list."""
    try:
        check_sets_known(rules, sets)
    except InvalidInput:
        for index, rule in enumerate(rules if listed else ()):
            parse_in_list("rules", index, check_sets_known, [rule], sets)
        raise


def _carry(entry: RuleEntry, rule: Rule) -> RuleEntry:
    """`rule` under the entry's id: the slot stays with the match, or a fresh one will be given."""
    if rule.text_key() == entry.rule.text_key():
        return entry
    rule = _named(rule, entry.id)
    if rule.match_key() == entry.rule.match_key():
        return entry._replace(rule=rule)
    return entry._replace(rule=rule, slot=NO_SLOT, base_packets=0, base_bytes=0)


def _named(rule: Rule, rule_id: str) -> Rule:
    return rule if rule.id == rule_id else rule.with_id(rule_id)


def _give_ids(
    rules: Iterable[Rule], taken: Collection[str], next_number: int
) -> tuple[list[Rule], int]:
    """Ids for the rules without one, past every rN ever seen: `taken` and all before."""
    for rule_id in taken:
        if found := _MADE_ID.match(rule_id):
            next_number = max(next_number, int(found[1]) + 1)
    named = []
    for rule in rules:
        if rule.id is None:
            rule = rule.with_made_id(next_number)
            next_number += 1
        named.append(rule)
    return named, next_number


def _finish(
    old: CommittedRuleset,
    entries: Sequence[RuleEntry],
    *,
    policy: Policy | None = None,
    next_number: int | None = None,
    sets: tuple[SetRow, ...] | None = None,
) -> CommittedRuleset:
    """The ruleset with exactly these entries."""
    at, end = changed_window(old.entries, entries)
    return _spliced(
        old,
        at,
        len(old.entries) - end,
        entries[at : len(entries) - end],
        policy=policy,
        next_number=next_number,
        sets=sets,
    )


def _spliced(
    old: CommittedRuleset,
    at: int,
    until: int,
    come: Sequence[RuleEntry],
    *,
    policy: Policy | None = None,
    next_number: int | None = None,
    sets: tuple[SetRow, ...] | None = None,
) -> CommittedRuleset:
    """The ruleset with `come` in the place of old.entries[at:until]: ranks and slots are given out.
    A new slot is never one that the old one still uses."""
    gone = old.entries[at:until]
    if (count := len(old.entries) - len(gone) + len(come)) > MAX_RULES:
        raise Full(
            f"{count} rules are more than the {MAX_RULES} that fit",
            code="too-many-rules",
            hint="join rules by prefixes and port lists, or delete some",
        )
    placed = placed_between(
        old.index, old.entries[max(0, at - 1) : at], come, old.entries[until : until + 1]
    )
    if placed is None:
        # No ranks are left between two neighbours: all are given anew.
        come = [*old.entries[:at], *come, *old.entries[until:]]
        at, until, gone = 0, len(old.entries), old.entries
        placed = assign_ranks([None] * len(come))
    finished = with_slots(old.index, come, placed)
    return CommittedRuleset(
        revision=old.revision + 1,
        policy=old.policy if policy is None else policy,
        entries=old.entries[:at] + finished + old.entries[until:],
        next_number=old.next_number if next_number is None else next_number,
        sets=old.sets if sets is None else sets,
        timeouts=old.timeouts,
        step=Step(old.entries, at, gone, finished),
        _index=[old.index.changed(gone, finished)],
    )
