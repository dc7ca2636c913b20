"""The methods of the facade that change nothing."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from xdpwall.attach.relations import related, words_for_interfaces
from xdpwall.attach.warnings import (
    expired_warnings,
    rule_warnings,
)
from xdpwall.changes.transactions import reading
from xdpwall.changes.unrecorded import unrecorded_attachments
from xdpwall.dataplane.pinned_counters import read_pinned
from xdpwall.errors import MISSING_PIN, Failed, XdpwallError
from xdpwall.instance import namespace
from xdpwall.instance.instance import Instance
from xdpwall.rule.rule import Rule
from xdpwall.ruleset.attachment import stated_attachments
from xdpwall.ruleset.committed import CommittedRuleset, find_rule
from xdpwall.ruleset.index import RuleEntry
from xdpwall.ruleset.policy import Policy
from xdpwall.ruleset.ruleset import Ruleset
from xdpwall.store.records import Snapshot
from xdpwall.values.terms import Counts
from xdpwall.version import __version__
from xdpwall.views.attachments import AttachmentTotals, AttachmentView
from xdpwall.views.events import EventCounts, EventsView
from xdpwall.views.metrics import PatternSpells
from xdpwall.views.rules import RuleList, RuleView
from xdpwall.views.status import Health, Stats

from .container_names import NamesLook
from .observation import Observation
from .pending import pending_view
from .real_names import with_real_names
from .rule_views import (
    LastHits,
    MoreCounts,
    answering_slots,
    has_expired,
    rated_slots,
    rule_counts,
    rule_views,
    since_reset,
)
from .set_views import content_of
from .state_folder import known_policy
from .status import StatusMethods

if TYPE_CHECKING:
    from xdpwall.events.reader import EventReader
    from xdpwall.views.metrics import Metrics

_FEW = 500
"""Rules whose counters are read one by one, without opening the whole data plane."""


class ReadMethods(StatusMethods):
    """Reads an instance, also without maps in the kernel: counters are 0 then."""

    def __init__(self, instance: Instance, *, service: bool) -> None:
        super().__init__(instance, service=service)
        self._hits = LastHits()
        self._counting_more: tuple[Sequence[RuleEntry], MoreCounts] = ((), MoreCounts())

    def rules(self) -> RuleList:
        """All rules in order, with counters."""
        with reading(self._instance) as now:
            return RuleList(revision=now.ruleset.revision, rules=self._views(now.ruleset))

    def rule(self, rule_id: str) -> RuleView:
        """One rule; NotFound."""
        with reading(self._instance) as now:
            find_rule(now.ruleset, rule_id)
            return self._views(now.ruleset, [rule_id])[0]

    def policy(self) -> Policy:
        """The verdicts on packets that no rule decides."""
        with reading(self._instance, blind=True) as now:
            return known_policy(self._instance, now)

    def stats(self) -> Stats:
        """Every counter at one moment."""
        with reading(self._instance, blind=True) as now:
            return Stats(
                revision=now.ruleset.revision,
                on=self._switch_state(now)[0],
                time=time.monotonic(),
                rules=rule_counts(
                    now.ruleset, self._raw(now.ruleset), self._more_counts(now.ruleset.entries)
                ),
                attachments=self._totals(now),
            )

    def advise(self, rule: Rule) -> list[str]:
        """Warnings about a rule that is not added yet, with the attachments in place."""
        (rule,), said = with_real_names([rule])
        with reading(self._instance) as now:
            rows = related(now.attachments, [rule], self._settings.containers)
            said += rule_warnings(
                [rule], rows, words_for_interfaces([rule], rows, self._settings.containers)
            )
            return said + expired_warnings([rule], self._instance.clock.now_text())

    def observe(self, before: Observation | None = None) -> Observation:
        """The state now, for the service's events; `before` is the observation before."""
        with reading(self._instance, blind=True) as now:
            ruleset = now.ruleset
            raw = self._raw(ruleset)
            mark, trail = self._instance.store.audit.since(
                None if before is None else before.mark, ruleset.revision
            )
            if before is not None and before.ruleset is ruleset and before.raw == raw:
                counts, hits = before.counts, before.hits
            else:
                counts = {
                    entry.id: since_reset(entry, pair)
                    for entry, pair in zip(ruleset.entries, raw, strict=True)
                }
                hits = self._hits.known(ruleset.entries)
            moment = self._instance.clock.now_text()
            return Observation(
                ruleset=ruleset,
                on=self._switch_state(now)[0],
                time=time.monotonic(),
                now=moment,
                raw=raw,
                counts=counts,
                hits=hits,
                attachments=tuple(self._totals(now)),
                expired=frozenset(
                    entry.id for entry in ruleset.entries if has_expired(entry, moment)
                ),
                mark=mark,
                trail=trail,
                out_of_place=tuple(self._out_of_place(now)),
                events=self._event_counts(),
                more=self._more_counts(ruleset.entries),
                pending=pending_view(self._instance, now.unconfirmed),
            )

    def health(self) -> Health:
        """The health of the instance; errors are among its problems and are not raised."""
        revision, problems = 0, []
        try:
            with reading(self._instance, blind=True) as now:
                revision = now.ruleset.revision
                problems = self._switch_state(now)[1] + self._out_of_place(now)
                problems += self._unjudged(now)
        except XdpwallError as error:
            problems = [error.message]
        netns = namespace.netns_inode()
        return Health(
            status="degraded" if problems else "ok",
            version=__version__,
            revision=revision,
            state_dir_id=namespace.instance_digest(self._settings.state_dir, netns),
            netns=netns,
            problems=problems,
        )

    def ruleset(self, *, sets: bool = False) -> tuple[int, Ruleset]:
        """The revision, and what `apply` takes back; with what sets hold when asked for."""
        with reading(self._instance) as now:
            specs = stated_attachments(now.attachments, now.patterns)
            rules = tuple(entry.rule for entry in now.ruleset.entries)
            store = self._instance.store.sets
            moment, rows = self._instance.clock.seconds(), now.ruleset.sets
            held = {row.name: content_of(store, row, moment) for row in rows} if sets else None
            return now.ruleset.revision, Ruleset(
                rules, now.ruleset.policy, specs, held, timeouts=now.ruleset.timeouts
            )

    def metrics(self) -> Metrics:
        """The figures of /metrics."""
        from .metrics import read_metrics
        from .wanted_views import missing_places

        with reading(self._instance, blind=True) as now:
            on, raw = self._switch_state(now)[0], self._raw(now.ruleset)
            attachments = self._attachment_views(now, unrecorded_attachments(self._instance))
            dataplane = self._instance.dataplane()
            store = self._instance.store
            opened = [self._open_seconds(view) for view in attachments]
            found = read_metrics(
                store, dataplane, now, attachments, on=on, raw=raw, open_seconds=opened
            )
            missing = missing_places(self._instance.attacher, now.patterns, now.attachments)
            return found.model_copy(
                update={
                    "patterns": self._pattern_spells(),
                    "unfiltered": [one.key for one, _ in missing],
                }
            )

    def events(self) -> EventsView:
        """The settings of events, and how many packets became some."""
        from xdpwall.events.reader import event_reader_name

        with reading(self._instance) as now:
            dataplane = self._instance.dataplane()
            reader = event_reader_name(self._settings.state_dir)
            if dataplane is None:
                return EventsView(settings=now.events, counts=EventCounts(), reader=reader)
            found = dataplane.events
            return EventsView(settings=found.read(), counts=found.counts(), reader=reader)

    def _event_counts(self) -> EventCounts:
        dataplane = self._instance.dataplane()
        return EventCounts() if dataplane is None else dataplane.events.counts()

    def event_reader(self, who: str) -> EventReader:
        """The events as they come; one reader at a time. Conflict "events-taken"."""
        from xdpwall.events.reader import EventReader

        return EventReader(self._settings, who, NamesLook(self._settings.containers))

    # -- inside ----------------------------------------------------------------------------------
    def _open_seconds(self, view: AttachmentView) -> float | None:
        """For how long the interface was there without our program; None when nobody watches.
        Firewall overrides it."""
        return None

    def _pattern_spells(self) -> dict[str, PatternSpells]:
        """For how long interfaces were there before a pattern attached them. Firewall overrides it."""
        return {}

    def _out_of_place(self, now: Snapshot) -> list[str]:
        """A sentence for each attachment that is wanted and not in place, asked in microseconds."""
        from xdpwall.attach.in_place import place_warnings

        from .wanted_views import unfiltered

        settled = [row for row in now.attachments if row.intent == "attached"]
        attacher = self._instance.attacher
        missing = unfiltered(attacher, now.patterns, now.attachments)
        return [*place_warnings(attacher, settled, search=False), *missing]

    def _views(self, ruleset: CommittedRuleset, ids: Sequence[str] | None = None) -> list[RuleView]:
        if ids is None:
            entries, raw = ruleset.entries, self._raw(ruleset)
            placed = list(enumerate(entries, 1))
        else:
            entries = tuple(find_rule(ruleset, rule_id) for rule_id in ids)
            placed = [(ruleset.place(entry) + 1, entry) for entry in entries]
            raw = self._read([entry.slot for entry in entries])
        hits = self._hits.known(entries)
        moment, more = self._instance.clock.now_text(), self._more_counts(entries)
        return rule_views(placed, raw, now=moment, hits=hits, more=more)

    def _totals(self, now: Snapshot) -> list[AttachmentTotals]:
        if not now.attachments:
            return []
        from .attachment_views import attachment_totals

        totals = attachment_totals(self._instance.dataplane(), now.attachments)
        return [
            AttachmentTotals(iface=row.iface, place=row.place, totals=one)
            for row, one in zip(now.attachments, totals, strict=True)
        ]

    def _raw(self, ruleset: CommittedRuleset) -> list[Counts]:
        """(packets, bytes) of every entry, as the kernel counts."""
        raw = self._read([entry.slot for entry in ruleset.entries])
        if self._service:
            self._hits.note(ruleset.entries, raw, self._instance.clock.now_text())
        return raw

    def _more_counts(self, entries: Sequence[RuleEntry]) -> MoreCounts:
        """What rules with a rate or `cookie` count besides."""
        known, slots = self._counting_more
        if known is not entries:
            slots = MoreCounts(rated_slots(entries), answering_slots(entries))
            self._counting_more = entries, slots
        dataplane = self._instance.dataplane() if any(slots) else None
        if dataplane is None:
            return MoreCounts(*(dict.fromkeys(one, 0) for one in slots))
        rates = dataplane.map_set.rates
        limited = rates.limited(list(slots.limited.values()))
        answered = rates.answered(list(slots.answered.values()))
        return MoreCounts(
            dict(zip(slots.limited, limited, strict=True)),
            dict(zip(slots.answered, answered, strict=True)),
        )

    def _read(self, slots: Sequence[int]) -> list[Counts]:
        if len(slots) <= _FEW and not self._instance.has_dataplane:
            try:
                return read_pinned(self._settings.bpffs, slots)
            except Failed as error:
                if error.code != MISSING_PIN:
                    raise
        dataplane = self._instance.dataplane()
        return [(0, 0)] * len(slots) if dataplane is None else dataplane.counters.read(slots)
