"""Which rule made a flow, also when the rule is gone, and its slot another's."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from tests.firewall.support import Site, dataplane_of, trail
from tests.support.net.netns import wait_for
from xdpwall.dataplane.flow_maps import tick_shift, ticks_of
from xdpwall.dataplane.flow_table import FlowTable
from xdpwall.errors import NotFound
from xdpwall.firewall.firewall import Firewall
from xdpwall.instance.clock import InstanceClock
from xdpwall.rule.rule import Rule
from xdpwall.views.flows import FlowFilter

HOST = "10.9.0.1"


@pytest.fixture
def firewall(site: Site) -> Iterator[Firewall]:
    with site.open() as made:
        made.attach("veth0")
        made.attach("veth0", hook="tc", direction="egress")
        yield made


def add(firewall: Firewall, rule: str, port: int) -> None:
    """A rule that keeps what comes for the port."""
    firewall.add_rules([Rule.parse({"id": rule, "text": f"accept udp/{port} in keep"})])


def send(firewall: Firewall, site: Site, port: int, *, age: int = 0) -> None:
    """A flow for the port, made so many seconds ago."""
    with site.box.inside():
        sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with sender:
        sender.sendto(b"x", (HOST, port))
        mine = FlowFilter(src="10.9.0.2/32", port=sender.getsockname()[1])
    wait_for(lambda: firewall.flows(mine).total, "the flow is made")
    dataplane = dataplane_of(firewall)
    table, jiffies = FlowTable(dataplane.map_set.maps), dataplane.control.jiffies()
    places = table.live("ipv4", jiffies)
    (place,) = (
        one.place for one in table.read("ipv4", places, jiffies) if one.origin[1] == mine.port
    )
    table._flows("ipv4")["rest"]["number"][place] -= ticks_of(age, tick_shift())


def ports(firewall: Firewall, **wanted: str | int) -> list[int | None]:
    found = firewall.flows(FlowFilter.model_validate(wanted)).flows
    return sorted((flow.dport for flow in found), key=lambda port: port or 0)


def test_those_of_a_deleted_rule_are_listed_and_ended(firewall: Firewall, site: Site) -> None:
    add(firewall, "guests", 1001)
    add(firewall, "staff", 1002)
    for port in (1001, 1002):
        send(firewall, site, port)
    (said,) = firewall.delete_rules(["guests"]).warnings
    assert said.startswith("1 flow that it made lives on") and "flows flush --rule guests" in said
    assert {flow.dport: flow.rule for flow in firewall.flows().flows} == {
        1001: "guests",
        1002: "staff",
    }
    assert ports(firewall, rule="guests") == [1001]
    assert firewall.flush_flows(FlowFilter(rule="guests")).flushed == 1
    assert "flows flush: 1 flows (rule guests)" in trail(firewall)[-1]
    assert ports(firewall) == [1002]
    # None are left, and it is known all the same.
    assert firewall.flush_flows(FlowFilter(rule="guests")).flushed == 0
    with pytest.raises(NotFound, match="no rule 'guest', nor was there one"):
        firewall.flush_flows(FlowFilter(rule="guest"))


def test_flush_of_rules_names_no_rule(firewall: Firewall, site: Site) -> None:
    add(firewall, "guests", 1001)
    add(firewall, "staff", 1002)
    send(firewall, site, 1001)
    send(firewall, site, 1002)
    (said,) = firewall.flush().warnings
    assert said.startswith("2 flows that they made live on") and "--rule" not in said


def test_another_match_is_the_same_rule(firewall: Firewall, site: Site) -> None:
    """It takes another slot; what it let in before is its own."""
    add(firewall, "guests", 1001)
    send(firewall, site, 1001)
    firewall.set_rule("guests", {"dport": "1003"})
    send(firewall, site, 1003)
    assert ports(firewall, rule="guests") == [1001, 1003]
    assert {flow.rule for flow in firewall.flows().flows} == {"guests"}


def test_a_slot_that_went_to_another(
    firewall: Firewall, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`guests` left the slot 500 seconds ago. What was made about then may be of both: it is named by neither, and
    ended with either."""
    real = InstanceClock.now_ns
    with monkeypatch.context() as patch:
        for ago, change in (
            (1000, lambda: add(firewall, "guests", 1001)),
            (500, lambda: firewall.delete_rules(["guests"])),
            (500, lambda: add(firewall, "staff", 1002)),
        ):
            patch.setattr(InstanceClock, "now_ns", lambda clock, s=ago: real(clock) - s * 10**9)
            change()
    assert firewall.rules().rules[0].id == "staff"
    firewall.set_policy({"ingress": "accept keep"})
    for port, age in ((1002, 100), (1002, 501), (1002, 700)):
        send(firewall, site, port, age=age)
    made = {flow.age and flow.age // 100: flow.rule for flow in firewall.flows().flows}
    assert made == {1: "staff", 5: None, 7: "guests"}
    assert firewall.flows(FlowFilter(rule="staff")).total == 2
    assert firewall.flush_flows(FlowFilter(rule="guests")).flushed == 2
    (left,) = firewall.flows().flows
    assert left.rule == "staff"
