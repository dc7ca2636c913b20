"""Timeouts of flows: a section of the ruleset, part of its revisions, in force for each flow's next packet."""

from __future__ import annotations

from typing import Any

import pytest

from tests.firewall.support import Site, dataplane_of, rules
from xdpwall.dataplane.flow_maps import timeout_ticks
from xdpwall.errors import InvalidInput
from xdpwall.firewall.firewall import Firewall
from xdpwall.ruleset.flow_timeouts import FlowTimeouts
from xdpwall.ruleset.ruleset import Ruleset


def ruleset(**timeouts: Any) -> Ruleset:
    """A ruleset that tracks, with these timeouts."""
    stated = ["accept udp/53 keep", "accept state established"]
    return Ruleset.parse({"version": 1, "flows": {"timeouts": timeouts}, "rules": stated})


def in_force(firewall: Firewall) -> list[int]:
    """The ticks of the copy that judges."""
    dataplane = dataplane_of(firewall)
    copy = dataplane.control.read().copy
    return dataplane.map_set._timeouts(copy).tolist()  # type: ignore[no-any-return]


def ticks(**timeouts: int) -> list[int]:
    """What the kernel must have for these."""
    return timeout_ticks(FlowTimeouts(**timeouts)).tolist()  # type: ignore[no-any-return]


def test_they_come_with_a_ruleset_and_go_with_a_rollback(site: Site) -> None:
    with site.open() as firewall:
        firewall.apply(ruleset())
        assert in_force(firewall) == ticks()
        planned = firewall.diff(ruleset(udp="90s", tcp=3600))
        assert [(one.field, one.old, one.new) for one in planned.timeouts] == [
            ("tcp", "8000s", "3600s"),
            ("udp", "30s", "90s"),
        ]
        outcome = firewall.apply(ruleset(udp="90s", tcp=3600))
        assert outcome.timeouts_changed
        assert not outcome.policy_changed
        assert in_force(firewall) == ticks(udp=90, tcp=3600)
        assert firewall.ruleset()[1].to_json()["flows"] == {"timeouts": {"tcp": 3600, "udp": 90}}
        assert firewall.flows().fill.timeouts == {"tcp": 3600, "udp": 90}
        firewall.add_rules(rules("accept udp/54 keep"))
        assert in_force(firewall) == ticks(udp=90, tcp=3600)
        firewall.rollback(outcome.revision - 1)
        assert in_force(firewall) == ticks()
        assert "flows" not in firewall.ruleset()[1].to_json()
        firewall.rollback(outcome.revision)
        assert in_force(firewall) == ticks(udp=90, tcp=3600)
    with site.open() as firewall:
        assert firewall.flows().fill.timeouts == {"tcp": 3600, "udp": 90}
        assert not firewall.apply(ruleset(udp=90, tcp="1h")).timeouts_changed


def test_equal_timeouts_are_no_change(site: Site) -> None:
    with site.open() as firewall:
        first = firewall.apply(ruleset(icmp=5)).revision
        assert firewall.apply(ruleset(icmp="5s")).revision == first
        assert firewall.apply(ruleset(icmp=5, other=600)).revision == first


@pytest.mark.parametrize(
    ("flows", "field"),
    [
        ([], "flows"),
        ({"timeouts": 5}, "flows.timeouts"),
        ({"size": 1024}, "flows.size"),
        ({"timeouts": {"upd": 5}}, "flows.timeouts.upd"),
        ({"timeouts": {"udp": 0}}, "flows.timeouts.udp"),
        ({"timeouts": {"udp": 16001}}, "flows.timeouts.udp"),
        ({"timeouts": {"udp": "5h"}}, "flows.timeouts.udp"),
        ({"timeouts": {"udp": "soon"}}, "flows.timeouts.udp"),
        ({"timeouts": {"udp": True}}, "flows.timeouts.udp"),
        ({"timeouts": {"udp": None}}, "flows.timeouts.udp"),
    ],
)
def test_bad_ones_are_refused_by_name(flows: object, field: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        Ruleset.parse({"version": 1, "flows": flows, "rules": []})
    assert caught.value.field == field
