"""Sets through the facade: packets from members and others, what is read back, what is refused."""

from __future__ import annotations

import pytest

from tests.firewall.support import BOX6, Site, pings, rules
from xdpwall.dataplane import set_single
from xdpwall.errors import Conflict, InvalidInput, NotFound
from xdpwall.firewall.firewall import Firewall
from xdpwall.sets.entries import Entries


@pytest.mark.parametrize("hook", ["xdp", "tc"])
def test_packets_from_members(site6: Site, hook: str) -> None:
    with site6.open() as firewall:
        firewall.attach("veth0", hook=hook)  # type: ignore[arg-type]
        firewall.create_set("bad")
        firewall.add_rules(rules("drop icmp from @bad", "drop icmpv6/echo-request from @bad"))
        assert pings(site6) == (True, True)
        firewall.change_set("bad", add=["10.9.0.2"])
        assert pings(site6) == (False, True)
        firewall.change_set("bad", add=[BOX6])
        assert pings(site6) == (False, False)
        firewall.change_set("bad", remove=["10.9.0.2"], add=["10.9.0.0/30", "fd00::/16"])
        assert pings(site6) == (False, False)
        firewall.change_set("bad", remove=[BOX6, "10.9.0.0/30"])
        assert pings(site6) == (True, False)
        firewall.change_set("bad", remove=["fd00::/16"])
        assert pings(site6) == (True, True)
        firewall.replace_set("bad", Entries.of(["0.0.0.0/0", "::/0", "1.2.3.4"]))
        assert pings(site6) == (False, False)
        firewall.replace_set("bad", Entries.of(["1.2.3.4", BOX6]))
        assert pings(site6) == (True, False)


@pytest.mark.parametrize("hook", ["xdp", "tc"])
def test_packets_from_others(site6: Site, hook: str) -> None:
    with site6.open() as firewall:
        firewall.attach("veth0", hook=hook)  # type: ignore[arg-type]
        firewall.replace_set("good", Entries.of(["10.9.0.0/24", "192.0.2.1"]))
        firewall.add_rules(
            rules("drop icmp from not @good", "drop icmpv6/echo-request from not @good")
        )
        assert pings(site6) == (True, False)
        firewall.change_set("good", add=["10.9.0.2", BOX6])
        assert pings(site6) == (True, True)
        firewall.change_set("good", remove=["10.9.0.0/24"])
        assert pings(site6) == (True, True)
        firewall.change_set("good", remove=["10.9.0.2"])
        assert pings(site6) == (False, True)


def test_an_address_in_several_sets(site: Site, firewall: Firewall) -> None:
    firewall.attach("veth0")
    for name in ("one", "two", "three"):
        firewall.create_set(name)
    firewall.add_rules(rules("count icmp from @one", "count icmp from @two to @three", "drop icmp"))
    firewall.change_set("one", add=["10.9.0.0/24"])
    firewall.change_set("two", add=["10.9.0.2", "10.0.0.0/8"])
    firewall.change_set("three", add=["10.9.0.1"])
    site.ping(2)
    firewall.change_set("two", remove=["10.9.0.2"])
    site.ping(2)
    firewall.change_set("two", remove=["10.0.0.0/8"])
    site.ping(2)
    firewall.replace_set("one", Entries.of(["10.9.0.2"]))
    site.ping(2)
    firewall.change_set("one", remove=["10.9.0.2"])
    site.ping(2)
    assert [rule.packets for rule in firewall.rules().rules] == [8, 4, 10]


def test_new_classes_leave_the_active_generation_as_it_was_compiled(
    site: Site, firewall: Firewall
) -> None:
    """The classes that a generation was compiled with are a copy."""
    firewall.attach("veth0")
    firewall.create_set("bad")
    firewall.add_rules(rules("drop icmp from @bad", "drop udp/9"))
    dataplane = firewall._instance.dataplane()
    assert dataplane is not None and dataplane.generations.active is not None
    world = dataplane.generations.active.basis[2]  # type: ignore[index]
    before = dict(world.classes)
    firewall._instance.sets.classes.reserve_spares(7)
    assert world.classes == before


def test_a_prefix_around_very_many_others(site6: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(set_single, "MAX_PREFIXES", 3)
    around = [f"10.9.0.{i}/31" for i in range(0, 64, 2)]
    with site6.open() as firewall:
        firewall.attach("veth0")
        firewall.replace_set("good", Entries.of(["10.0.0.0/12", *around, "10.9.0.2"]))
        firewall.create_set("bad")
        firewall.add_rules(rules("drop icmp from @bad"))
        firewall.change_set("bad", add=["10.9.0.0/24", "::/0"])
        assert site6.ping(1) == 0
        firewall.change_set("bad", add=["10.8.0.0/15"], expires="1h")
        firewall.change_set("bad", remove=["10.9.0.0/24"])
        assert site6.ping(1) == 0
        firewall.change_set("bad", remove=["10.8.0.0/15"])
        assert site6.ping(1) == 1
        assert firewall.set("bad").entries == 1


def test_one_wrong_entry_changes_nothing(firewall: Firewall) -> None:
    firewall.create_set("bad")
    with pytest.raises(InvalidInput) as caught:
        firewall.change_set("bad", add=["10.0.0.1", "10.0.0.1/8"])
    assert caught.value.field == "add[1]"
    with pytest.raises(InvalidInput) as caught:
        firewall.change_set("bad", add=["10.0.0.1"], remove=["10.0.0.1"])
    assert caught.value.field == "remove"
    with pytest.raises(NotFound):
        firewall.change_set("nobody", add=["10.0.0.1"])
    assert firewall.set("bad").entries == 0


def test_a_set_goes_after_a_change_of_its_entries(site: Site) -> None:
    """The numbers of its logged changes go with it, and the database is no older for that."""
    with site.open() as firewall:
        for entry in ("10.9.0.2", "10.9.0.3"):
            firewall.create_set("bad")
            firewall.change_set("bad", add=[entry])
            firewall.update_copy()
            firewall.delete_set("bad")
            with site.open() as another:  # which has nothing in memory
                assert another.health().problems == []
                another.create_set("worse")
                another.delete_set("worse")
            assert firewall.status().warnings == []


def test_a_rule_needs_its_set(firewall: Firewall) -> None:
    with pytest.raises(InvalidInput) as caught:
        firewall.add_rules(rules("drop from @bad"))
    assert (caught.value.code, caught.value.field) == ("unknown-set", "src")
    firewall.create_set("bad")
    firewall.create_set("worse")
    firewall.add_rules(rules("drop from @bad", "accept to not @bad"))
    assert firewall.set("bad").rules == ["r1", "r2"]
    with pytest.raises(InvalidInput) as caught:
        firewall.set_rule("r1", {"src": "@wors"})
    assert caught.value.hint == "did you mean @worse?"
    with pytest.raises(Conflict) as refused:
        firewall.delete_set("bad")
    assert refused.value.code == "set-in-use" and "r1, r2" in refused.value.message
    firewall.flush()
    assert firewall.delete_set("bad").deleted == ["bad"]
    assert [view.name for view in firewall.sets().sets] == ["worse"]


def test_a_set_is_read_back(firewall: Firewall) -> None:
    entries = ["192.0.2.1", "10.0.0.0/8", "10.1.0.0/16", "2001:db8::1", "2001:db8::/32"]
    outcome = firewall.replace_set("mixed", Entries.of(entries))
    view = outcome.set
    assert outcome.changed and outcome.revision == 1
    assert (view.entries, view.addresses4, view.prefixes4) == (5, 1, 2)
    assert (view.addresses6, view.prefixes6, view.timed) == (1, 1, 0)
    assert [row.entry for row in firewall.set_entries("mixed").entries] == entries
    part = firewall.set_entries("mixed", start=2, limit=2)
    assert (part.total, [row.entry for row in part.entries]) == (5, entries[2:4])
    assert firewall.test_set("mixed", "10.1.2.3").by == ["10.0.0.0/8", "10.1.0.0/16"]
    assert firewall.test_set("mixed", "2001:db8::1").by == ["2001:db8::/32", "2001:db8::1"]
    assert not firewall.test_set("mixed", "192.0.2.2").found
    assert not firewall.replace_set("mixed", Entries.of(entries)).changed
    _, trail = firewall._instance.store.audit.since(0, 1)
    assert [entry.action for entry in trail] == ["load set mixed: 5 entries"]
