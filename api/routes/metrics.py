"""/metrics in Prometheus' format, by its own client. It needs the token like everything else."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from fastapi import APIRouter, Request
from prometheus_client import CollectorRegistry
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector
from starlette.responses import Response

from xdpwall.api.request import NO_INPUT, ReadCall
from xdpwall.api.roles import METRICS
from xdpwall.views.metrics import Metrics

router = APIRouter(tags=["firewall"])

EXAMPLE = """\
# HELP xdpwall_rule_packets_total Packets that a rule matched.
# TYPE xdpwall_rule_packets_total counter
xdpwall_rule_packets_total{rule="r1"} 12.0
"""
ANSWER: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "Prometheus' text format, or OpenMetrics for who accepts that",
        "content": {"text/plain": {"schema": {"type": "string"}, "example": EXAMPLE}},
    }
}


@router.get(
    "/metrics", responses=ANSWER, dependencies=[METRICS, *NO_INPUT], response_class=Response
)
async def metrics(request: Request, call: ReadCall) -> Response:
    """Counters never go back while the kernel's maps live (docs/guides/metrics.md)."""
    accepted = request.headers.get("accept", "")
    refused = dict(request.app.state.refusals.counts)

    def work(found: Metrics) -> Response:
        content, kind = exposition(found, accepted, refused)
        return Response(content, headers={"content-type": kind})

    return await call.read(lambda firewall: work(firewall.metrics()))


def exposition(found: Metrics, accepted: str, refused: Mapping[str, int]) -> tuple[bytes, str]:
    """The text and its type. `accepted` is the scraper's Accept header, `refused` how many requests
    were by code; they count from the service's start."""
    encode, kind = _encoder(accepted)
    registry = CollectorRegistry(auto_describe=False)
    registry.register(MetricsCollector(found, refused))
    return encode(registry), kind


def _encoder(accepted: str) -> tuple[Callable[[CollectorRegistry], bytes], str]:
    """The encoder and its media type; the plain text format for what is not understood."""
    try:
        return choose_encoder(accepted)
    except (AttributeError, IndexError, TypeError, ValueError):
        # The library compares versions without looking at them: `version=a`, `version=`.
        return choose_encoder("")


class MetricsCollector(Collector):
    """The metrics of one scrape; nothing is kept between two."""

    def __init__(self, found: Metrics, refused: Mapping[str, int]) -> None:
        self._found = found
        self._refused = refused

    def collect(self) -> Iterator[Metric]:
        """In the order of the documentation."""
        found = self._found
        yield _gauge("build_info", "The version, as a label; always 1.", {"version": found.version})
        yield _gauge("on", "1 while packets are judged, 0 after `xdpwall off`.", value=found.on)
        yield _gauge("revision", "The ruleset in force.", value=found.revision)
        yield _gauge("rules", "Rules, the disabled ones too.", value=found.rules)
        yield _gauge("rules_enabled", "Rules that are enabled.", value=found.enabled_rules)
        yield from self._rules()
        yield from self._attachments()
        yield from self._patterns()
        yield self._events()
        yield from self._flows()
        yield from self._maps()
        yield self._commits()
        text = "Requests and connections refused since the service started."
        refused = _counter("refused_requests", text, "code")
        for code, count in self._refused.items():
            refused.add_metric([code], count)
        yield refused

    def _rules(self) -> Iterator[Metric]:
        packets = _counter("rule_packets", "Packets that a rule matched.", "rule")
        size = _counter("rule_bytes", "Bytes of the packets that a rule matched.", "rule")
        for rule, count in self._found.counted.items():
            packets.add_metric([rule], count.packets)
            size.add_metric([rule], count.bytes)
        yield packets
        yield size
        text = "Packets that only the rate of a rule kept from matching it."
        limited = _counter("rule_limited_packets", text, "rule")
        for rule, number in self._found.limited.items():
            limited.add_metric([rule], number)
        yield limited
        text = "SYNs that a rule with cookie answered at XDP; among its packets."
        answered = _counter("rule_answered_syns", text, "rule")
        for rule, number in self._found.answered.items():
            answered.add_metric([rule], number)
        yield answered
        text = "Sources with a bucket of their own whose place another one took too soon."
        forgotten = _counter("rate_sources_forgotten", text)
        forgotten.add_metric([], self._found.forgotten)
        yield forgotten
        text = "Rules without series of their own: those past the oldest 1,000."
        yield _gauge("rules_left_out", text, value=self._found.left_out)

    def _attachments(self) -> Iterator[Metric]:
        labels = ("iface", "hook")
        up = GaugeMetricFamily(
            "xdpwall_attachment_up", "1 when the attachment's program is in place.", labels=labels
        )
        unfiltered = _counter(
            "attachment_open_seconds",
            "Seconds in which the interface was there without the program, since the service began.",
            *labels,
        )
        unseen = GaugeMetricFamily(
            "xdpwall_attachment_unseen_packets",
            "Packets received since the attachment saw its last one, once it is known to see nothing.",
            labels=labels,
        )
        packets = _counter("attachment_packets", "Packets judged.", *labels, "verdict")
        size = _counter("attachment_bytes", "Bytes of packets judged.", *labels, "verdict")
        named = {
            "policy_dropped": "Packets dropped since no rule decided.",
            "malformed": "Packets of which something could not be read.",
            "errors": "Packets that could not be judged at all, and passed.",
        }
        more = {
            name: _counter(f"attachment_{name}_packets", text, *labels)
            for name, text in named.items()
        }
        found = self._found
        rows = zip(found.attachments, found.attached, found.open_seconds, found.unseen, strict=True)
        for one, attached, seconds, missed in rows:
            where = [one.iface, one.place]
            up.add_metric(where, attached)
            unseen.add_metric(where, missed)
            if seconds is not None:
                unfiltered.add_metric(where, seconds)
            for verdict in ("passed", "dropped"):
                count = getattr(one.totals, verdict)
                packets.add_metric([*where, verdict], count.packets)
                size.add_metric([*where, verdict], count.bytes)
            for name, family in more.items():
                family.add_metric(where, getattr(one.totals, name).packets)
        for key in found.unfiltered:
            up.add_metric(list(key), 0)
        yield from (up, unfiltered, unseen, packets, size, *more.values())

    def _patterns(self) -> Iterator[Metric]:
        count = _counter(
            "wanted_attached", "Interfaces that an attachment by policy has attached.", "wanted"
        )
        text = "Seconds in which they were there before that, all together."
        seconds = _counter("wanted_open_seconds", text, "wanted")
        longest = GaugeMetricFamily(
            "xdpwall_wanted_longest_open_seconds", "The longest of these.", labels=["wanted"]
        )
        for words, one in self._found.patterns.items():
            count.add_metric([words], one.attached)
            seconds.add_metric([words], one.seconds)
            longest.add_metric([words], one.longest)
        yield from (count, seconds, longest)

    def _events(self) -> Metric:
        text = (
            "Packets that should have been reported: sent to the reader, lost (the buffer was"
            " full), sampled (left out by chance), limited (over the rate)."
        )
        events = _counter("events", text, "outcome")
        for outcome, count in self._found.events.to_json().items():
            events.add_metric([outcome], count)
        return events

    def _flows(self) -> Iterator[Metric]:
        fill = self._found.flows
        if fill is None:
            return
        live = GaugeMetricFamily("xdpwall_flows", "Flows that are live.", labels=["family"])
        for family in ("ipv4", "ipv6"):
            live.add_metric([family], getattr(fill, family))
        yield live
        yield _gauge("flow_places", "Flows of a family that there is room for.", value=fill.size)
        texts = {
            "made": "Flows made.",
            "by_socket": "Flows made since a socket of this host vouched for them.",
            "lost": "Flows not made, as two CPUs wanted one place at once.",
        }
        for name, text in texts.items():
            counted = _counter(f"flows_{name}", text)
            counted.add_metric([], getattr(fill.counts, name))
            yield counted
        evicted = _counter("flows_evicted", "Flows forgotten early, for want of room.", "proto")
        for proto, count in fill.counts.evicted.items():
            evicted.add_metric([proto], count)
        yield evicted
        invalid = _counter("invalid_packets", "Packets that were found invalid.")
        invalid.add_metric([], fill.counts.invalid)
        yield invalid

    def _maps(self) -> Iterator[Metric]:
        used = GaugeMetricFamily(
            "xdpwall_map_used", "Elements that the ruleset needs of a map.", labels=["map"]
        )
        size = GaugeMetricFamily(
            "xdpwall_map_size", "Elements that a map has; it grows by itself.", labels=["map"]
        )
        for name, fill in self._found.fill.items():
            used.add_metric([name], fill.used)
            size.add_metric([name], fill.size)
        yield used
        yield size
        entries = GaugeMetricFamily("xdpwall_set_entries", "Entries of a set.", labels=["set"])
        for name, count in self._found.sets.items():
            entries.add_metric([name], count)
        yield entries

    def _commits(self) -> Metric:
        total, buckets = 0, []
        bounds = [*(str(bound) for bound in self._found.commit_bounds), "+Inf"]
        for bound, count in zip(bounds, self._found.commits, strict=True):
            total += count
            buckets.append((bound, total))
        return HistogramMetricFamily(
            "xdpwall_commit_duration_seconds",
            "Changes of the ruleset: from the lock until every packet met the new one.",
            buckets=buckets,
            sum_value=self._found.commit_seconds,
        )


def _gauge(
    name: str, text: str, labels: dict[str, str] | None = None, value: float = 1
) -> GaugeMetricFamily:
    family = GaugeMetricFamily(f"xdpwall_{name}", text, labels=list(labels or {}))
    family.add_metric(list((labels or {}).values()), value)
    return family


def _counter(name: str, text: str, *labels: str) -> CounterMetricFamily:
    return CounterMetricFamily(f"xdpwall_{name}", text, labels=labels)
