"""What lies behind an interface, beside what is told of its packets: events, explain, traces."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from tests.firewall.support import Site, rules
from tests.support.net.engine import ID
from tests.support.net.netns import wait_for
from xdpwall.cli.commands.trace import named_drops
from xdpwall.containers.handover import Handover
from xdpwall.firewall.firewall import Firewall
from xdpwall.views.containers import ContainerSnapshot, EngineNetwork
from xdpwall.views.drops import Drop

WORDS = "network backend"


@pytest.fixture
def firewall(site: Site, tmp_path: Path) -> Iterator[Firewall]:
    """An engine tells of a network that veth0 carries."""
    site.settings = replace(site.settings, containers=tmp_path / "names" / "c.json")
    network = EngineNetwork(id=ID, name="backend", driver="bridge", bridge="veth0")
    with Handover(site.settings.containers) as handover, site.open() as opened:
        handover.write(
            ContainerSnapshot(engine="/e", taken="now", complete=True, networks=[network])
        )
        yield opened


def test_events(site: Site, firewall: Firewall) -> None:
    firewall.attach("veth0")
    firewall.add_rules(rules("drop icmp log"))
    with closing(firewall.event_reader("a test")) as reader:
        reader.read(0.0)
        site.ping(1)
        found = wait_for(lambda: reader.decode(reader.read(0.1)), "the event")
    assert {(one.iface, one.behind) for one in found} == {("veth0", WORDS)}


def test_explain(firewall: Firewall) -> None:
    report = firewall.explain(["icmp from 10.9.0.2 on veth0", "icmp from 10.9.0.2 on lo"])
    assert [one.behind for one in report.packets] == [WORDS, None]


def test_traces(site: Site, firewall: Firewall) -> None:
    told: list[Drop] = []
    take = named_drops(told.append, site.settings.containers)
    drop = Drop(time="2026-12-01T00:00:00Z", by="rule", rule="r1", iface="veth0")
    elsewhere = drop.model_copy(update={"netns": 7})
    for one in (drop, elsewhere, drop.model_copy(update={"iface": "lo"})):
        take(one)
    assert [one.behind for one in told] == [WORDS, None, None]


def test_without_an_engine(site: Site, firewall: Firewall) -> None:
    site.settings.containers.unlink()
    assert firewall.explain(["icmp from 10.9.0.2 on veth0"]).packets[0].behind is None
