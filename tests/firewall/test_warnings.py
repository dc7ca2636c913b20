"""What the answers warn of."""

from __future__ import annotations

import pytest

from tests.firewall.support import Site, rules
from xdpwall.errors import InvalidInput
from xdpwall.ruleset.ruleset import Ruleset


def test_an_interface_that_does_not_exist(site: Site) -> None:
    with site.open() as firewall:
        (words,) = firewall.add_rules(rules("drop icmp on nosuch0")).warnings
    assert "nosuch0 does not exist" in words


def test_nothing_attached_names_the_call(site: Site) -> None:
    with site.open() as firewall:
        (words,) = firewall.add_rules(rules("drop icmp on veth0")).warnings
        assert "xdpwall attach veth0" in words
        assert "PUT /api/v1/interfaces/veth0/attachments/xdp" in words
        (words,) = firewall.add_rules(rules("drop icmp out")).warnings
        assert "--hook tc --direction egress" in words


def test_egress_where_only_xdp_is(site: Site) -> None:
    with site.open() as firewall:
        firewall.attach("veth0")
        (words,) = firewall.add_rules(rules("drop icmp out")).warnings
        assert "egress" in words and "--hook tc --direction egress" in words
        with pytest.raises(InvalidInput) as caught:
            firewall.add_rules(rules("drop icmp on veth0 out"))
        assert caught.value.field == "direction"


def test_vlan_at_xdp_may_be_blind(site: Site) -> None:
    with site.open() as firewall:
        firewall.attach("veth0")
        (words,) = firewall.add_rules(rules("drop icmp vlan 100")).warnings
        assert "vlan" in words and "--hook tc" in words
        assert any("vlan" in line for line in firewall.status().warnings)


def test_xdp_and_tc_ingress_both_count(site: Site) -> None:
    with site.open() as firewall:
        firewall.attach("veth0")
        (words,) = firewall.attach("veth0", hook="tc").warnings
        assert "both" in words


def test_a_bridge_says_what_is_not_seen(site: Site) -> None:
    site.lab.bridge(site.host, "br0", "10.8.0.1/24")
    with site.open() as firewall:
        firewall.attach("br0")
        outcome = firewall.add_rules(rules("drop icmp on br0"))
        assert len(outcome.warnings) == 1 and "br0" in outcome.warnings[0]


def test_a_disabled_rule_is_not_warned_of(site: Site) -> None:
    with site.open() as firewall:
        assert firewall.add_rules(rules("drop icmp on nosuch0 disabled")).warnings == []


def test_a_thousand_rules_are_not_a_thousand_warnings(site: Site) -> None:
    many = rules(*[f"drop tcp/{port}" for port in range(1, 1001)])
    with site.open() as firewall:
        warnings = firewall.add_rules(many).warnings
        (words,) = warnings
        assert words.startswith("rules r1, r2, r3, r4, r5 and 995 more: nothing is attached")
        assert words in firewall.status().warnings
        same = Ruleset(tuple(many), firewall.policy(), None)
        assert firewall.apply(same).warnings == [words]


def test_a_card_that_leaves_tags_in_the_frame_is_not_warned_of(site: Site) -> None:
    """lo has no offload of tags, as many cards; a veth carries them beside the frame."""
    with site.open() as firewall:
        firewall.attach("lo")
        assert firewall.add_rules(rules("drop vlan 100")).warnings == []
        firewall.attach("veth0")
        (words,) = firewall.add_rules(rules("drop vlan 101")).warnings
        assert "XDP on veth0 cannot see a tag" in words
