"""The figures of /metrics, which only rise while the kernel's maps live.

A rule's count is what its slot says and what its earlier slots had counted (store.figures), so
that neither an edit, which takes a new slot, nor reset-counters, which sets a baseline, shows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from operator import attrgetter
from typing import TYPE_CHECKING

from xdpwall.abi import FLOW_BUCKET, SLOTS
from xdpwall.store.metrics import BUCKETS
from xdpwall.store.records import Snapshot
from xdpwall.values.terms import Counts
from xdpwall.version import __version__
from xdpwall.views.attachments import AttachmentTotals, AttachmentView
from xdpwall.views.base import Count
from xdpwall.views.events import EventCounts
from xdpwall.views.metrics import MOST_RULES, Fill, Metrics

from .flows import flow_fill, tracks
from .rule_views import answering_slots, rated_slots

if TYPE_CHECKING:
    from xdpwall.dataplane.dataplane import Dataplane
    from xdpwall.store.store import Store


def read_metrics(
    store: Store,
    dataplane: Dataplane | None,
    now: Snapshot,
    attachments: Sequence[AttachmentView],
    *,
    on: bool,
    raw: Sequence[Counts],
    open_seconds: Sequence[float | None],
) -> Metrics:
    """Collect the figures. `raw`: (packets, bytes) of each entry of the ruleset in the kernel;
    `open_seconds`: of each attachment, None when nobody watches. To be called within
    transactions.reading()."""
    ruleset, figures = now.ruleset, store.figures()
    # Rules of one commit are equally old; then by slot, which a rule keeps wherever it moves.
    age = attrgetter("created", "slot")
    shown = sorted(zip(ruleset.entries, raw, strict=True), key=lambda pair: age(pair[0]))
    counted, limited, answered = {}, {}, {}
    for entry, (packets, size) in shown[:MOST_RULES]:
        before = figures.carried.get(entry.id, (0, 0))
        counted[entry.id] = Count(packets=packets + before[0], bytes=size + before[1])
    listed = [entry for entry, _ in shown[:MOST_RULES]]
    rated, answering = rated_slots(listed), answering_slots(listed)
    if dataplane is not None:
        rates = dataplane.map_set.rates
        limited = dict(zip(rated, rates.limited_ever(list(rated.values())), strict=True))
        answers = rates.answered_ever(list(answering.values()))
        answered = dict(zip(answering, answers, strict=True))
    enabled = sum(entry.rule.enabled for entry in ruleset.entries)
    fill = {"slots": Fill(used=len(ruleset.entries), size=SLOTS)}
    held = store.sets.entry_counts()
    known = {
        **figures.fill,
        "positions": enabled,
        "rates": len(rated_slots(ruleset.entries)),
        "set4": sum(one.v4 for one in held.values()),
        "set6": sum(one.v6 for one in held.values()),
    }
    flows = flow_fill(dataplane) if dataplane is not None and tracks(dataplane) else None
    known["flows"] = 0 if flows is None else max(flows.ipv4, flows.ipv6)
    if dataplane is not None:
        for name, size in asdict(dataplane.map_set.sizes).items():
            if size > (FLOW_BUCKET if name == "flows" else 1):  # else the maps are not in use
                fill[name] = Fill(used=min(size, known.get(name, 0)), size=size)
    return Metrics(
        version=__version__,
        on=on,
        revision=ruleset.revision,
        rules=len(ruleset.entries),
        enabled_rules=enabled,
        counted=counted,
        limited=limited,
        answered=answered,
        forgotten=0 if dataplane is None else dataplane.map_set.rates.forgotten,
        left_out=max(0, len(ruleset.entries) - MOST_RULES),
        attachments=[
            AttachmentTotals(iface=one.iface, place=one.place, totals=one.totals)
            for one in attachments
        ],
        attached=[one.state == "attached" for one in attachments],
        open_seconds=list(open_seconds),
        unseen=[one.unseen for one in attachments],
        events=EventCounts() if dataplane is None else dataplane.events.counts(),
        flows=flows,
        fill=fill,
        sets={row.name: held[row.number].total for row in ruleset.sets if row.number in held},
        commits=list(figures.commits.buckets),
        commit_bounds=list(BUCKETS),
        commit_seconds=figures.commits.seconds,
    )
