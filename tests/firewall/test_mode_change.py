"""Another mode of an attachment at XDP: no packet passes unjudged on the way, also where a process dies."""

from __future__ import annotations

import pytest

from tests.firewall.support import Site, rules, step
from tests.firewall.test_upgrade import flood
from xdpwall.changes.crashpoints import POINTS
from xdpwall.firewall.firewall import Firewall
from xdpwall.kernel.net.tc import tc_filters
from xdpwall.ruleset.ruleset import Ruleset

CRASHES = [point for point in POINTS if point.startswith("mode-")]
OTHER = {"native": "generic", "generic": "native"}


def wanted(mode: str) -> dict[str, object]:
    """The ruleset, with the attachment in that mode."""
    attachments = [{"iface": "veth0", "mode": mode}]
    return {"version": 1, "rules": [{"id": "r1", "text": "drop icmp"}], "attachments": attachments}


def in_place(firewall: Firewall) -> tuple[str | None, str]:
    """The mode of the one attachment, and whether it is attached; nothing stands in for it."""
    (view,) = firewall.status().attachments
    instance = firewall._instance
    assert instance.attacher.stand_ins.indexes() == []
    (row,) = instance.attachments
    assert row.mode == view.mode and row.intent == "attached"
    assert not tc_filters(row.index, "ingress")
    return view.mode, view.state


def test_no_packet_passes_unjudged(site: Site) -> None:
    with site.open() as firewall:
        firewall.attach("veth0", mode="native")
        firewall.add_rules(rules("drop icmp"))
        number = firewall._instance.attachments[0].number
        with flood(site):
            for mode in ("generic", "native") * 2:
                done = firewall.apply(Ruleset.parse(wanted(mode)))
                assert not done.detached and not any("unjudged" in one for one in done.warnings)
                assert in_place(firewall) == (mode, "attached")
        assert firewall._instance.attachments[0].number == number
        assert firewall.health().problems == []


def test_where_no_filter_can_judge_it_is_said(site: Site) -> None:
    with site.open() as firewall:
        firewall.attach("veth0", mode="native")
        firewall.add_rules(rules("drop icmp"))
        site.host.run("tc", "qdisc", "add", "dev", "veth0", "clsact")
        before = "protocol all pref 1 u32 match u32 0 0 flowid 1:1"
        site.host.run(*f"tc filter add dev veth0 ingress {before}".split())
        done = firewall.apply(Ruleset.parse(wanted("generic")))
        assert any("passed unjudged for a moment" in one for one in done.warnings)
        assert [one.mode for one in firewall.status().attachments] == ["generic"]
        assert site.ping() == 0


@pytest.mark.parametrize(
    ("mode", "point"), list(zip(("native", "generic", "native"), CRASHES, strict=True))
)
def test_kill_9(site: Site, mode: str, point: str) -> None:
    with site.open() as firewall:
        firewall.attach("veth0", mode=mode)  # type: ignore[arg-type]
        firewall.add_rules(rules("drop icmp"))
    with flood(site):
        assert site.run(step("apply", wanted(OTHER[mode])), crash_at=point) == -9
        assert site.ping() == 0
        with site.open() as firewall:
            firewall.rules()
            changed = point == "mode-changed"
            assert in_place(firewall) == (OTHER[mode] if changed else mode, "attached")
            assert firewall.health().problems == []
            firewall.apply(Ruleset.parse(wanted(OTHER[mode])))
            assert in_place(firewall) == (OTHER[mode], "attached")
