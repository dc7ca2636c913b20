"""Entries of sets that come and go while a change waits for its confirmation: they count in what is in
force and in what it may be reverted to, whatever they need in the kernel."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from tests.firewall.support import Site, revert_now, rules, step
from tests.firewall.test_clock import ShiftedClock
from xdpwall.changes.crashpoints import POINTS
from xdpwall.errors import Conflict
from xdpwall.firewall.firewall import Firewall
from xdpwall.ruleset.ruleset import Ruleset
from xdpwall.values.author import Author
from xdpwall.values.times import epoch_text

LONG = Author("tester", confirm=3600)
BOX, BOX6 = "10.9.0.2", "fd00:9::2"
CRASHES = [point for point in POINTS if point.startswith("rewrite-")]
Change = Callable[[Firewall], object]


def in_two_sets(firewall: Firewall) -> None:
    """An address of both sets: a class that no generation has rows for."""
    firewall.change_set("bad", add=[BOX])


def for_a_while(firewall: Firewall) -> None:
    """The first entry with an end: the programs have no look at the clock."""
    firewall.change_set("bad", add=["10.9.0.0/24"], expires=epoch_text(int(time.time()) + 3600))


def too_many_for_the_maps(firewall: Firewall) -> None:
    """More addresses than there is room for."""
    more = [f"192.0.{n // 256}.{n % 256}" for n in range(1500)]
    firewall.change_set("bad", add=[*more, BOX])


def prepare(site: Site) -> None:
    """veth0 attached, and pings dropped from @bad, where the box is not in yet."""
    with site.open() as firewall:
        for name in ("bad", "good"):
            firewall.create_set(name)
        firewall.change_set("good", add=[BOX])
        firewall.attach("veth0")
        firewall.add_rules(rules("count from @good", "drop icmp from @bad"))


@pytest.mark.parametrize(
    ("change", "ends"),
    [(in_two_sets, "reverted"), (for_a_while, "cancelled"), (too_many_for_the_maps, "confirmed")],
)
def test_what_they_need_is_made_in_both(site: Site, change: Change, ends: str) -> None:
    prepare(site)
    with site.open() as firewall:
        firewall.add_rules(rules("count tcp/80"), by=LONG)
        maps = [path.name for path in site.settings.bpffs.glob("maps-*")]
        change(firewall)
        assert maps != [path.name for path in site.settings.bpffs.glob("maps-*")]
        assert firewall.pending() is not None
        assert site.ping() == 0
        if ends == "cancelled":
            firewall.cancel()
        elif ends == "confirmed":
            firewall.confirm()
        else:
            revert_now(firewall)
        assert site.ping() == 0, "what it goes back to knows the entry too"
        assert len(firewall.rules().rules) == 2 + (ends == "confirmed")
        firewall.change_set("bad", remove=[BOX, "10.9.0.0/24"])
        assert site.ping() == 3
        firewall.add_rules(rules("count udp"))
        assert firewall.health().problems == []


def test_entries_of_a_set_that_the_change_loaded(site: Site) -> None:
    prepare(site)
    with site.open() as firewall:
        firewall.change_set("bad", add=["192.0.2.9"])
        file = {
            "version": 1,
            "sets": {"bad": {"entries": ["192.0.2.1"]}, "new": {"entries": []}},
            "rules": ["drop icmp from @bad", "count from @new"],
        }
        wanted = Ruleset.parse(file)
        for keep in (False, True):
            firewall.apply(wanted, by=LONG)
            done = firewall.change_set("bad", add=[BOX])
            assert (done.added, done.removed, done.unchanged) == (1, 0, 0)
            assert firewall.change_set("bad", add=[BOX]).unchanged == 1
            assert firewall.change_set("new", add=[BOX]).added == 1
            assert entries(firewall, "bad") == {"192.0.2.1", BOX}
            assert site.ping() == 0
            if keep:
                firewall.confirm()
                assert entries(firewall, "bad") == {"192.0.2.1", BOX}
                assert entries(firewall, "new") == {BOX}
            else:
                firewall.cancel()
                assert entries(firewall, "bad") == {"192.0.2.9", BOX}
                assert [one.name for one in firewall.sets().sets] == ["bad", "good"]
            assert site.ping() == 0
            firewall.change_set("bad", remove=[BOX])
            assert site.ping() == 3
        firewall.add_rules(rules("count udp"))
        assert firewall.health().problems == []


def test_removed_from_a_set_that_the_change_loaded(site: Site) -> None:
    prepare(site)
    with site.open() as firewall:
        firewall.change_set("bad", add=[BOX, BOX6])
        assert site.ping() == 0
        sets = {"bad": {"entries": [BOX, "192.0.2.1"]}, "good": {"entries": [BOX]}}
        firewall.apply(
            Ruleset.parse({"version": 1, "sets": sets, "rules": ["drop icmp from @bad"]}), by=LONG
        )
        firewall.change_set("bad", remove=[BOX])
        assert site.ping() == 3
        revert_now(firewall)
        assert site.ping() == 3, "nobody of ours has done anything since"
        assert entries(firewall, "bad") == {BOX6}


def test_rows_that_could_not_be_made_are_made_after_the_confirmation(site: Site) -> None:
    """A class that was recorded and never compiled must not be taken for one that packets know."""
    prepare(site)
    with site.open() as firewall:
        firewall.add_rules(rules("count tcp/80"), by=LONG)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("xdpwall.changes.generations.check_replaceable", _refuse)
            with pytest.raises(Conflict):
                firewall.change_set("bad", add=[BOX])
        assert entries(firewall, "bad") == set() and site.ping() == 3
        firewall.confirm()
        firewall.change_set("bad", add=[BOX])
        assert site.ping() == 0


def _refuse(*_: object) -> None:
    raise Conflict("a program above keeps the one below", code="below-xdp")


def entries(firewall: Firewall, name: str) -> set[str]:
    """What a set holds, as text."""
    return {entry.entry for entry in firewall.set_entries(name).entries}


@pytest.mark.parametrize("point", [*CRASHES, "set-written"])
def test_kill_9(site: Site, point: str) -> None:
    prepare(site)
    with site.open() as firewall:
        firewall.add_rules(rules("count tcp/80"), by=LONG)
    assert site.run(step("change_set", "bad", add=[BOX]), crash_at=point) == -9
    with site.open() as firewall:
        assert firewall.pending() is not None and firewall.health().problems == []
        firewall.reset_counters()  # any change finishes what was recorded
        assert site.ping() == 0
        assert len(list(site.settings.bpffs.glob("maps-*"))) == 1
        firewall.cancel()
        assert site.ping() == 0
        assert site.kernel_revision() == site.disk_revision()
        firewall.change_set("bad", remove=[BOX])
        assert site.ping() == 3


def test_a_repair_knows_what_it_may_be_reverted_to(site: Site) -> None:
    prepare(site)
    with site.open() as firewall:
        firewall.add_rules(rules("count tcp/80"), by=LONG)
    (site.settings.state_dir / "xdpwall.db").unlink()
    with site.open() as firewall:
        assert firewall.repair().repaired and firewall.pending() is not None
        in_two_sets(firewall)
        assert site.ping() == 0
        firewall.cancel()
        assert site.ping() == 0 and firewall.health().problems == []


def test_the_clock_is_set(site: Site) -> None:
    """Endings follow it, in both copies; the deadline does not care."""
    clock = ShiftedClock(synchronized=True)
    with Firewall.open(site.settings, clock=clock) as firewall:
        firewall.attach("veth0")
        firewall.add_rules(rules(f"accept icmp until {clock.text(1800)}", "drop icmp"))
        before = firewall.add_rules(rules("count tcp"), by=LONG).pending
        assert before is not None and site.ping() == 3
        for shift, pongs in ((3600, 0), (-7200, 3), (3600, 0)):
            clock.shift = shift
            waits = firewall.pending()
            assert waits is not None and waits.revision == before.revision
            assert 3500 < waits.seconds_left <= 3600
            assert clock.text(3500) < waits.until <= clock.text(3600)
            assert firewall.rules().rules[0].expired is (pongs == 0)
            assert site.ping() == pongs
        firewall.cancel()
        assert site.ping() == 0, "what it was reverted to ended as well"
        assert firewall.health().problems == []
