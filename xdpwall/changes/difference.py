"""What a ruleset would change here, planned as `apply` plans it; nothing is changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from xdpwall.instance.instance import Instance
from xdpwall.ruleset.attachment import Attachment, AttachmentSpec
from xdpwall.ruleset.committed import CommittedRuleset
from xdpwall.ruleset.difference import RuleLine, policy_changes, rule_hunks, timeout_changes
from xdpwall.ruleset.ruleset import Ruleset
from xdpwall.sets.entries import Entries
from xdpwall.sets.timed import TimedEntries
from xdpwall.views.history import (
    AttachmentDifference,
    PolicyDifference,
    RuleDifference,
    RulesetDifference,
    SetDifference,
)

from .apply import attachments_to_change, matched_ruleset
from .apply_patterns import PatternPlan, plan_patterns
from .set_load import changed_contents, contents_of, planned_sets

FIRST = 5
"""Entries of a set that are named."""


def planned_difference(instance: Instance, wanted: Ruleset) -> RulesetDifference:
    """The difference between what is in force and `wanted`. InvalidInput where it cannot be applied."""
    old, now = instance.ruleset, instance.clock.now_text()
    contents = contents_of(wanted, instance.clock.seconds())
    new = matched_ruleset(old, wanted, planned_sets(old.sets, contents, now=now), now)
    sets = []
    if contents is not None:
        fresh = changed_contents(instance, contents)
        had = {row.name: row.number for row in old.sets}
        for name in sorted({*had, *contents}):
            if name in contents and name in had and name not in fresh:
                continue
            before = _content(instance, had.get(name))
            difference = set_difference(name, before, contents.get(name))
            if difference is not None:
                sets.append(difference)
    plan = plan_patterns(instance, wanted.attachments)
    coming, leaving = attachments_to_change(instance.attachments, plan.specs)
    coming += [one.spec for one in plan.fresh]
    attachments = _attachment_differences(coming, leaving) + _pattern_differences(plan)
    return ruleset_difference(
        old, new, sets=sets, attachments=sorted(attachments, key=lambda one: one.attachment)
    )


def ruleset_difference(
    old: CommittedRuleset,
    new: CommittedRuleset,
    *,
    sets: Sequence[SetDifference] | None = None,
    attachments: Sequence[AttachmentDifference] = (),
) -> RulesetDifference:
    """The difference between two rulesets. `sets` None compares their names and numbers alone."""
    policy = [
        PolicyDifference(field=field, old=before, new=after)
        for field, before, after in policy_changes(old.policy, new.policy)
    ]
    timeouts = [
        PolicyDifference(field=field, old=before, new=after)
        for field, before, after in timeout_changes(old.timeouts, new.timeouts)
    ]
    rules = [
        _rule_difference(line, number)
        for number, hunk in enumerate(rule_hunks(old.entries, new.entries), 1)
        for line in hunk
    ]
    if sets is None:
        sets = _set_names(
            {row.name: row.number for row in old.sets}, {row.name: row.number for row in new.sets}
        )
    return RulesetDifference(
        same=not (policy or timeouts or rules or sets or attachments),
        revision=old.revision,
        policy=policy,
        timeouts=timeouts,
        rules=rules,
        sets=list(sets),
        attachments=list(attachments),
    )


def set_difference(
    name: str, before: TimedEntries | None, after: TimedEntries | None
) -> SetDifference | None:
    """What changes in a set; None is one that is not there."""
    if before is None and after is None:
        return None
    if before is None and after is not None:
        entries = after.all()
        return SetDifference(
            name=name,
            kind="added",
            entries=len(entries),
            added=len(entries),
            first_added=entries.texts(0, FIRST),
        )
    assert before is not None
    had = before.all()
    if after is None:
        return SetDifference(
            name=name,
            kind="removed",
            old_entries=len(had),
            removed=len(had),
            first_removed=had.texts(0, FIRST),
        )
    has = after.all()
    come, gone = has.difference(had), had.difference(has)
    timed = Entries.from_entries({*before.expiring, *after.expiring})
    stay = timed.difference(come).difference(gone).part()
    retimed = sum(1 for one in stay if before.expiring.get(one) != after.expiring.get(one))
    if not (len(come) or len(gone) or retimed):
        return None
    return SetDifference(
        name=name,
        kind="replaced",
        old_entries=len(had),
        entries=len(has),
        added=len(come),
        removed=len(gone),
        retimed=retimed,
        first_added=come.texts(0, FIRST),
        first_removed=gone.texts(0, FIRST),
    )


def _rule_difference(line: RuleLine, hunk: int) -> RuleDifference:
    text = None if line.new is None else line.new.rule.text
    old = None if line.old is None else line.old.rule.text
    return RuleDifference(
        kind=line.kind,
        id=line.rule_id,
        hunk=hunk,
        old_position=line.old_position,
        position=line.position,
        old=old if line.kind in ("removed", "changed") else None,
        text=text,
    )


def _set_names(had: Mapping[str, int], has: Mapping[str, int]) -> list[SetDifference]:
    """The difference by names, and by numbers, which are others after all entries were replaced."""
    found = []
    for name in sorted({*had, *has}):
        if name not in had:
            found.append(SetDifference(name=name, kind="added"))
        elif name not in has:
            found.append(SetDifference(name=name, kind="removed"))
        elif had[name] != has[name]:
            found.append(SetDifference(name=name, kind="replaced"))
    return found


def _content(instance: Instance, number: int | None) -> TimedEntries | None:
    if number is None:
        return None
    return instance.store.sets.read_set(number).unexpired(instance.clock.seconds())


def _attachment_differences(
    coming: Sequence[AttachmentSpec], leaving: Sequence[Attachment]
) -> list[AttachmentDifference]:
    going = {row.words: row for row in leaving}
    found = []
    for spec in coming:
        words = f"{spec.iface} {spec.place}"
        row = going.pop(words, None)
        mode = spec.mode if spec.hook == "xdp" else None
        found.append(
            AttachmentDifference(
                kind="added" if row is None else "changed",
                attachment=words,
                old_mode=None if row is None else row.mode,
                mode=mode,
            )
        )
    found += [
        AttachmentDifference(kind="removed", attachment=words, old_mode=row.mode)
        for words, row in going.items()
    ]
    return found


def _pattern_differences(plan: PatternPlan) -> list[AttachmentDifference]:
    return [
        *(
            AttachmentDifference(kind="added", attachment=one.words, mode=one.mode)
            for one in plan.coming
        ),
        *(
            AttachmentDifference(kind="removed", attachment=one.words, old_mode=one.mode)
            for one in plan.leaving
        ),
    ]
