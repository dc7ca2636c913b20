"""Entries of sets that expire: at the time, without a process, and in memory."""

from __future__ import annotations

import time

import pytest

from tests.firewall.support import Site, dataplane_of, in_kernel, rules
from tests.support.net.netns import wait_for
from xdpwall.firewall.firewall import Firewall


@pytest.mark.parametrize("entry", ["10.9.0.2", "10.9.0.0/24"])
def test_an_entry_expires_while_no_process_of_ours_runs(site: Site, entry: str) -> None:
    with site.open() as firewall:
        firewall.attach("veth0")
        firewall.create_set("bad")
        firewall.add_rules(rules("drop icmp from @bad"))
        began = time.monotonic()
        firewall.change_set("bad", add=["10.9.0.0/16"], expires="3s")
        firewall.change_set("bad", add=[entry], expires="5s")
        assert firewall.set("bad").timed == 2
        ends = firewall.set_entries("bad").entries[-1].expires
    assert site.ping(1) == 0
    wait_for(lambda: site.ping(1) == 1, "the entry's end")
    assert time.monotonic() - began > 3.5, "not at the end of the prefix around it"
    with site.open() as firewall:
        assert firewall.set("bad").entries == 0 and ends is not None
        assert firewall.set_entries("bad").total == 0
        assert not firewall.test_set("bad", "10.9.0.2").found
        # The next writer takes out what is left of it.
        firewall.create_set("other")
        assert firewall._instance.store.sets.next_expiry() is None
        dataplane = dataplane_of(firewall)
        assert not any(in_kernel(dataplane).values())


def test_the_class_after_an_expiry_step_has_rows(site: Site, firewall: Firewall) -> None:
    """An expiry step leads to a class that no entry had so far, and that took the last spare class."""
    firewall.attach("veth0")
    firewall.create_set("good")
    firewall.create_set("bad")
    firewall.add_rules(rules("accept icmp from @good", "drop icmp from @bad"))
    for name in ("good", "bad"):  # spare classes for addresses in both sets
        firewall.change_set(name, add=["192.0.2.1"])
    classes = firewall._instance.sets.classes
    bad = firewall._instance.ruleset.sets[0].number
    turn = 0
    while classes._spares[frozenset((bad,))]:
        turn += 1
        firewall.change_set("bad", add=[f"192.0.2.{turn + 1}"], expires=f"{turn}h")
    firewall.change_set("good", add=["10.9.0.2"], expires="4s")
    firewall.change_set("bad", add=["10.9.0.2"], expires="100h")
    assert site.ping(1) == 1
    wait_for(lambda: site.ping(1) == 0, "the end of being good")


def test_a_timeout_is_replaced(site: Site, firewall: Firewall) -> None:
    firewall.attach("veth0")
    firewall.create_set("bad")
    firewall.add_rules(rules("drop icmp from @bad"))
    firewall.change_set("bad", add=["10.9.0.2"], expires="1s")
    assert firewall.change_set("bad", add=["10.9.0.2"]).added == 1
    assert firewall.change_set("bad", add=["10.9.0.2"]).unchanged == 1
    assert firewall.set("bad").next_expiry is None
    firewall.change_set("bad", add=["10.9.0.2"], expires="1h")
    assert firewall.set("bad").timed == 1
    assert firewall.test_set("bad", "10.9.0.2").expires == firewall.set("bad").next_expiry
    assert site.ping(1) == 0


def test_a_service_removes_expired_entries(site: Site) -> None:
    with site.open(service=True) as firewall:
        firewall.create_set("bad")
        firewall.change_set("bad", add=["10.9.0.2", "fd00::/16"], expires="1s")
        store = firewall._instance.store.sets
        dataplane = dataplane_of(firewall)

        def gone() -> bool:
            with firewall._instance.lock.threads:
                left = [held.total for held in store.entry_counts().values()]
            return left == [0] and not any(in_kernel(dataplane).values())

        wait_for(gone, "the entries to be taken out")
