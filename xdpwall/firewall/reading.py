"""The methods of the facade that change nothing."""

from __future__ import annotations

import socket
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from xdpwall.attach.in_place import stand_in_warnings
from xdpwall.attach.interfaces import interface_names
from xdpwall.attach.warnings import (
    bypass_warnings,
    expired_warnings,
    hook_warnings,
    policy_warnings,
    rule_warnings,
)
from xdpwall.changes.ownership import foreign_kernel
from xdpwall.changes.transactions import reading
from xdpwall.changes.unrecorded import unrecorded_attachments
from xdpwall.dataplane.pinned_counters import read_pinned
from xdpwall.errors import MISSING_PIN, Failed, XdpwallError
from xdpwall.instance import namespace
from xdpwall.instance.instance import Instance
from xdpwall.rule.rule import Rule
from xdpwall.ruleset.attachment import Attachment
from xdpwall.ruleset.committed import CommittedRuleset, find_rule
from xdpwall.ruleset.policy import Policy
from xdpwall.ruleset.ruleset import Ruleset
from xdpwall.store.records import Snapshot
from xdpwall.values.switched_off import SWITCHED_OFF
from xdpwall.values.terms import Counts
from xdpwall.version import __version__
from xdpwall.views.attachments import AttachmentTotals, AttachmentView, InterfaceList
from xdpwall.views.events import EventCounts, EventsView
from xdpwall.views.rules import RuleList, RuleView
from xdpwall.views.status import Health, Stats, Status

from .native_warnings import native_warnings
from .observation import Observation
from .pending import pending_view
from .real_names import with_real_names
from .rule_views import LastHits, has_expired, rule_counts, rule_views, since_reset
from .set_views import content_of
from .sight_reader import SightReader
from .state_folder import copy_warnings, folder_problems, known_policy

if TYPE_CHECKING:
    from xdpwall.events.reader import EventReader
    from xdpwall.views.metrics import Metrics

_FEW = 500
"""Rules whose counters are read one by one, without opening the whole data plane."""


class ReadMethods:
    """Reads an instance, also without maps in the kernel: counters are 0 then."""

    def __init__(self, instance: Instance, *, service: bool) -> None:
        self._instance = instance
        self._settings = instance.settings
        self._service = service
        self._hits = LastHits()
        self._sight = SightReader(instance)
        self.copy_error: str | None = None  # why the second copy could not be written last

    def status(self) -> Status:
        """Switch, policy, attachments as the kernel has them, and warnings."""
        from xdpwall.attach.orphans import describe_orphan, find_orphans

        from .attachment_views import (
            attachment_warnings,
            interface_views,
            stray_warnings,
            unrecorded_warnings,
        )

        with reading(self._instance, blind=True) as now:
            self._instance.store.examine()
            ruleset = now.ruleset
            unjudged = self._unjudged(now)  # and what it finds is in the views
            unrecorded = unrecorded_attachments(self._instance)
            attacher, mine = self._instance.attacher, self._attachment_views(now, unrecorded)
            foreign = foreign_kernel(self._instance, now)
            others = [view for view in interface_views(attacher, mine) if view.others]
            on, warnings = self._switch_state(now)
            warnings += copy_warnings(self._instance, self._service)
            warnings += attachment_warnings(mine)
            warnings += stand_in_warnings(attacher)
            warnings += stray_warnings(attacher, self._instance.dataplane(), now.attachments)
            warnings += unjudged
            if foreign is None:
                warnings += unrecorded_warnings(unrecorded)
            warnings += [describe_orphan(row) for row in find_orphans(attacher, now.attachments)]
            warnings += hook_warnings(now.attachments)
            for view in others:
                warnings += bypass_warnings(view.name, view.others)
            rules = [entry.rule for entry in ruleset.entries if entry.rule.enabled]
            warnings += rule_warnings(rules, now.attachments, interface_names())
            warnings += policy_warnings(ruleset.policy)
            return Status(
                version=__version__,
                host=socket.gethostname(),
                revision=ruleset.revision,
                on=on,
                rules=len(ruleset.entries),
                enabled_rules=len(rules),
                policy=ruleset.policy,
                attachments=mine,
                others=others,
                warnings=warnings,
                state_dir=str(self._settings.state_dir),
                bpffs=str(self._settings.bpffs),
                netns=namespace.netns_inode(),
                service=self._service,
                kernel=foreign[1] if foreign else None,
                pending=pending_view(self._instance, now.unconfirmed),
            )

    def interfaces(self) -> InterfaceList:
        """Every interface of the namespace."""
        from .attachment_views import interface_views

        with reading(self._instance, blind=True) as now:
            unrecorded = unrecorded_attachments(self._instance)
            mine = self._attachment_views(now, unrecorded)
            return InterfaceList(interfaces=interface_views(self._instance.attacher, mine))

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
                rules=rule_counts(now.ruleset, self._raw(now.ruleset)),
                attachments=self._totals(now),
            )

    def advise(self, rule: Rule) -> list[str]:
        """Warnings about a rule that is not added yet, with the attachments in place."""
        (rule,), said = with_real_names([rule])
        with reading(self._instance) as now:
            said += rule_warnings([rule], now.attachments, interface_names())
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
            specs = tuple(row.spec for row in now.attachments)
            rules = tuple(entry.rule for entry in now.ruleset.entries)
            store = self._instance.store.sets
            moment, rows = self._instance.clock.seconds(), now.ruleset.sets
            held = {row.name: content_of(store, row, moment) for row in rows} if sets else None
            return now.ruleset.revision, Ruleset(rules, now.ruleset.policy, specs, held)

    def metrics(self) -> Metrics:
        """The figures of /metrics."""
        from .metrics import read_metrics

        with reading(self._instance, blind=True) as now:
            on, raw = self._switch_state(now)[0], self._raw(now.ruleset)
            attachments = self._attachment_views(now, unrecorded_attachments(self._instance))
            dataplane = self._instance.dataplane()
            store = self._instance.store
            opened = [self._open_seconds(view) for view in attachments]
            return read_metrics(
                store, dataplane, now, attachments, on=on, raw=raw, open_seconds=opened
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

        return EventReader(self._settings, who)

    # -- inside ----------------------------------------------------------------------------------
    def _open_seconds(self, view: AttachmentView) -> float | None:
        """For how long the interface was there without our program; None when nobody watches.
        Firewall overrides it."""
        return None

    def _out_of_place(self, now: Snapshot) -> list[str]:
        """A sentence for each attachment that is wanted and not in place, asked in microseconds."""
        from xdpwall.attach.in_place import place_warnings

        settled = [row for row in now.attachments if row.intent == "attached"]
        return place_warnings(self._instance.attacher, settled, search=False)

    def _views(self, ruleset: CommittedRuleset, ids: Sequence[str] | None = None) -> list[RuleView]:
        if ids is None:
            entries, raw = ruleset.entries, self._raw(ruleset)
            placed = list(enumerate(entries, 1))
        else:
            entries = tuple(find_rule(ruleset, rule_id) for rule_id in ids)
            placed = [(ruleset.place(entry) + 1, entry) for entry in entries]
            raw = self._read([entry.slot for entry in entries])
        hits = self._hits.known(entries)
        return rule_views(placed, raw, now=self._instance.clock.now_text(), hits=hits)

    def _totals(self, now: Snapshot) -> list[AttachmentTotals]:
        if not now.attachments:
            return []
        from .attachment_views import attachment_totals

        totals = attachment_totals(self._instance.dataplane(), now.attachments)
        return [
            AttachmentTotals(iface=row.iface, place=row.place, totals=one)
            for row, one in zip(now.attachments, totals, strict=True)
        ]

    def _attachment_views(
        self, now: Snapshot, unrecorded: Sequence[Attachment]
    ) -> list[AttachmentView]:
        rows = [*now.attachments, *unrecorded]
        if not rows:
            return []
        from .attachment_views import attachment_views, blind_view

        dataplane = self._instance.dataplane()
        found = attachment_views(self._instance.attacher, dataplane, rows)
        return [
            blind_view(view, unseen) if (unseen := self._sight.unseen(row)) else view
            for view, row in zip(found, rows, strict=True)
        ]

    def _unjudged(self, now: Snapshot) -> list[str]:
        """Warn of attachments that are in place and do not see, or lose, what their interface receives."""
        if not self._service:  # whose thread looks by itself
            self._look(now)
        dataplane = self._instance.dataplane() if now.attachments else None
        return [
            *self._sight.warnings(now.attachments),
            *native_warnings(self._instance, dataplane, now.attachments),
        ]

    def _look(self, now: Snapshot) -> list[Attachment]:
        dataplane = self._instance.dataplane() if now.attachments else None
        on = dataplane is not None and dataplane.control.read().on
        return self._sight.look(dataplane, now.attachments, on=on)

    def look(self) -> list[Attachment]:
        """Compare what attachments have seen with what their interfaces received, now and when it was
        last done. Returns those that are found to see nothing with this one."""
        with reading(self._instance) as now:
            return self._look(now)

    def _raw(self, ruleset: CommittedRuleset) -> list[Counts]:
        """(packets, bytes) of every entry, as the kernel counts."""
        raw = self._read([entry.slot for entry in ruleset.entries])
        if self._service:
            self._hits.note(ruleset.entries, raw, self._instance.clock.now_text())
        return raw

    def _read(self, slots: Sequence[int]) -> list[Counts]:
        if len(slots) <= _FEW and not self._instance.has_dataplane:
            try:
                return read_pinned(self._settings.bpffs, slots)
            except Failed as error:
                if error.code != MISSING_PIN:
                    raise
        dataplane = self._instance.dataplane()
        return [(0, 0)] * len(slots) if dataplane is None else dataplane.counters.read(slots)

    def _switch_state(self, now: Snapshot) -> tuple[bool, list[str]]:
        """Whether the firewall is on, and the problems of what is loaded in the kernel."""
        dataplane = self._instance.dataplane()
        on = now.on if dataplane is None else dataplane.control.read().on
        problems = [*([] if on else [SWITCHED_OFF]), *self._instance.clock.warnings()]
        problems += folder_problems(self._instance, self.copy_error)
        if dataplane is None and (now.ruleset.revision or now.attachments):
            problems.append("nothing is loaded in the kernel: xdpwall restore")
        elif foreign := foreign_kernel(self._instance, now):
            problems.append(f"{foreign[0].message}; {foreign[0].hint}")
        elif dataplane is not None and dataplane.control.read().revision != now.ruleset.revision:
            problems.append(
                f"the kernel holds revision {dataplane.control.read().revision}, the disk "
                f"{now.ruleset.revision}: xdpwall restore"
            )
        return on, problems
