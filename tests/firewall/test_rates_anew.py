"""Rates when the maps are made anew, larger: they keep their size, and a rule that comes has a full bucket."""

from __future__ import annotations

from tests.firewall.support import Site, dataplane_of, rules
from xdpwall.dataplane.rate_maps import rates_bytes, rates_held
from xdpwall.limits import SLOTS
from xdpwall.views.flows import DEFAULT_PLACES

RATED = "drop icmp over 1/h burst 5"


def test_a_size_is_read_back_as_it_was_given() -> None:
    assert [rates_held(rates_bytes(n)) for n in (1, 2, SLOTS)] == [1, 2, SLOTS]


def test_rates_go_on_in_maps_that_were_made_anew(site: Site) -> None:
    with site.open() as firewall:
        firewall.attach("veth0")
        (first,) = firewall.add_rules(rules(RATED)).rules
        firewall.add_rules(rules("accept udp keep"))
    for places in (2 * DEFAULT_PLACES, 4 * DEFAULT_PLACES):
        with site.open() as firewall:  # another process: it reads the sizes from the kernel
            firewall.size_flows(places)
            size = dataplane_of(firewall).map_set.maps["rates"].info.value_size
            assert size == rates_bytes(SLOTS)
    with site.open() as firewall:
        assert site.ping(8) == 5
        assert firewall.rule(first.id).limited == 5
        # The next rule gets the slot that the first has left, and a bucket of its own that is full.
        for _ in range(2):
            firewall.delete_rules([first.id])
            (first,) = firewall.add_rules(rules(RATED)).rules
            assert site.ping(8) == 5
        (other,) = firewall.add_rules(rules("drop icmp over 2/h burst 6"), at=1).rules
        assert site.ping(8) == 0
        assert firewall.rule(other.id).limited == 6
