"""kill -9 between any two steps of a change on trial, of its confirmation and of its end: kernel and
disk agree afterwards, on the old or the new."""

from __future__ import annotations

import pytest

from tests.firewall.support import Site, Step, revert_now, rules, step
from xdpwall.changes.crashpoints import POINTS
from xdpwall.errors import Conflict
from xdpwall.firewall.firewall import Firewall
from xdpwall.ruleset.attachment import AttachmentSpec
from xdpwall.ruleset.ruleset import Ruleset
from xdpwall.values.author import Author

CHANGE = [point for point in POINTS if point.startswith("after-")]
TRIAL = [*CHANGE, *(point for point in POINTS if point.startswith("trial-"))]
KEEP = [point for point in POINTS if point.startswith("confirm-")]
RENUMBER = [point for point in POINTS if point.startswith("renumber-")]
REVERT = [point for point in POINTS if point.startswith("revert-")]
KILLED = -9
ON_TRIAL = {"by": {"confirm": 3600}}


def settled(site: Site, firewall: Firewall) -> bool:
    """Whether the drop rule is in force, once kernel and disk agree."""
    listed = [rule.id for rule in firewall.rules().rules]
    assert firewall.health().problems == []
    pending = firewall.pending()
    assert site.kernel_revision() == site.disk_revision() == firewall.rules().revision
    dropped = site.ping() == 0
    assert listed == ["r1", "r2"][: 2 if dropped else 1]
    if pending is not None:
        firewall.cancel()
        assert site.ping() == 3
    return dropped


@pytest.mark.parametrize("point", CHANGE)
def test_a_change(site: Site, point: str) -> None:
    site.prepare("accept udp")
    steps = step("add_rules", ["drop icmp"], **ON_TRIAL)
    assert site.run(steps, crash_at=point) == KILLED
    with site.open() as firewall:
        assert settled(site, firewall) == (point in ("after-switch", "after-commit"))
        last = firewall.add_rules(rules("count tcp")).revision
    assert site.kernel_revision() == site.disk_revision() == last == 3


@pytest.mark.parametrize("point", ["after-switch", "after-commit"])
def test_all_are_dead_at_the_deadline(site: Site, point: str) -> None:
    site.prepare("accept udp")
    assert site.run(step("add_rules", ["drop icmp"], **ON_TRIAL), crash_at=point) == KILLED
    with site.open() as firewall:
        revert_now(firewall)
        assert site.ping() == 3, "nothing of ours has run since"
        assert not settled(site, firewall)


@pytest.mark.parametrize("point", KEEP)
def test_a_confirmation(site: Site, point: str) -> None:
    site.prepare("accept udp")
    with site.open() as firewall:
        firewall.add_rules(rules("drop icmp"), by=Author(confirm=3600))
    assert site.run(step("confirm"), crash_at=point) == KILLED
    with site.open() as firewall:
        assert settled(site, firewall)
        assert firewall.pending() is None


@pytest.mark.parametrize("point", REVERT)
@pytest.mark.parametrize("cancelled", [True, False])
def test_an_end(site: Site, point: str, cancelled: bool) -> None:
    site.prepare("accept udp")
    with site.open() as firewall:
        firewall.add_rules(rules("drop icmp"), by=Author(confirm=3600))
        if not cancelled:
            revert_now(firewall)
    ends = step("cancel") if cancelled else step("add_rules", ["count tcp"])
    assert site.run(ends, crash_at=point) == KILLED
    with site.open() as firewall:
        assert not settled(site, firewall)
        assert firewall.pending() is None


@pytest.mark.parametrize("point", [*RENUMBER, "after-record", "after-switch"])
def test_a_change_after_one_that_was_taken_back(site: Site, point: str) -> None:
    site.prepare("accept udp")
    with site.open() as firewall:
        first = firewall.add_rules(rules("drop icmp"), by=Author(confirm=3600))
        firewall.cancel()
    assert site.run(step("add_rules", ["drop icmp"], **ON_TRIAL), crash_at=point) == KILLED
    with site.open() as firewall:
        assert (firewall.pending() is not None) == (point == "after-switch")
        if firewall.pending() is not None:
            firewall.cancel()
        assert (site.ping(), len(firewall.rules().rules)) == (3, 1)
        second = firewall.add_rules(rules("drop icmp"), by=Author(confirm=3600))
        assert second.revision > first.revision
        with pytest.raises(Conflict):
            firewall.confirm(first.revision)
        assert (site.ping(), firewall.health().problems) == (0, [])
        assert site.kernel_revision() == site.disk_revision() == second.revision


@pytest.mark.parametrize("point", TRIAL)
def test_an_attachment(site: Site, point: str) -> None:
    with site.open() as firewall:
        firewall.add_rules(rules("drop icmp"))
    assert site.run(step("attach", "veth0", **ON_TRIAL), crash_at=point) == KILLED
    with site.open() as firewall:
        there = [one.state for one in firewall.status().attachments]
        assert (site.ping() == 0) == (there == ["attached"])
        assert firewall.health().problems == []
        if firewall.pending() is not None:
            firewall.cancel()
        assert (firewall.status().attachments, site.ping()) == ([], 3)
        firewall.attach("veth0")
    assert site.ping() == 0


@pytest.mark.parametrize("point", [*KEEP, "detach-recorded", "detach-detached"])
def test_a_detachment_is_confirmed(site: Site, point: str) -> None:
    site.prepare("drop icmp")
    with site.open() as firewall:
        firewall.detach("veth0", by=Author(confirm=3600))
    assert site.run(step("confirm"), crash_at=point) == KILLED
    with site.open() as firewall:
        assert (firewall.pending(), site.ping()) == (None, 3)
        assert firewall.status().attachments == []
        assert firewall.health().problems == []


def apply_step(by: dict[str, object]) -> Step:
    ruleset = Ruleset(
        rules=tuple(rules("drop from @bad", *(f"count tcp/{n}" for n in range(1, 300)))),
        attachments=(AttachmentSpec("veth0", "tc", "ingress"),),
    )
    file = {**ruleset.to_json(), "sets": {"bad": {"entries": ["10.9.0.2"]}}}
    return step("apply", file, by=by)


@pytest.mark.parametrize("point", [*TRIAL, "set-staged", "set-loaded"])
def test_a_whole_ruleset(site: Site, point: str) -> None:
    site.prepare("accept udp")
    assert site.run(apply_step({"confirm": 3600}), crash_at=point) == KILLED
    with site.open() as firewall:
        listed = firewall.rules().rules
        assert (len(listed), site.ping() == 0) in ((1, False), (300, True), (300, False))
        if firewall.pending() is not None:
            firewall.cancel()
        assert [rule.text for rule in firewall.rules().rules] == ["accept udp"]
        assert [one.place for one in firewall.status().attachments] == ["xdp"]
        assert (firewall.sets().sets, site.ping()) == ([], 3)
        assert firewall.health().problems == []
        firewall.apply(Ruleset.parse(apply_step({})[1][0]))
        assert site.ping() == 0
