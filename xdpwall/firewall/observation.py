"""The state of a firewall at one moment, and the events between two of them. Pure.

The reader of GET /events looks once a second; what it sends is made here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from xdpwall.ruleset.committed import CommittedRuleset, diff
from xdpwall.values.terms import Counts
from xdpwall.views.attachments import AttachmentTotals
from xdpwall.views.base import Count
from xdpwall.views.events import EventCounts
from xdpwall.views.history import Change
from xdpwall.views.pending import PendingView
from xdpwall.views.rules import RuleView
from xdpwall.views.stream import (
    Counters,
    PendingChanged,
    PolicyChanged,
    RuleDelta,
    RulesChanged,
    SwitchChanged,
)

from .rule_views import MoreCounts, rule_views


@dataclass(frozen=True, slots=True)
class Observation:
    """The state at one moment; two of them make events."""

    ruleset: CommittedRuleset
    on: bool
    time: float
    """Seconds, monotonic clock of the host."""
    now: str
    """The same moment as a canonical time."""
    raw: Sequence[Counts]
    """One pair per entry of the ruleset, as the kernel counts."""
    counts: Mapping[str, Counts]
    """By rule id, since the last reset."""
    hits: Mapping[str, str]
    """By rule id, where known."""
    attachments: tuple[AttachmentTotals, ...]
    expired: frozenset[str]
    mark: int
    """The audit trail was read up to here (AuditTrail.since)."""
    trail: tuple[Change, ...]
    """The audit trail's entries since the observation before."""
    out_of_place: tuple[str, ...] = ()
    """A sentence for each attachment that is wanted and not in place."""
    events: EventCounts = field(default_factory=EventCounts)
    more: MoreCounts = field(default_factory=MoreCounts)
    pending: PendingView | None = None
    """The change that waits for its confirmation."""


def rules_at(seen: Observation, only: Iterable[str] | None = None) -> list[RuleView]:
    """The rules as they were then, in order; those of the ids in `only`."""
    entries, wanted = seen.ruleset.entries, None if only is None else set(only)
    at = [i for i, entry in enumerate(entries) if wanted is None or entry.id in wanted]
    placed, raw = [(i + 1, entries[i]) for i in at], [seen.raw[i] for i in at]
    return rule_views(placed, raw, now=seen.now, hits=seen.hits, more=seen.more)


def rules_changed(old: Observation, new: Observation) -> RulesChanged | None:
    """The `rules` event; None when nothing about the rules is another."""
    expired = new.expired - old.expired
    if new.ruleset is old.ruleset and not expired:
        return None
    difference = diff(old.ruleset, new.ruleset)
    late = set(expired).difference(difference.added, difference.changed)
    changed = [
        *difference.changed,
        *(entry.id for entry in new.ruleset.entries if entry.id in late),
    ]
    if not (difference.added or difference.removed or changed or difference.moved):
        return None
    touched = {*difference.added, *changed, *difference.moved}
    return RulesChanged(
        revision=new.ruleset.revision,
        added=difference.added,
        removed=difference.removed,
        changed=changed,
        moved=difference.moved,
        rules=rules_at(new, touched),
        by=[change for change in new.trail if change.revision is not None],
    )


def policy_changed(old: Observation, new: Observation) -> PolicyChanged | None:
    """The `policy` event, or None."""
    if new.ruleset.policy == old.ruleset.policy:
        return None
    return PolicyChanged(
        revision=new.ruleset.revision,
        policy=new.ruleset.policy,
        by=[change for change in new.trail if change.revision is not None],
    )


def switch_changed(old: Observation, new: Observation) -> SwitchChanged | None:
    """The `switch` event, or None."""
    if new.on == old.on:
        return None
    words = ("on", "off", "found switched on", "found switched off")
    return SwitchChanged(on=new.on, by=[one for one in new.trail if one.action in words])


def pending_changed(old: Observation, new: Observation) -> PendingChanged | None:
    """The `pending` event, or None: the seconds that are left go by themselves."""
    if _waiting(old) == _waiting(new):
        return None
    return PendingChanged(
        revision=new.ruleset.revision,
        time=new.time,
        pending=new.pending,
        by=[one for one in new.trail if one.revision is not None],
    )


def _waiting(seen: Observation) -> tuple[int, str] | None:
    return None if seen.pending is None else (seen.pending.revision, seen.pending.until)


def counters_now(old: Observation | None, new: Observation) -> Counters:
    """The `counters` event, with the rules that changed since `old`; with none of them for None."""
    moved: list[RuleDelta] = []
    if old is not None and (new.counts is not old.counts or new.more != old.more):
        for rule_id, pair in new.counts.items():
            more, before = ([one.get(rule_id) for one in seen.more] for seen in (new, old))
            if old.counts.get(rule_id, (0, 0)) != pair or more != before:
                packets, size = pair
                hit = new.hits.get(rule_id)
                moved.append(
                    RuleDelta.model_construct(
                        id=rule_id,
                        packets=packets,
                        bytes=size,
                        limited=more[0],
                        answered=more[1],
                        last_hit=hit,
                    )
                )
    totals = [one.totals.policy_dropped for one in new.attachments]
    return Counters.model_construct(
        revision=new.ruleset.revision,
        time=new.time,
        rules=moved,
        attachments=list(new.attachments),
        policy_dropped=Count(
            packets=sum(one.packets for one in totals), bytes=sum(one.bytes for one in totals)
        ),
        events=new.events,
    )


def attachment_changes(trail: Iterable[Change]) -> list[Change]:
    """The entries about attachments."""
    return [one for one in trail if one.action.split(" ")[0] in ("attach", "detach")]
