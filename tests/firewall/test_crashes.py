"""kill -9 at every point of a change: afterwards kernel and disk agree on the old or the new."""

from __future__ import annotations

import pytest

from tests.firewall.support import Site, rules, step
from xdpwall.changes.crashpoints import POINTS
from xdpwall.values.author import Author

CHANGE = [point for point in POINTS if point.startswith("after-")]
ATTACH = [point for point in POINTS if point.startswith("attach-")]
DETACH = [point for point in POINTS if point.startswith("detach-")]
TAKEOVER = ["restore-kept", "restore-unpinned"]
"""In test_upgrade.py: after a reboot there are no maps to keep."""
RESTORE = [point for point in POINTS if point.startswith("restore-") and point not in TAKEOVER]
ADOPT = [point for point in POINTS if point.startswith("adopt-")]
"""In test_adopt.py."""
ASIDE = [point for point in POINTS if point.startswith("aside-")]
"""In test_stacked.py."""
SETS = [point for point in POINTS if point.startswith("set-")]
"""In test_set_failures.py."""
REPAIR = [point for point in POINTS if point.startswith("repair-")]
COPY = [point for point in POINTS if point.startswith("copy-")]
"""In test_repair.py."""
KILLED = -9


_TRIALS = ("trial", "confirm", "revert", "renumber")
TRIALS = [point for point in POINTS if point.split("-")[0] in _TRIALS]
"""In test_confirm_crashes.py."""
MODES = [point for point in POINTS if point.startswith("mode-")]
"""In test_mode_change.py."""
REWRITES = [point for point in POINTS if point.startswith("rewrite-")]
"""In test_entries_while_waiting.py."""


def test_every_point_has_a_test_here() -> None:
    here = {
        *CHANGE,
        *ATTACH,
        *DETACH,
        *RESTORE,
        *TAKEOVER,
        *ADOPT,
        *ASIDE,
        *SETS,
        *TRIALS,
        *REPAIR,
        *COPY,
    }
    assert {*here, *REWRITES, *MODES, "switch-set"} == set(POINTS)


@pytest.mark.parametrize("service", [False, True])
@pytest.mark.parametrize("point", CHANGE)
def test_a_change_of_rules(site: Site, point: str, service: bool) -> None:
    site.prepare("accept udp")
    assert site.run(step("add_rules", ["drop icmp"]), crash_at=point, service=service) == KILLED
    answers = site.ping()
    in_force = site.kernel_revision()
    assert (in_force, answers) in [(1, 3), (2, 0)]
    with site.open() as firewall:
        listed = firewall.rules()
        assert listed.revision == in_force
        assert [rule.id for rule in listed.rules] == ["r1", "r2"][:in_force]
        assert firewall.health().problems == []
        # The kernel wins: what it judged by after the crash is what is recorded.
        assert site.kernel_revision() == site.disk_revision() == in_force
        firewall.add_rules(rules("count tcp"))
    assert site.kernel_revision() == site.disk_revision() == in_force + 1
    assert site.ping() == answers


@pytest.mark.parametrize("point", ["after-write", "after-switch"])
def test_a_change_that_outgrows_the_maps(site: Site, point: str) -> None:
    many = [f"drop tcp/{port}" for port in range(1, 1501)]
    site.prepare("drop icmp")
    assert site.run(step("add_rules", many), crash_at=point) == KILLED
    assert site.ping() == 0
    with site.open() as firewall:
        assert firewall.rules().revision == site.kernel_revision()
        assert firewall.rule("r1").packets == 3
        firewall.delete_rules(["r1"])
        assert site.ping() == 3
        assert firewall.status().warnings == []


def test_a_growth_that_never_swapped_the_programs(site: Site) -> None:
    """The moment between pinning bigger maps and loading the programs on them."""
    with site.open() as firewall:
        firewall.attach("veth0")
        firewall.add_rules(rules("drop icmp"))
        instance = firewall._instance
        with instance.lock.hold():
            dataplane = instance.dataplane()
            assert dataplane is not None
            sizes = dataplane.map_set.sizes
            sizes = sizes.grown_to(type(sizes)(positions=sizes.positions * 2))
            shared, copy = dataplane._opened.maps.shared, dataplane.control.read().copy
            bigger = dataplane.map_set.copy_grown(sizes, shared, copy)
            bigger.pin(site.settings.bpffs, 99)
            bigger.close()
    with site.open() as firewall:
        for turn in range(4):  # each switches to the copy that the outgrown maps do not have
            firewall.set_rule("r1", {"comment": f"turn {turn}"})
            assert site.ping(1) == 0
        folders = [path.name for path in site.settings.bpffs.glob("maps-*")]
        assert folders == ["maps-99"]
        assert firewall.rule("r1").packets == 4


@pytest.mark.parametrize("point", ATTACH)
def test_an_attachment(site: Site, point: str) -> None:
    with site.open() as firewall:
        firewall.add_rules(rules("drop icmp on veth0"))
    assert site.run(step("attach", "veth0"), crash_at=point) == KILLED
    attached = site.ping() == 0
    with site.open() as firewall:
        views = firewall.status().attachments
        assert [view.state for view in views] == (["attached"] if attached else [])
        assert firewall._instance.store.read().unfinished is False
        assert firewall.attach("veth0").changed is not attached
        assert site.ping() == 0
        firewall.detach("veth0")
    assert site.ping() == 3
    assert not list((site.settings.bpffs / "progs").iterdir())


@pytest.mark.parametrize("point", DETACH)
def test_a_detachment(site: Site, point: str) -> None:
    site.prepare("drop icmp")
    assert site.run(step("detach", "veth0"), crash_at=point) == KILLED
    with site.open() as firewall:
        assert firewall.status().attachments == []
        assert firewall._instance.store.read().unfinished is False
    assert site.ping() == 3
    assert not list((site.settings.bpffs / "progs").iterdir())


@pytest.mark.parametrize("point", RESTORE)
def test_a_restore_after_a_reboot(site: Site, point: str) -> None:
    site.prepare("drop icmp")
    site.ping(2)
    with site.open() as firewall:
        firewall.reset_counters()
    site.forget_kernel()
    assert site.ping() == 3
    assert site.run(step("restore"), crash_at=point) == KILLED
    with site.open() as firewall:
        outcome = firewall.restore()
        assert (outcome.rules, outcome.attached, outcome.failed) == (1, ["veth0 xdp"], [])
        assert site.ping(4) == 0
        assert firewall.rule("r1").packets == 4
    assert site.kernel_revision() == site.disk_revision() == 1


@pytest.mark.parametrize("on", [True, False])
def test_the_switch(site: Site, on: bool) -> None:
    site.prepare("drop icmp")
    if on:
        with site.open() as firewall:
            firewall.set_switch(False)
    assert site.run(step("set_switch", on), crash_at="switch-set") == KILLED
    answers = site.ping()
    assert answers == (0 if on else 3)
    with site.open() as firewall:
        assert firewall.status().on is on
        firewall.set_policy({"egress": "drop"})
        assert firewall._instance.store.read().on is on
        assert firewall.status().on is on


def test_a_pending_change_is_not_taken_from_a_living_writer(site: Site) -> None:
    """A reader that meets an unfinished change waits for nobody and touches nothing."""
    with site.open() as writer, site.open() as reader:
        writer.add_rules(rules("drop icmp"))
        instance = writer._instance
        with instance.lock.hold():
            old = instance.ruleset
            new = type(old)(2, old.policy, (), old.next_number)
            instance.store.revisions.record(old, new, by=Author(), action="test", now="now")
            assert [rule.id for rule in reader.rules().rules] == ["r1"]
            assert instance.store.read().pending is not None
        assert [rule.id for rule in reader.rules().rules] == ["r1"]
        assert instance.store.read().pending is None
