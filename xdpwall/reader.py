"""The reading half of the facade: nothing here changes anything."""

from __future__ import annotations

import socket
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from . import __version__, advice, counters, namespace, ruleset, views
from .errors import XdpwallError
from .instance import Instance, now_text
from .lasthits import LastHits
from .model import AttachmentSpec, Rule, Ruleset
from .observing import Observation
from .pinnedcounters import read_pinned
from .ruleset import State
from .setviews import content_of
from .store import Snapshot
from .views_packets import EventCounts, EventsView

if TYPE_CHECKING:
    from .eventreader import EventReader
    from .views_metrics import Metrics

_FEW = 500
"""Rules whose counters are read one by one rather than by opening the whole data plane."""


class Reader:
    """What an instance says about itself. Works without maps in the kernel: counters are 0 then."""

    def __init__(self, instance: Instance, *, service: bool) -> None:
        self._instance = instance
        self._settings = instance.settings
        self._service = service
        self._hits = LastHits()

    def status(self) -> views.Status:
        """The head of everything; looks at each attachment in the kernel."""
        from .attachments import interface_names
        from .attachmentviews import (
            attachment_views,
            attachment_warnings,
            interface_views,
            unknown_programs,
        )
        from .orphans import orphans, words

        with self._instance.reading() as now:
            state = now.state
            mine = attachment_views(self._instance, now.attachments)
            others = [view for view in interface_views(self._instance, mine) if view.others]
            on, warnings = self._on(now)
            warnings += attachment_warnings(mine)
            warnings += unknown_programs(self._instance, now.attachments)
            warnings += [words(row) for row in orphans(self._instance, now.attachments)]
            warnings += advice.hook_warnings(now.attachments)
            warnings += advice.bypass_warnings(others)
            rules = [entry.rule for entry in state.entries if entry.rule.enabled]
            warnings += advice.rule_warnings(rules, now.attachments, interface_names())
            warnings += advice.policy_warnings(state.policy)
            return views.Status(
                version=__version__,
                host=socket.gethostname(),
                revision=state.revision,
                on=on,
                rules=len(state.entries),
                enabled_rules=len(rules),
                policy=state.policy,
                attachments=mine,
                others=others,
                warnings=warnings,
                state_dir=str(self._settings.state_dir),
                bpffs=str(self._settings.bpffs),
                netns=namespace.netns_inode(),
                service=self._service,
            )

    def interfaces(self) -> views.InterfaceList:
        """Every interface of the namespace."""
        from .attachmentviews import attachment_views, interface_views

        with self._instance.reading() as now:
            mine = attachment_views(self._instance, now.attachments)
            return views.InterfaceList(interfaces=interface_views(self._instance, mine))

    def rules(self) -> views.RuleList:
        """All rules in order, with counters."""
        with self._instance.reading() as now:
            return views.RuleList(revision=now.state.revision, rules=self._views(now.state))

    def rule(self, rule_id: str) -> views.RuleView:
        """One rule; NotFound."""
        with self._instance.reading() as now:
            ruleset.find_rule(now.state, rule_id)
            return self._views(now.state, [rule_id])[0]

    def policy(self) -> views.Policy:
        """What happens to packets that no rule decides."""
        with self._instance.reading() as now:
            return now.state.policy

    def stats(self) -> views.Stats:
        """Every counter at one moment."""
        with self._instance.reading() as now:
            return views.Stats(
                revision=now.state.revision,
                on=self._on(now)[0],
                time=time.monotonic(),
                rules=counters.rule_counts(now.state, self._raw(now.state)),
                attachments=self._totals(now),
            )

    def advise(self, rule: Rule) -> list[str]:
        """What to know about a rule that is not added yet, with the attachments in place."""
        from .attachments import interface_names

        with self._instance.reading() as now:
            return advice.rule_warnings([rule], now.attachments, interface_names())

    def observe(self, before: Observation | None = None) -> Observation:
        """One look, for the service's events; `before` is the last one."""
        with self._instance.reading() as now:
            state = now.state
            raw = self._raw(state)
            mark, trail = self._instance.store.trail(
                None if before is None else before.mark, state.revision
            )
            if before is not None and before.state is state and before.raw == raw:
                counts, hits = before.counts, before.hits
            else:
                counts = {
                    entry.id: counters.since_reset(entry, pair)
                    for entry, pair in zip(state.entries, raw, strict=True)
                }
                hits = self._hits.known(state.entries)
            moment = now_text()
            return Observation(
                state=state,
                on=self._on(now)[0],
                time=time.monotonic(),
                now=moment,
                raw=raw,
                counts=counts,
                hits=hits,
                attachments=tuple(self._totals(now)),
                expired=frozenset(
                    entry.id for entry in state.entries if counters.has_expired(entry, moment)
                ),
                mark=mark,
                trail=trail,
                events=self._event_counts(),
            )

    def health(self) -> views.Health:
        """Never raises for what it can say as a problem."""
        revision, problems = 0, []
        try:
            with self._instance.reading() as now:
                revision = now.state.revision
                problems = self._on(now)[1]
        except XdpwallError as error:
            problems = [error.message]
        netns = namespace.netns_inode()
        return views.Health(
            status="degraded" if problems else "ok",
            version=__version__,
            revision=revision,
            state_dir_id=namespace.instance_digest(self._settings.state_dir, netns),
            netns=netns,
            problems=problems,
        )

    def ruleset(self, *, sets: bool = False) -> tuple[int, Ruleset]:
        """The revision, and what `apply` takes back; with what sets hold when asked for."""
        with self._instance.reading() as now:
            specs = tuple(
                AttachmentSpec(row.iface, row.hook, row.direction, row.wanted or "auto")
                for row in now.attachments
            )
            rules = tuple(entry.rule for entry in now.state.entries)
            store = self._instance.store.sets
            held = {row.name: content_of(store, row) for row in now.state.sets} if sets else None
            return now.state.revision, Ruleset(rules, now.state.policy, specs, held)

    def metrics(self) -> Metrics:
        """What /metrics shows."""
        from .metrics import metrics

        with self._instance.reading() as now:
            return metrics(self._instance, now, on=self._on(now)[0], raw=self._raw(now.state))

    def events(self) -> EventsView:
        """Which packets become events, and how many did."""
        from .eventreader import holder

        with self._instance.reading() as now:
            dataplane = self._instance.dataplane()
            reader = holder(self._settings.state_dir)
            if dataplane is None:
                return EventsView(settings=now.events, counts=EventCounts(), reader=reader)
            found = dataplane.events
            return EventsView(settings=found.read(), counts=found.counts(), reader=reader)

    def _event_counts(self) -> EventCounts:
        dataplane = self._instance.dataplane()
        return EventCounts() if dataplane is None else dataplane.events.counts()

    def event_reader(self, who: str) -> EventReader:
        """The events as they come; one reader at a time. Conflict "events-taken"."""
        from .eventreader import EventReader

        return EventReader(self._settings, who)

    # -- inside ----------------------------------------------------------------------------------
    def _views(self, state: State, ids: Sequence[str] | None = None) -> list[views.RuleView]:
        if ids is None:
            entries, raw = state.entries, self._raw(state)
            placed = list(enumerate(entries, 1))
        else:
            entries = tuple(ruleset.find_rule(state, rule_id) for rule_id in ids)
            placed = [(state.place(entry) + 1, entry) for entry in entries]
            raw = self._read([entry.slot for entry in entries])
        hits = self._hits.known(entries)
        return counters.rule_views(placed, raw, now=now_text(), hits=hits)

    def _totals(self, now: Snapshot) -> list[views.AttachmentTotals]:
        from .attachmentviews import totals_of

        return [
            views.AttachmentTotals(iface=row.iface, place=row.place, totals=one)
            for row, one in zip(
                now.attachments, totals_of(self._instance, now.attachments), strict=True
            )
        ]

    def _raw(self, state: State) -> list[counters.Counts]:
        """(packets, bytes) of every entry, as the kernel counts."""
        raw = self._read([entry.slot for entry in state.entries])
        if self._service:
            self._hits.note(state.entries, raw, now_text())
        return raw

    def _read(self, slots: Sequence[int]) -> list[counters.Counts]:
        if len(slots) <= _FEW and not self._instance.has_dataplane:
            return read_pinned(self._settings.bpffs, slots)
        dataplane = self._instance.dataplane()
        return [(0, 0)] * len(slots) if dataplane is None else dataplane.read_counters(slots)

    def _on(self, now: Snapshot) -> tuple[bool, list[str]]:
        """Whether packets are judged, and what is wrong with the kernel's side."""
        dataplane = self._instance.dataplane()
        on = now.on if dataplane is None else dataplane.control.on
        problems = [] if on else ["the firewall is switched off: everything passes (xdpwall on)"]
        if dataplane is None and (now.state.revision or now.attachments):
            problems.append("nothing is loaded in the kernel: xdpwall restore")
        elif dataplane is not None and dataplane.control.revision != now.state.revision:
            problems.append(
                f"the kernel holds revision {dataplane.control.revision}, the disk "
                f"{now.state.revision}: xdpwall restore"
            )
        return on, problems
