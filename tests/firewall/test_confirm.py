"""Changes that have to be confirmed: by the facade, with the service and without, under pings."""

from __future__ import annotations

import pytest

from tests.firewall.support import Site, revert_now, rules, step, wait_until_reverted
from xdpwall.errors import CHANGE_PENDING, Conflict, InvalidInput, NotFound
from xdpwall.firewall.firewall import Firewall
from xdpwall.ruleset.ruleset import Ruleset
from xdpwall.values.author import Author

LONG = Author("tester", confirm=3600)
SHORT = Author("tester", confirm=1)


def ids(firewall: Firewall) -> list[str]:
    return [rule.id for rule in firewall.rules().rules]


def test_nobody_confirms(site: Site) -> None:
    site.prepare("accept udp")
    with site.open() as firewall:
        outcome = firewall.add_rules(rules("drop icmp"), by=SHORT)
        assert outcome.pending is not None and outcome.pending.revision == outcome.revision == 2
        assert ids(firewall) == ["r1", "r2"] and firewall.status().pending is not None
        wait_until_reverted(firewall)
        assert site.ping() == 3, "the kernel itself reverts"
        assert site.kernel_revision() == 2, "and nobody has looked yet"
        assert ids(firewall) == ["r1"]
        assert site.kernel_revision() == site.disk_revision() == 1
        assert firewall.status().pending is None and firewall.health().problems == []
        with pytest.raises(Conflict) as late:
            firewall.confirm()
        assert late.value.code == "already-reverted", "also when the disk agrees already"
        firewall.add_rules(rules("count tcp"))
        with pytest.raises(NotFound):
            firewall.confirm()
    assert site.kernel_revision() == site.disk_revision() == 3, "numbers only go up"


@pytest.mark.parametrize("how", ["cancelled", "reverted", "rebooted"])
@pytest.mark.parametrize("first", [True, False])
def test_nobody_confirms_the_change_of_another(site: Site, how: str, first: bool) -> None:
    if not first:
        site.prepare("accept udp")
    with site.open() as firewall:
        one = firewall.add_rules(rules("count tcp/3001"), by=LONG)
        if how == "cancelled":
            firewall.cancel()
        elif how == "reverted":
            revert_now(firewall)
    if how == "rebooted":
        site.forget_kernel()
    with site.open() as firewall:
        if how == "rebooted":
            firewall.restore()
        before = ids(firewall)
        for _ in range(2):
            two = firewall.add_rules(rules("count tcp/3002"), by=LONG)
            assert two.revision > one.revision and two.pending is not None
            with pytest.raises(Conflict) as late:
                firewall.confirm(one.revision)
            assert late.value.code == "other-change"
            with pytest.raises(NotFound):
                firewall.cancel(one.revision)
            assert firewall.pending() == two.pending
            assert site.kernel_revision() == site.disk_revision() == two.revision
            base = firewall.cancel().revision
            assert site.kernel_revision() == site.disk_revision() == base == two.revision - 1
            assert ids(firewall) == before and firewall.health().problems == []
            one = two
        last = firewall.add_rules(rules("count tcp/3003"), by=LONG)
        assert firewall.confirm(last.revision).confirmed
        given = [line.revision for line in firewall.history(limit=100).revisions]
        assert given == sorted(set(given), reverse=True) and given[0] == last.revision
        assert firewall.rollback().changed and ids(firewall) == before


def test_rollback_passes_over_numbers_that_changed_nothing(site: Site) -> None:
    site.prepare("accept udp")
    with site.open() as firewall:
        firewall.add_rules(rules("count tcp"))
        for _ in range(2):
            firewall.add_rules(rules("count icmp"), by=LONG)
            firewall.cancel()
        outcome = firewall.rollback()
        assert (outcome.changed, outcome.to, ids(firewall)) == (True, 1, ["r1"])


def test_confirmed(site: Site) -> None:
    site.prepare("accept udp")
    with site.open() as firewall:
        firewall.add_rules(rules("drop icmp"), by=LONG)
        with pytest.raises(Conflict) as other:
            firewall.confirm(7)
        assert other.value.code == "other-change"
        assert firewall.confirm(2).confirmed
        assert (firewall.pending(), site.ping()) == (None, 0)
        firewall.add_rules(rules("count tcp"))
        with pytest.raises(NotFound):
            firewall.confirm()
    assert site.kernel_revision() == site.disk_revision() == 3


def test_confirmed_too_late(site: Site) -> None:
    site.prepare("accept udp")
    with site.open() as firewall:
        firewall.add_rules(rules("drop icmp"), by=LONG)
        revert_now(firewall)
        with pytest.raises(Conflict) as late:
            firewall.confirm()
        assert late.value.code == "already-reverted"
        assert (ids(firewall), site.ping()) == (["r1"], 3)


def test_cancelled(site: Site) -> None:
    site.prepare("accept udp")
    with site.open() as firewall:
        firewall.delete_rules(["r1"], by=LONG)
        firewall_rule_gone = ids(firewall)
        assert firewall.cancel().revision == 1
        assert (firewall_rule_gone, ids(firewall)) == ([], ["r1"])
        assert firewall.health().problems == []
        with pytest.raises(NotFound):
            firewall.cancel()


def test_what_goes_on_meanwhile(site: Site) -> None:
    with site.open() as firewall:
        firewall.create_set("bad")
        firewall.attach("veth0")
        firewall.add_rules(rules("drop from @bad"))
        firewall.change_set("bad", add=["192.0.2.1"])
        firewall.add_rules(rules("count icmp"), by=LONG)
        refused = [
            lambda: firewall.add_rules(rules("count tcp")),
            lambda: firewall.set_policy({"ingress": "drop"}),
            lambda: firewall.attach("veth0", hook="tc"),
            lambda: firewall.create_set("worse"),
            lambda: firewall.flush(),
            lambda: firewall.apply(Ruleset.parse({"version": 1, "rules": []})),
            lambda: firewall.add_rules(rules("count tcp"), by=LONG),
        ]
        for change in refused:
            with pytest.raises(Conflict) as error:
                change()  # type: ignore[no-untyped-call]
            assert error.value.code == CHANGE_PENDING, error.value
        assert firewall.change_set("bad", add=["10.9.0.2"]).added == 1
        assert site.ping() == 0
        firewall.reset_counters()
        assert firewall.set_switch(False).changed and site.ping() == 3
        assert firewall.set_switch(True).changed and site.ping() == 0
        firewall.cancel()
        assert site.ping() == 0, "entries are no part of a revision"
        firewall.add_rules(rules("count tcp"), by=LONG)
        assert firewall.detach("veth0").detached == ["veth0 xdp"]
        assert site.ping() == 3
        firewall.confirm()
        assert firewall.status().attachments == [] and firewall.health().problems == []


def test_attach_on_trial(site: Site) -> None:
    with site.open() as firewall:
        firewall.add_rules(rules("drop icmp"))
        assert firewall.attach("veth0", by=LONG).pending is not None
        assert site.ping() == 0
        revert_now(firewall)
        assert site.ping() == 3
        assert firewall.status().attachments == []
        assert "xdp" not in site.host.ip("link show dev veth0").split()
        firewall.attach("veth0", by=LONG)
        firewall.confirm()
        assert site.ping() == 0
    with site.open() as firewall:
        assert [one.state for one in firewall.status().attachments] == ["attached"]


def test_detach_on_trial(site: Site) -> None:
    site.prepare("drop icmp")
    with site.open() as firewall:
        passes = "veth0 xdp lets every packet pass at the moment"
        assert not any(passes in one for one in firewall.status().warnings)
        assert firewall.detach("veth0", by=LONG).pending is not None
        assert site.ping() == 3
        assert any(passes in one for one in firewall.status().warnings)
        revert_now(firewall)
        assert site.ping() == 0
        assert [one.state for one in firewall.status().attachments] == ["attached"]
        assert not any(passes in one for one in firewall.status().warnings)
        firewall.detach("veth0", by=LONG)
        assert site.ping() == 3
        firewall.confirm()
        assert (firewall.status().attachments, site.ping()) == ([], 3)


def test_what_cannot_be_taken_back(site: Site) -> None:
    with site.open() as firewall:
        with pytest.raises(InvalidInput):
            firewall.attach("veth0", replace=True, by=LONG)
        firewall.attach("veth0", mode="native")
        generic = {"iface": "veth0", "mode": "generic"}
        with pytest.raises(InvalidInput):
            firewall.apply(
                Ruleset.parse({"version": 1, "rules": [], "attachments": [generic]}), by=LONG
            )
        assert [one.mode for one in firewall.status().attachments] == ["native"]


def test_a_whole_ruleset(site: Site) -> None:
    site.prepare("accept udp")
    file = {
        "version": 1,
        "sets": {"bad": {"entries": ["10.9.0.2"]}},
        "rules": ["drop from @bad", *(f"count tcp/{port}" for port in range(1, 400))],
        "attachments": [{"iface": "veth0", "hook": "tc", "direction": "ingress"}],
    }
    with site.open() as firewall:
        before = firewall.ruleset(sets=True)
        outcome = firewall.apply(Ruleset.parse(file), by=LONG)
        assert outcome.pending is not None
        assert site.ping() == 0
        revert_now(firewall)
        assert site.ping() == 3
        assert firewall.ruleset(sets=True) == before
        assert firewall.health().problems == []
        firewall.apply(Ruleset.parse(file), by=LONG)
        firewall.confirm()
        assert site.ping() == 0
        assert [one.place for one in firewall.status().attachments] == ["tc-ingress"]
        assert firewall.change_set("bad", remove=["10.9.0.2"]).removed == 1
        assert site.ping() == 3


def test_the_same_again_waits_for_nothing(site: Site) -> None:
    site.prepare("accept udp")
    with site.open() as firewall:
        outcome = firewall.apply(Ruleset.parse({"version": 1, "rules": ["accept udp"]}), by=LONG)
        assert (outcome.revision, outcome.pending, firewall.pending()) == (1, None, None)


def test_after_a_reboot_it_is_not_restored(site: Site) -> None:
    site.prepare("accept udp")
    assert site.run(step("attach", "veth0", hook="tc")) == 0
    with site.open() as firewall:
        firewall.add_rules(rules("drop icmp"), by=LONG)
        assert site.ping() == 0
    site.forget_kernel()
    with site.open() as firewall:
        firewall.restore()
        assert (ids(firewall), site.ping()) == (["r1"], 3)
        assert firewall.pending() is None and firewall.health().problems == []
        with pytest.raises(Conflict) as late:
            firewall.confirm(2)
        assert late.value.code == "already-reverted"


def test_the_service_notices(site: Site) -> None:
    site.prepare("accept udp")
    with site.open(service=True) as firewall:
        firewall.add_rules(rules("drop icmp"), by=LONG)
        revert_now(firewall)
        assert ids(firewall) == ["r1"]
        again = firewall.add_rules(rules("drop icmp"), by=LONG)
    with site.open() as firewall:
        assert firewall.confirm(again.revision).confirmed
    assert site.ping() == 0
