"""contrib/: the alert rules and the dashboard speak of metrics that are there."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.paths import ROOT
from tests.support.service.promtool import promtool
from xdpwall.api.routes.metrics import exposition
from xdpwall.views.attachments import AttachmentTotals, Totals
from xdpwall.views.base import Count
from xdpwall.views.events import EventCounts
from xdpwall.views.metrics import Fill, Metrics, PatternSpells

CONTRIB = ROOT / "contrib"
ALERTS = CONTRIB / "prometheus/xdpwall-alerts.yml"
DASHBOARD = CONTRIB / "grafana/xdpwall.json"
SAMPLE = Metrics(
    version="1.2.3",
    on=True,
    revision=7,
    rules=2,
    enabled_rules=1,
    counted={"r1": Count(packets=1, bytes=2)},
    left_out=1,
    attachments=[AttachmentTotals(iface="eth0", place="xdp", totals=Totals())],
    attached=[True],
    open_seconds=[0.5],
    unseen=[0],
    events=EventCounts(),
    fill={"slots": Fill(used=1, size=2)},
    commits=[1, 2],
    commit_bounds=[0.5],
    commit_seconds=2.0,
    patterns={"veth* xdp": PatternSpells().with_one(0.01)},
)


@pytest.fixture(scope="module")
def names() -> set[str]:
    text = exposition(SAMPLE, "", {"wrong-token": 1})[0].decode()
    return {line.split("{")[0].split(" ")[0] for line in text.splitlines() if line[0] != "#"}


def strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from strings(inner)


def test_promtool_takes_the_alert_rules() -> None:
    assert "SUCCESS" in promtool("check", "rules", str(ALERTS))
    assert "SUCCESS" in promtool("test", "rules", str(ALERTS.with_suffix(".test.yml")))


@pytest.mark.parametrize("path", [ALERTS, DASHBOARD])
def test_they_speak_of_metrics_that_are_there(path: Path, names: set[str]) -> None:
    said = set(re.findall(r"\bxdpwall_\w+", path.read_text()))
    assert len(said) >= 8
    assert said <= names


def test_the_dashboard_is_whole() -> None:
    board = json.loads(DASHBOARD.read_text())
    panels = board["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels) >= 12
    assert all(panel["targets"] for panel in panels)
    for text in strings(board):
        assert text.count("(") == text.count(")")
    places = [tuple(panel["gridPos"].values()) for panel in panels]
    for number, (x, y, w, h) in enumerate(places):
        assert x + w <= 24
        for other_x, other_y, other_w, other_h in places[:number]:
            apart = x >= other_x + other_w or other_x >= x + w
            assert apart or y >= other_y + other_h or other_y >= y + h


def test_every_expression_of_the_dashboard_is_promql(tmp_path: Path) -> None:
    board = json.loads(DASHBOARD.read_text())
    expressions = [one["expr"] for panel in board["panels"] for one in panel["targets"]]
    expressions += [one["expr"] for one in board["annotations"]["list"]]
    rules = [
        {"record": f"x:{number}", "expr": expr.replace("$__rate_interval", "5m")}
        for number, expr in enumerate(expressions)
    ]
    path = tmp_path / "rules.yml"
    path.write_text(json.dumps({"groups": [{"name": "panels", "rules": rules}]}))
    assert f"{len(rules)} rules found" in promtool("check", "rules", str(path))
