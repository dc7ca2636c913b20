"""Published ports: by which interfaces the outside comes to them, and which rules decide."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.firewall.support import Site, rules
from tests.support.net.engine import ID
from xdpwall.containers.handover import Handover
from xdpwall.firewall.firewall import Firewall
from xdpwall.ruleset.policy import Policy
from xdpwall.ruleset.ruleset import Ruleset
from xdpwall.sets.entries import Entries
from xdpwall.views.containers import (
    Container,
    ContainerSnapshot,
    EngineNetwork,
    PublishedPort,
)

WEB = PublishedPort(address="0.0.0.0", port=8080, protocol="tcp", target=80)


def snapshot(*ports: PublishedPort) -> ContainerSnapshot:
    """One container behind docker0."""
    web = Container(id=ID, name="web", image="web:1", process=1, published=list(ports))
    network = EngineNetwork(id=ID, name="bridge", driver="bridge", bridge="docker0")
    return ContainerSnapshot(
        engine="/e", taken="now", complete=True, containers=[web], networks=[network]
    )


@pytest.fixture
def handover(site: Site, tmp_path: Path) -> Iterator[Handover]:
    site.settings = replace(site.settings, containers=tmp_path / "names" / "c.json")
    site.lab.bridge(site.host, "docker0", "172.17.0.1/16")
    site.lab.veth(site.host, "port0", site.box, "inner", master="docker0")
    site.host.ip("addr add 172.18.0.1/16 dev port0")  # nonsense, and no way from outside
    with Handover(site.settings.containers) as made:
        yield made


@pytest.fixture
def firewall(site: Site, handover: Handover) -> Iterator[Firewall]:
    handover.write(snapshot(WEB))
    with site.open() as opened:
        yield opened


def told(firewall: Firewall) -> list[tuple[Any, ...]]:
    return [
        (one.iface, one.verdict, [rule.id for rule in one.rules], one.policy)
        for one in firewall.published().ports
    ]


def test_who_decides(firewall: Firewall) -> None:
    assert told(firewall) == [("veth0", "not filtered", [], False)]
    firewall.attach("veth0", hook="tc", direction="egress")  # which sees nothing of it
    assert told(firewall) == [("veth0", "not filtered", [], False)]
    firewall.attach("veth0")
    assert told(firewall) == [("veth0", "open", [], True)]
    firewall.replace_set("friends", Entries.of(["10.9.0.0/24"]))
    firewall.add_rules(rules("accept tcp/8080 from @friends", "drop tcp/8000-9000 on veth0 in"))
    assert told(firewall) == [("veth0", "in part", ["r1", "r2"], False)]
    firewall.delete_rules(["r1"])
    assert told(firewall) == [("veth0", "closed", ["r2"], False)]
    # Rules that name interfaces otherwise: by a pattern, as ports, by their absence.
    firewall.apply(
        Ruleset.parse({"version": 1, "rules": ["accept tcp on not veth*", "drop on ports:docker0"]})
    )
    assert told(firewall) == [("veth0", "open", [], True)]
    firewall.apply(
        Ruleset.parse({"version": 1, "rules": ["accept on ports:docker0", "drop tcp on veth*"]})
    )
    assert [one[1:] for one in told(firewall)] == [("closed", ["r6"], False)]
    firewall.apply(Ruleset(rules=(), policy=Policy(ingress="drop")))
    assert told(firewall) == [("veth0", "closed", [], True)]
    firewall.set_switch(False)
    (one,) = firewall.published().ports
    assert (one.verdict, one.cure) == ("not filtered", "xdpwall on")


def test_what_is_no_way_from_outside(firewall: Firewall, site: Site, handover: Handover) -> None:
    """The loopback interface, the engine's own bridges and their ports; addresses of the other family."""
    local = WEB.model_copy(update={"address": "127.0.0.1"})
    other = WEB.model_copy(update={"address": "::", "protocol": "udp"})
    mine = WEB.model_copy(update={"address": "10.9.0.1", "port": 8081})
    handover.write(snapshot(local, other, mine))
    site.host.ip("-6 addr flush dev veth0")

    def reached() -> list[tuple[str, int]]:
        return [(one.iface, one.port.port) for one in firewall.published().ports]

    assert reached() == [("veth0", 8081)]
    site.host.ip("addr add fd00:9::1/64 dev veth0 nodad")
    assert reached() == [("veth0", 8080), ("veth0", 8081)]
    firewall.attach("veth0")
    firewall.add_rules(rules("drop tcp to 10.9.0.7", "drop tcp/8081 to 10.9.0.1"))
    assert ("veth0", "closed", ["r2"], False) in told(firewall)


def test_check_tells_what_nothing_filters(firewall: Firewall) -> None:
    (words,) = firewall.check().unfiltered
    assert words == (
        "tcp/8080 of container web comes in by veth0, and nothing filters it: xdpwall attach veth0"
    )
    assert firewall.check(Ruleset(rules=())).unfiltered == []  # a file is about no host
    firewall.attach("veth0")
    assert firewall.check().unfiltered == []


def test_without_an_engine(site: Site) -> None:
    site.settings = replace(site.settings, containers=Path("/nowhere/c.json"))
    with site.open() as firewall:
        found = firewall.published()
        assert (found.engine, found.complete, found.ports) == (None, False, [])
        assert firewall.check().unfiltered == []
