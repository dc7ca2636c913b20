"""/metrics: strict readers take it, and its counters never go back while the maps live."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
from prometheus_client.openmetrics import parser as openmetrics
from prometheus_client.parser import text_string_to_metric_families

from tests.support.net.netns import Lab, wait_for
from tests.support.net.route import Route, route
from tests.support.packets import frames as f
from tests.support.service.promtool import promtool

DNS = f.ether(f.ipv4(f.udp(dport=53)), pad=60)
WEB = f.ether(f.ipv4(f.tcp(dport=80)), pad=60)
SENT = {"outcome": "sent"}
Series = dict[tuple[str, frozenset[tuple[str, str]]], float]


@pytest.fixture(scope="module")
def wall(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Route]:
    """One for all of these tests: rules that are to be told apart have other ids."""
    lab = Lab("tests/e2e/metrics")
    lab.clean()
    try:
        with route(lab, "xdp-native", tmp_path_factory.mktemp("wall")) as made:
            yield made
    finally:
        lab.clean()


class Scraper:
    """Scrapes, and holds each counter and bucket against its value at the scrape before."""

    def __init__(self, wall: Route) -> None:
        self._wall = wall
        self._before: Series = {}

    def text(self, path: str = "/metrics", **headers: str) -> str:
        reply = self._wall.service.raw("GET", path, headers)
        assert reply.status == 200, reply.content
        return reply.content.decode()

    def scrape(self) -> Series:
        """Every series now."""
        found: Series = {}
        for family in text_string_to_metric_families(self.text()):
            for sample in family.samples:
                key = sample.name, frozenset(sample.labels.items())
                assert key not in found, "twice"
                found[key] = sample.value
                if family.type in ("counter", "histogram"):
                    assert sample.value >= self._before.get(key, 0), sample
        self._before = found
        return found

    def rule(self, name: str) -> float:
        """Packets of a rule, all told."""
        return self.scrape()["xdpwall_rule_packets_total", frozenset({("rule", name)})]


def value(series: Series, name: str, **labels: str) -> float:
    return series[f"xdpwall_{name}", frozenset(labels.items())]


def done(wall: Route, method: str, path: str, body: Any = None) -> Any:
    reply = wall.service.call(method, path, body)
    assert reply.status in (200, 201), reply.content
    return reply.json


def test_counters_never_go_back(wall: Route) -> None:
    wall.rules([{"id": "dns", "text": "drop udp/53"}, {"id": "web", "text": "count tcp"}])
    scraper = Scraper(wall)
    wall.send([DNS] * 5 + [WEB] * 2)
    assert (scraper.rule("dns"), scraper.rule("web")) == (5, 2)
    done(wall, "PATCH", "/rules/dns", {"dport": "53-54"})
    assert done(wall, "GET", "/rules/dns")["packets"] == 0, "another rule for people"
    assert scraper.rule("dns") == 5, "the same one for Prometheus"
    wall.send([DNS] * 3)
    assert scraper.rule("dns") == 8
    done(wall, "POST", "/rules/dns/reset-counters")
    assert done(wall, "GET", "/rules/dns")["packets"] == 0
    assert scraper.rule("dns") == 8
    done(wall, "PATCH", "/rules/dns", {"action": "count", "log": True, "comment": "changed"})
    done(wall, "POST", "/rules/dns/move", {"position": 1})
    wall.send([DNS] * 2)
    assert scraper.rule("dns") == 10
    done(wall, "DELETE", "/rules/dns")
    scraper.scrape()
    done(wall, "POST", "/rules", {"id": "dns", "text": "drop udp/53"})
    assert scraper.rule("dns") == 10, "an id that is given again goes on"
    wall.send([DNS])
    before = scraper.scrape()
    wall.service.stop()
    wall.service.start()
    after = scraper.scrape()
    counters = {key: v for key, v in before.items() if "_total" in key[0] or "_bucket" in key[0]}
    assert counters == {key: after[key] for key in counters}
    assert scraper.rule("dns") == 11
    wall.service.kill()
    wall.service.start()
    assert scraper.rule("dns") == 11
    assert value(after, "commit_duration_seconds_count") >= 7
    assert value(after, "commit_duration_seconds_bucket", le="+Inf") == value(
        after, "commit_duration_seconds_count"
    )


def test_what_they_say(wall: Route) -> None:
    scraper = Scraper(wall)
    done(wall, "PUT", "/events/settings", {"log_drops": True})
    wall.rules(["drop udp"], ingress="drop")
    before = scraper.scrape()
    wall.send([DNS] * 4 + [f.ether(f.ipv4(f.Layer(6, b"\0\x50")), pad=60), DNS[:40]])
    now = scraper.scrape()
    where = {"iface": "eth0", "hook": "xdp"}
    assert value(now, "on") == value(now, "attachment_up", **where) == 1
    assert value(now, "rules") == value(now, "rules_enabled") == 2
    assert value(now, "rules_left_out") == 0
    assert value(now, "revision") == wall.stats().revision
    totals = wall.totals()
    for verdict, count in (("passed", totals.passed), ("dropped", totals.dropped)):
        assert value(now, "attachment_packets_total", **where, verdict=verdict) == count.packets
        assert value(now, "attachment_bytes_total", **where, verdict=verdict) == count.bytes
    assert totals.policy_dropped.packets > 0 and totals.malformed.packets > 0
    for name in ("policy_dropped", "malformed", "errors"):
        counted = getattr(totals, name).packets
        assert value(now, f"attachment_{name}_packets_total", **where) == counted
    drops = {**where, "verdict": "dropped"}
    rose = [
        value(now, name, **labels) - value(before, name, **labels)
        for name, labels in (("attachment_packets_total", drops), ("events_total", SENT))
    ]
    assert rose[0] == rose[1] >= 4
    assert value(now, "map_used", map="positions") == 2
    assert ("xdpwall_map_size", frozenset({("map", "prefixes6")})) not in now, "not in use"
    assert value(now, "map_size", map="slots") == 32768
    for (name, labels), used in now.items():
        if name == "xdpwall_map_used":
            assert used <= now["xdpwall_map_size", labels]


def test_sets(wall: Route) -> None:
    made = done(wall, "PUT", "/sets/friends", {"entries": ["192.0.2.1", "10.0.0.0/8", "::1"]})
    assert made["set"]["entries"] == 3
    now = Scraper(wall).scrape()
    assert value(now, "set_entries", set="friends") == 3
    assert value(now, "map_used", map="set4") == 1


def test_many_rules_have_a_bounded_number_of_series(wall: Route) -> None:
    scraper = Scraper(wall)
    wall.rules([{"id": f"x{n}", "text": f"drop udp/{n}"} for n in range(1, 1301)])
    now = scraper.scrape()
    assert value(now, "rules") == 1301
    shown = [labels for name, labels in now if name == "xdpwall_rule_packets_total"]
    assert len(shown) == 1000
    assert value(now, "rules_left_out") == 301
    # Rules of one second are equally old; the next one is younger than those there are.
    last = int(time.time())
    wait_for(lambda: int(time.time()) > last, "the next second")
    done(wall, "POST", "/rules", {"text": "drop tcp", "position": 1})
    again = scraper.scrape()
    assert [labels for name, labels in again if name == "xdpwall_rule_packets_total"] == shown


@pytest.mark.host  # promtool is downloaded
def test_strict_readers(wall: Route) -> None:
    wall.rules([{"id": "named", "text": 'drop udp/53 comment "a \\\\ and a \\""'}, "count tcp"])
    wall.send([DNS, WEB])
    scraper = Scraper(wall)
    text = scraper.text()
    assert promtool("check", "metrics", stdin=text) == ""
    assert scraper.text("/api/v1/metrics").splitlines()[0] == text.splitlines()[0]
    strict = scraper.text(accept="application/openmetrics-text; version=1.0.0")
    families = list(openmetrics.text_string_to_metric_families(strict))  # type: ignore[no-untyped-call]
    assert {family.name for family in families} >= {"xdpwall_rule_packets", "xdpwall_events"}


def test_the_token_is_needed(wall: Route) -> None:
    assert wall.service.tcp("GET", "/metrics").status == 401
    assert wall.service.tcp("GET", "/metrics", token=wall.service.token).status == 200
