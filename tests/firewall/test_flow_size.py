"""The size of the flow tables: a setting beside the revisions, which stays."""

from __future__ import annotations

import pytest

from tests.firewall.support import Site, rules
from xdpwall.abi import FLOW_PLACES
from xdpwall.errors import InvalidInput
from xdpwall.views.flows import DEFAULT_PLACES

KEEP = ("accept icmp keep", "drop tcp/1")


def test_the_default_is_the_programs() -> None:
    assert DEFAULT_PLACES == FLOW_PLACES


def test_more_places_are_in_force_at_once_and_stay(site: Site) -> None:
    with site.open() as firewall:
        firewall.attach("veth0")
        firewall.add_rules(rules(*KEEP))
        assert firewall.flows().fill.size == DEFAULT_PLACES
        assert site.ping(3) == 3 and firewall.flows().total == 1
        revision = firewall.status().revision
        done = firewall.size_flows(2 * DEFAULT_PLACES)
        assert done.in_force and "made anew, and empty" in done.warnings[0]
        assert firewall.flows().fill.size == 2 * DEFAULT_PLACES
        assert firewall.flows().total == 0 and firewall.status().revision == revision
        assert site.ping(3) == 3 and firewall.flows().total == 1
        assert firewall.size_flows(2 * DEFAULT_PLACES).warnings == []
        # A change of rules keeps the table and what is in it.
        firewall.add_rules(rules("drop tcp/2"))
        assert firewall.flows().total == 1
    with site.open() as firewall:
        assert firewall.flows().fill.size == 2 * DEFAULT_PLACES
        # Fewer are in force when the tables are made anew.
        done = firewall.size_flows(1_024)
        assert not done.in_force and "made anew" in done.warnings[0]
        assert firewall.flows().fill.size == 2 * DEFAULT_PLACES


def test_before_anything_is_tracked_it_is_recorded(site: Site) -> None:
    with site.open() as firewall:
        assert not firewall.size_flows(4_096).in_force
        firewall.attach("veth0")
        firewall.add_rules(rules(*KEEP))
        assert firewall.flows().fill.size == 4_096
        assert site.ping(3) == 3 and firewall.flows().total == 1


@pytest.mark.parametrize("places", [0, -1, 512, 100_000, 1 << 25])
def test_what_is_no_size_is_refused(site: Site, places: int) -> None:
    with site.open() as firewall, pytest.raises(InvalidInput) as refused:
        firewall.size_flows(places)
    assert refused.value.field == "places" and str(places) in str(refused.value.value)
