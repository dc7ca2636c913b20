"""Sets that outlive a process or come from another one: log, reboot, `apply`, maps that grow."""

from __future__ import annotations

import sqlite3

import pytest

from tests.firewall.support import BOX6, Site, pings, rules, step
from xdpwall.formats import ruleset_file
from xdpwall.ruleset.ruleset import Ruleset
from xdpwall.sets.entries import Entries
from xdpwall.store import sets as store_sets


def test_the_log_of_single_changes_is_folded(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_sets, "FOLD_AT_CHANGES", 3)
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


def test_a_reboot_brings_the_sets_back(site6: Site) -> None:
    with site6.open() as firewall:
        firewall.attach("veth0")
        firewall.replace_set("bad", Entries.of(["10.9.0.0/24", "192.0.2.7"]))
        firewall.change_set("bad", add=[BOX6], expires="1h")
        firewall.change_set("bad", add=["10.0.0.0/8"])
        firewall.replace_set("more", Entries.of(["10.9.0.2", "192.0.2.7", "10.9.0.0/24"]))
        firewall.add_rules(rules("drop icmp from @bad", "drop icmpv6/echo-request from @bad"))
        firewall.change_set("bad", remove=["10.9.0.0/24"])
        shown = [firewall.set_entries(name) for name in ("bad", "more")]
    site6.forget_kernel()
    assert pings(site6) == (True, True)
    with site6.open() as firewall:
        firewall.restore()
        assert pings(site6) == (False, False)
        assert [firewall.set_entries(name) for name in ("bad", "more")] == shown
        firewall.change_set("bad", remove=["10.0.0.0/8"])
        assert pings(site6) == (True, False)


def test_a_set_loaded_before_the_restore_after_a_reboot(site: Site) -> None:
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
        text = ruleset_file.dump_ruleset(exported)
        firewall.change_set("a", add=["10.9.0.2"])
        assert site.ping(1) == 0
        back = firewall.apply(ruleset_file.load_ruleset(text, name="export"))
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
    """A set is loaded beside the one that it replaces; addresses in both take room once."""
    texts = [f"10.{i >> 8}.{i & 255}.9" for i in range(1900)]
    with site.open() as firewall:
        firewall.replace_set("bad", Entries.of(texts))
        dataplane = firewall._instance.dataplane()
        assert dataplane is not None and dataplane.map_set.sizes.set4 == 2048
        firewall.replace_set("bad", Entries.of([*texts[100:], "10.9.0.2"]))
        assert dataplane.map_set.sizes.set4 == 2048
        firewall.replace_set("bad", Entries.of([f"11.0.{i >> 8}.{i & 255}" for i in range(1900)]))
        assert dataplane.map_set.sizes.set4 == 4096
        assert firewall.set("bad").entries == 1900
