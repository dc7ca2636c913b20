"""`apply`: replace rules, policy, sets and attachments by those of a given ruleset.

New attachments come first, under the old rules, since attaching is what may be refused; then one
switch to the new rules; then the attachments that are not wanted go.
"""

from __future__ import annotations

from contextlib import suppress

from xdpwall.attach.answering import cookie_warnings
from xdpwall.attach.flow_warnings import flow_warnings, policy_warnings
from xdpwall.attach.in_place import place_warnings
from xdpwall.attach.interfaces import highest_first, index_of, interface_names, lowest_first
from xdpwall.attach.relations import related, words_for_interfaces
from xdpwall.attach.warnings import (
    expired_warnings,
    generic_warnings,
    hook_warnings,
    rule_warnings,
)
from xdpwall.errors import XdpwallError
from xdpwall.instance.instance import Instance
from xdpwall.ruleset import edits
from xdpwall.ruleset.attachment import Attachment, AttachmentSpec, attachments_by_place
from xdpwall.ruleset.committed import CommittedRuleset, diff
from xdpwall.ruleset.ruleset import Ruleset
from xdpwall.sets.names import SetRow
from xdpwall.sets.warnings import set_warnings
from xdpwall.values.author import Author
from xdpwall.views.status import ApplyNeeds, ApplyOutcome

from .adopt import adopt_ruleset
from .apply_patterns import plan_patterns
from .attachments import attach_interface
from .bringup import ensure_loaded
from .detach import check_detachable, detach_interface
from .guard import Moves
from .member_attach import attach_members
from .mode_change import ModeChange, change_back, change_modes
from .requirements import needs_of
from .set_load import (
    changed_contents,
    commit_sets,
    contents_of,
    load_under_new_numbers,
    planned_sets,
    sweeping,
)
from .set_loss import check_losses
from .trial import attaching, refuse_to_confirm


def apply_ruleset(
    instance: Instance, wanted: Ruleset, *, dry_run: bool, by: Author
) -> ApplyOutcome:
    """Apply all or nothing, but for the attachments that leave. Called with the lock held.

    Sets are loaded beside the old ones before the switch, and the old ones swept after it.
    """
    old = instance.ruleset
    rows = instance.attachments
    contents, now = contents_of(wanted, instance.clock.seconds()), instance.clock.now_text()
    fresh = changed_contents(instance, contents)
    new = matched_ruleset(old, wanted, planned_sets(old.sets, contents, now=now), now)
    check_losses(instance, wanted.sets, contents, new)
    had, has = ({row.name for row in ruleset.sets} for ruleset in (old, new))
    change = diff(old, new)
    plan = plan_patterns(instance, wanted.attachments)
    coming, leaving = attachments_to_change(rows, plan.specs)
    if plan.changes:
        refuse_to_confirm(by, "another attachment by policy")
    if coming or leaving or plan.changes or plan.fresh:
        by.require("admin", "a ruleset with other attachments than there are")
    leaving = highest_first(leaving, lambda row: row.index)
    lost = [] if wanted.attachments is None else _lost(instance, rows, leaving)
    for spec in coming:
        index_of(spec.iface)
    coming = lowest_first(coming, lambda spec: index_of(spec.iface))
    check_detachable(instance, leaving)
    pairs = [(row, spec) for row in leaving for spec in coming if _same_place(row, spec)]
    gone = [row for row in leaving if row not in [row for row, _ in pairs]]
    made: list[Attachment] = []
    again: list[Attachment] = []
    changed: list[ModeChange] = []
    remaining: dict[str, str] = {}
    needs: ApplyNeeds | None = None
    if dry_run:
        for spec in (*coming, *lost):
            instance.attacher.check(spec, index_of(spec.iface))
        stays = [row for row in rows if row not in leaving and row.spec not in lost]
        needs = needs_of(instance, new, fresh, stays, [*coming, *lost])
        revision = old.revision
    else:
        if pairs:
            refuse_to_confirm(by, f"another mode of {pairs[0][0].words}")
        new_places = [spec for spec in coming if spec not in [spec for _, spec in pairs]]
        on_trial = [] if by.confirm is None else new_places
        going = [] if by.confirm is None else gone
        try:
            changed += change_modes(instance, pairs, by=by)
            # Where a commit follows, it is guarded with them.
            alone = new.same_as(old)
            for spec in new_places if by.confirm is None else ():
                made.append(attach_interface(instance, spec, guarded=alone, by=by)[0])
            if plan.fresh:
                attach_members(instance, plan.fresh, guarded=alone, by=by, attached=made.append)
            for spec in lost:
                again.append(attach_interface(instance, spec, guarded=alone, by=by)[0])
            with sweeping(instance), attaching(instance, on_trial, by=by) as tried:
                loaded_rows = load_under_new_numbers(instance, fresh)
                if loaded_rows:
                    new = matched_ruleset(
                        old, wanted, planned_sets(old.sets, contents, loaded_rows, now=now), now
                    )
                revision = commit_sets(
                    instance,
                    new,
                    by=by,
                    action="apply",
                    coming=tried,
                    leaving=going,
                    moves=Moves([*made, *again], gone),
                ).revision
        except BaseException:
            _detach_all(instance, made, by)
            change_back(instance, changed, by=by)
            raise
        plan.record(instance, by=by)
        for row in gone:
            if row not in going and (left := detach_interface(instance, row, by=by)):
                remaining[row.words] = left
    staying = [row for row in instance.attachments if not dry_run or row not in leaving]
    rules = [entry.rule for entry in new.entries if entry.rule.enabled]
    names = instance.settings.containers
    planned = related(_as_planned(staying, coming), rules, names)
    return ApplyOutcome(
        revision=revision,
        dry_run=dry_run,
        added=change.added,
        removed=change.removed,
        changed=change.changed,
        moved=change.moved,
        kept=change.kept,
        policy_changed=change.policy_changed,
        timeouts_changed=change.timeouts_changed,
        sets_added=sorted(has - had),
        sets_replaced=sorted(had.intersection(fresh)),
        sets_removed=sorted(had - has),
        attached=[
            *(one.words for one in plan.coming),
            *(f"{spec.iface} {spec.place}" for spec in (*coming, *lost)),
            *(f"{one.spec.iface} {one.spec.place}" for one in plan.fresh),
        ],
        detached=[
            *(one.words for one in plan.leaving),
            *(row.words for row in gone if row.words not in remaining),
        ],
        needs=needs,
        warnings=[
            *(f"not detached: {left}" for left in remaining.values()),
            *rule_warnings(rules, planned, words_for_interfaces(rules, planned, names)),
            *expired_warnings(rules, now),
            *set_warnings(wanted.sets, contents),
            *hook_warnings(planned),
            *place_warnings(
                instance.attacher, [row for row in staying if not dry_run or row.spec not in lost]
            ),
            *generic_warnings([*made, *again, *(one.now for one in changed)]),
            *(one.warning for one in changed if one.warning),
            *(policy_warnings(new.policy, rules) if change.policy_changed else []),
            *flow_warnings(rules, new.policy, planned),
            *cookie_warnings(
                rules, related(staying if dry_run else instance.attachments, rules, names)
            ),
        ],
    )


def adopt_and_apply(instance: Instance, wanted: Ruleset, *, by: Author) -> ApplyOutcome:
    """Take over what the kernel holds, if the state folder does not know it; then apply_ruleset."""
    before = instance.ruleset
    change = adopt_ruleset(instance, wanted, by=by)
    ensure_loaded(instance)
    outcome = apply_ruleset(instance, wanted, dry_run=False, by=by)
    if change is None:
        return outcome
    had, has = ({row.name for row in ruleset.sets} for ruleset in (before, instance.ruleset))
    return outcome.model_copy(
        update={
            "adopted": True,
            "added": change.added,
            "removed": change.removed,
            "changed": change.changed,
            "moved": change.moved,
            "kept": change.kept,
            "policy_changed": change.policy_changed,
            "timeouts_changed": change.timeouts_changed,
            "sets_added": sorted(has - had),
            "sets_replaced": sorted(had.intersection(wanted.sets or {})),
            "sets_removed": sorted(had - has),
        }
    )


def matched_ruleset(
    old: CommittedRuleset, wanted: Ruleset, sets: tuple[SetRow, ...] | None, now: str
) -> CommittedRuleset:
    """The revision that follows `old` when a ruleset is applied."""
    return edits.with_rules(
        old, wanted.rules, wanted.policy, now=now, sets=sets, timeouts=wanted.timeouts
    )


def attachments_to_change(
    rows: tuple[Attachment, ...], wanted: tuple[AttachmentSpec, ...] | None
) -> tuple[list[AttachmentSpec], list[Attachment]]:
    """Return (attachments to make, attachments to remove). None leaves all as they are."""
    if wanted is None:
        return [], []
    specs = attachments_by_place(wanted)
    coming, leaving = dict(specs), []
    for row in rows:
        same = specs.get((row.iface, row.place))
        if same is None or same.mode not in ("auto", row.mode):
            leaving.append(row)
        else:
            del coming[row.iface, row.place]
    return list(coming.values()), leaving


def _lost(
    instance: Instance, rows: tuple[Attachment, ...], leaving: list[Attachment]
) -> list[AttachmentSpec]:
    """Attachments that stay but whose program was removed, or whose interface was made anew. Those
    whose interface does not exist stay recorded, until it is back."""
    names = interface_names()
    lost = []
    for row in rows:
        if row in leaving or row.iface not in names:
            continue
        found = instance.attacher.find(names[row.iface], row.place)
        if found is None or not found.ours:
            lost.append(row.spec)
    return lost


def _same_place(row: Attachment, spec: AttachmentSpec) -> bool:
    """Whether the attachment only changes its mode."""
    return (spec.iface, spec.place) == (row.iface, row.place)


def _detach_all(instance: Instance, rows: list[Attachment], by: Author) -> None:
    for row in rows:
        with suppress(XdpwallError):
            detach_interface(instance, row, by=by)


def _as_planned(staying: list[Attachment], coming: list[AttachmentSpec]) -> list[Attachment]:
    """The attachments after the change, for its warnings."""
    there = {(row.iface, row.place) for row in staying}
    planned = [Attachment.planned(spec) for spec in coming if (spec.iface, spec.place) not in there]
    return [*staying, *planned]
