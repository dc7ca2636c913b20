"""Sets through the facade: packets, entries that come, go and expire, and whole replacements."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator

import pytest

from tests.firewall.support import Site, in_kernel, rules, step
from tests.support.net.netns import wait_for
from xdpwall.dataplane import set_single
from xdpwall.errors import Conflict, InvalidInput, NotFound
from xdpwall.firewall.firewall import Firewall
from xdpwall.formats import ruleset_file
from xdpwall.ruleset.ruleset import Ruleset
from xdpwall.sets.entries import Entries
from xdpwall.store import sets as store_sets

HOST6, BOX6 = "fd00:9::1", "fd00:9::2"


@pytest.fixture
def both(site: Site) -> Site:
    """The site with IPv6 on the cable."""
    site.host.ip(f"addr add {HOST6}/64 dev veth0 nodad")
    site.box.ip(f"addr add {BOX6}/64 dev eth0 nodad")
    wait_for(lambda: site.ping(1, HOST6) == 1, "IPv6 on the cable")
    return site


@pytest.fixture
def firewall(site: Site) -> Iterator[Firewall]:
    with site.open() as opened:
        yield opened


def passing(site: Site) -> tuple[bool, bool]:
    """Whether pings of (IPv4, IPv6) come through."""
    return site.ping(1) == 1, site.ping(1, HOST6) == 1


@pytest.mark.parametrize("hook", ["xdp", "tc"])
def test_packets_of_members_are_judged(both: Site, hook: str) -> None:
    with both.open() as firewall:
        firewall.attach("veth0", hook=hook)  # type: ignore[arg-type]
        firewall.create_set("bad")
        firewall.add_rules(rules("drop icmp from @bad", "drop icmpv6/echo-request from @bad"))
        assert passing(both) == (True, True)
        firewall.change_set("bad", add=["10.9.0.2"])
        assert passing(both) == (False, True)
        firewall.change_set("bad", add=[BOX6])
        assert passing(both) == (False, False)
        firewall.change_set("bad", remove=["10.9.0.2"], add=["10.9.0.0/30", "fd00::/16"])
        assert passing(both) == (False, False)
        firewall.change_set("bad", remove=[BOX6, "10.9.0.0/30"])
        assert passing(both) == (True, False)
        firewall.change_set("bad", remove=["fd00::/16"])
        assert passing(both) == (True, True)
        firewall.replace_set("bad", Entries.of(["0.0.0.0/0", "::/0", "1.2.3.4"]))
        assert passing(both) == (False, False)
        firewall.replace_set("bad", Entries.of(["1.2.3.4", BOX6]))
        assert passing(both) == (True, False)


@pytest.mark.parametrize("hook", ["xdp", "tc"])
def test_packets_of_others_are_judged(both: Site, hook: str) -> None:
    with both.open() as firewall:
        firewall.attach("veth0", hook=hook)  # type: ignore[arg-type]
        firewall.replace_set("good", Entries.of(["10.9.0.0/24", "192.0.2.1"]))
        firewall.add_rules(
            rules("drop icmp from not @good", "drop icmpv6/echo-request from not @good")
        )
        assert passing(both) == (True, False)
        firewall.change_set("good", add=["10.9.0.2", BOX6])
        assert passing(both) == (True, True)
        firewall.change_set("good", remove=["10.9.0.0/24"])
        assert passing(both) == (True, True)
        firewall.change_set("good", remove=["10.9.0.2"])
        assert passing(both) == (False, True)


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


@pytest.mark.parametrize("entry", ["10.9.0.2", "10.9.0.0/24"])
def test_an_entry_expires_while_nothing_of_ours_runs(site: Site, entry: str) -> None:
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
        dataplane = firewall._instance.dataplane()
        assert dataplane is not None
        assert not any(in_kernel(dataplane).values())


def test_what_an_address_is_in_after_an_ending_is_known(site: Site, firewall: Firewall) -> None:
    """A class that ends goes on as one that no entry bore so far, and that took the last spare."""
    firewall.attach("veth0")
    firewall.create_set("good")
    firewall.create_set("bad")
    firewall.add_rules(rules("accept icmp from @good", "drop icmp from @bad"))
    for name in ("good", "bad"):  # spares for addresses in both
        firewall.change_set(name, add=["192.0.2.1"])
    classes = firewall._instance.sets.classes
    bad = firewall._instance.state.sets[0].number
    turn = 0
    while classes._spares[frozenset((bad,))]:
        turn += 1
        firewall.change_set("bad", add=[f"192.0.2.{turn + 1}"], expires=f"{turn}h")
    firewall.change_set("good", add=["10.9.0.2"], expires="4s")
    firewall.change_set("bad", add=["10.9.0.2"], expires="100h")
    assert site.ping(1) == 1
    wait_for(lambda: site.ping(1) == 0, "the end of being good")


def test_a_rule_joins_after_classes_have_come(site: Site, firewall: Firewall) -> None:
    """What the generation in force was compiled from does not change under it."""
    firewall.attach("veth0")
    firewall.create_set("bad")
    firewall.add_rules(rules("drop icmp from @bad", "drop udp/9"))
    dataplane = firewall._instance.dataplane()
    assert dataplane is not None and dataplane.in_force is not None
    world = dataplane.in_force.basis[2]  # type: ignore[index]
    before = dict(world.classes)
    firewall._instance.sets.classes.reserve_spares(7)
    assert world.classes == before


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


def test_a_prefix_around_very_many_others(both: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(set_single, "LARGE", 3)
    around = [f"10.9.0.{i}/31" for i in range(0, 64, 2)]
    with both.open() as firewall:
        firewall.attach("veth0")
        firewall.replace_set("good", Entries.of(["10.0.0.0/12", *around, "10.9.0.2"]))
        firewall.create_set("bad")
        firewall.add_rules(rules("drop icmp from @bad"))
        firewall.change_set("bad", add=["10.9.0.0/24", "::/0"])
        assert both.ping(1) == 0
        firewall.change_set("bad", add=["10.8.0.0/15"], expires="1h")
        firewall.change_set("bad", remove=["10.9.0.0/24"])
        assert both.ping(1) == 0
        firewall.change_set("bad", remove=["10.8.0.0/15"])
        assert both.ping(1) == 1
        assert firewall.set("bad").entries == 1


def test_a_service_takes_out_what_expired(site: Site) -> None:
    with site.open(service=True) as firewall:
        firewall.create_set("bad")
        firewall.change_set("bad", add=["10.9.0.2", "fd00::/16"], expires="1s")
        store = firewall._instance.store.sets
        dataplane = firewall._instance.dataplane()
        assert dataplane is not None

        def gone() -> bool:
            with firewall._instance.lock.threads:
                left = [held.total for held in store.held().values()]
            return left == [0] and not any(in_kernel(dataplane).values())

        wait_for(gone, "the entries to be taken out")


def test_one_wrong_entry_changes_nothing(firewall: Firewall) -> None:
    firewall.create_set("bad")
    with pytest.raises(InvalidInput) as caught:
        firewall.change_set("bad", add=["10.0.0.1", "10.0.0.1/8"])
    assert caught.value.field == "add[1]"
    with pytest.raises(InvalidInput) as caught:
        firewall.change_set("bad", add=["10.0.0.1"], remove=["10.0.0.1"])
    assert caught.value.field == "remove"
    with pytest.raises(InvalidInput) as caught:
        firewall.change_set("bad", add=["10.0.0.1"], expires="2020-01-01T00:00:00Z")
    assert caught.value.field == "expires"
    with pytest.raises(NotFound):
        firewall.change_set("nobody", add=["10.0.0.1"])
    assert firewall.set("bad").entries == 0


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


def test_what_is_read_back(firewall: Firewall) -> None:
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
    actions = [row["action"] for row in firewall._instance.store.audit_trail()]
    assert actions == ["load set mixed: 5 entries"]


def test_the_log_of_single_changes_is_folded(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_sets, "FOLD_AT", 3)
    with site.open() as firewall:
        firewall.replace_set("bad", Entries.of(["10.0.0.1", "10.0.0.2", "10.3.0.0/16"]))
        firewall.change_set("bad", add=["10.0.0.3", "::1"])
        firewall.change_set("bad", remove=["10.0.0.1"], add=["10.3.0.0/16"], expires="1h")
        firewall.change_set("bad", add=["10.0.0.4", "10.0.0.5"])
        shown = firewall.set_entries("bad")
    logged = sqlite3.connect(site.settings.state_dir / "xdpwall.db")
    assert logged.execute("SELECT count(*) FROM set_log").fetchone() == (2,)
    logged.close()
    with site.open() as firewall:
        assert firewall.set_entries("bad") == shown
        assert [row.entry for row in shown.entries] == [
            *("10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.0.5", "10.3.0.0/16", "::1"),
        ]
        assert [bool(row.expires) for row in shown.entries] == [False] * 4 + [True, False]
        assert firewall.set("bad").entries == 6


def test_two_processes_take_turns(site: Site) -> None:
    with site.open() as one, site.open() as two:
        one.attach("veth0")
        one.create_set("bad")
        two.add_rules(rules("drop icmp from @bad"))
        two.change_set("bad", add=["10.0.0.0/8"])
        assert site.ping(1) == 0
        one.change_set("bad", add=["10.9.0.0/24"], expires="1h")
        two.change_set("bad", remove=["10.0.0.0/8"])
        assert site.ping(1) == 0
        two.replace_set("bad", Entries.of(["10.9.0.2"]))
        one.change_set("bad", add=["10.9.0.3"])
        assert one.set_entries("bad") == two.set_entries("bad")
        two.change_set("bad", remove=["10.9.0.2"])
        assert site.ping(1) == 1


def test_a_reboot_brings_the_sets_back(both: Site) -> None:
    with both.open() as firewall:
        firewall.attach("veth0")
        firewall.replace_set("bad", Entries.of(["10.9.0.0/24", "192.0.2.7"]))
        firewall.change_set("bad", add=[BOX6], expires="1h")
        firewall.change_set("bad", add=["10.0.0.0/8"])
        firewall.replace_set("more", Entries.of(["10.9.0.2", "192.0.2.7", "10.9.0.0/24"]))
        firewall.add_rules(rules("drop icmp from @bad", "drop icmpv6/echo-request from @bad"))
        firewall.change_set("bad", remove=["10.9.0.0/24"])
        shown = [firewall.set_entries(name) for name in ("bad", "more")]
    both.forget_kernel()
    assert passing(both) == (True, True)
    with both.open() as firewall:
        firewall.restore()
        assert passing(both) == (False, False)
        assert [firewall.set_entries(name) for name in ("bad", "more")] == shown
        firewall.change_set("bad", remove=["10.0.0.0/8"])
        assert passing(both) == (True, False)


def test_a_set_loaded_right_after_a_reboot_is_on_disk_too(site: Site) -> None:
    with site.open() as firewall:
        firewall.attach("veth0")
        firewall.replace_set("bad", Entries.of(["192.0.2.7"]))
        firewall.add_rules(rules("drop icmp from @bad"))
    site.forget_kernel()
    many = Entries.of([f"10.9.{i >> 8}.{i & 255}" for i in range(3000)])
    with site.open() as firewall:
        firewall.replace_set("bad", many)
        firewall.restore()
        assert site.ping(1) == 0
        assert firewall.set("bad").entries == 3000
        assert firewall.set_entries("bad", limit=3000).entries[2].entry == "10.9.0.2"
        assert firewall.health().problems == []


def test_apply_with_sets(site: Site) -> None:
    def wanted(text: str, **sets: list[str]) -> Ruleset:
        contents = {name: {"entries": entries} for name, entries in sets.items()}
        return Ruleset.parse({"version": 1, "rules": [text], "sets": contents})

    with site.open() as firewall:
        firewall.attach("veth0")
        outcome = firewall.apply(wanted("drop icmp from @a", a=["10.9.0.2"], b=["::/0"]))
        assert (outcome.sets_added, outcome.revision) == (["a", "b"], 1)
        assert site.ping(1) == 0
        tried = firewall.apply(wanted("drop icmp from @a", a=["10.9.0.3"]), dry_run=True)
        assert (tried.sets_replaced, tried.sets_removed) == (["a"], ["b"])
        assert site.ping(1) == 0 and len(firewall.sets().sets) == 2
        same = firewall.apply(wanted("drop icmp from @a", a=["10.9.0.2"], b=["::/0"]))
        assert (same.revision, same.sets_replaced) == (1, [])
        firewall.apply(wanted("drop icmp from @a", a=["10.9.0.3"]))
        assert site.ping(1) == 1 and len(firewall.sets().sets) == 1
        _, exported = firewall.ruleset(sets=True)
        text = ruleset_file.dump(exported)
        firewall.change_set("a", add=["10.9.0.2"])
        assert site.ping(1) == 0
        back = firewall.apply(ruleset_file.load(text, name="export"))
        assert back.sets_replaced == ["a"] and site.ping(1) == 1
        firewall.apply(Ruleset.parse({"version": 1, "rules": []}))
        assert [view.name for view in firewall.sets().sets] == ["a"]


def test_another_process_loads_while_this_one_reads(site: Site) -> None:
    with site.open() as firewall:
        firewall.create_set("bad")
        assert site.run(step("replace_set", "bad", ["10.0.0.1", "10.0.0.2"])) == 0
        assert firewall.set("bad").entries == 2
        assert firewall.change_set("bad", add=["10.0.0.2", "10.0.0.3"]).added == 1


def test_maps_grow_for_new_addresses_only(site: Site) -> None:
    """A set is loaded beside the one that it replaces; what both have takes no room twice."""
    texts = [f"10.{i >> 8}.{i & 255}.9" for i in range(1900)]
    with site.open() as firewall:
        firewall.replace_set("bad", Entries.of(texts))
        dataplane = firewall._instance.dataplane()
        assert dataplane is not None and dataplane.sets.sizes.set4 == 2048
        firewall.replace_set("bad", Entries.of([*texts[100:], "10.9.0.2"]))
        assert dataplane.sets.sizes.set4 == 2048
        firewall.replace_set("bad", Entries.of([f"11.0.{i >> 8}.{i & 255}" for i in range(1900)]))
        assert dataplane.sets.sizes.set4 == 4096
        assert firewall.set("bad").entries == 1900
