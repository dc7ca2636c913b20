"""docs/reference/metrics.md: every series of /metrics, as the service's own collector has it."""

from __future__ import annotations

from xdpwall.api.routes.metrics import MetricsCollector
from xdpwall.views.attachments import AttachmentTotals, Totals
from xdpwall.views.base import Count
from xdpwall.views.events import EventCounts
from xdpwall.views.metrics import Fill, Metrics

from .markdown import code, page, table

_HEAD = """\
`GET /metrics` and `GET /api/v1/metrics` answer these in Prometheus' text format, or OpenMetrics for who accepts that.
[Metrics](../guides/metrics.md) says how to scrape them, that counters never go back, and how many series there can be."""


def metrics_page() -> str:
    """The page as Markdown."""
    rows = []
    for family in MetricsCollector(_sample(), {"wrong-token": 1}).collect():
        name = f"{family.name}_total" if family.type == "counter" else family.name
        labels = sorted({label for one in family.samples for label in one.labels})
        text = family.documentation.rstrip(".")
        rows.append([code(name), family.type, ", ".join(labels), text])
    return page("Metrics", _HEAD, table(["metric", "type", "labels", "what it says"], rows))


def _sample() -> Metrics:
    """Figures with one of everything, so that each series has its labels."""
    return Metrics(
        version="",
        on=True,
        revision=1,
        rules=1,
        enabled_rules=1,
        counted={"r1": Count()},
        limited={"r1": 0},
        left_out=0,
        attachments=[AttachmentTotals(iface="eth0", place="xdp", totals=Totals())],
        attached=[True],
        open_seconds=[0.0],
        unseen=[0],
        events=EventCounts(),
        fill={"slots": Fill(used=0, size=1)},
        sets={"blocked": 0},
        commits=[0, 0],
        commit_bounds=[1.0],
        commit_seconds=0.0,
    )
