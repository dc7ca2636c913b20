"""Rules to and from a container's addresses: `to container:web`, `from container:db`."""

from __future__ import annotations

from functools import partial

import pytest

from tests.firewall.support import rules
from tests.firewall.town import Town, told
from tests.support.net.netns import wait_for
from tests.support.net.ping import ping
from xdpwall.containers.handover import Handover
from xdpwall.errors import InvalidInput
from xdpwall.rule.rule import Rule
from xdpwall.ruleset.attachment import AttachmentSpec


def test_to_a_container_is_to_its_addresses(town: Town) -> None:
    """Pings of the host, at what goes out of the bridge's ports."""
    for n, name in enumerate(("web", "db"), 2):
        town.start(name, n)
    town.tell()

    def reaches(name: str) -> bool:
        address = f"10.8.0.{town.hosts[name]}"
        return ping(town.site.host, address, 1, over=("br0", address)) == 1

    with town.site.open() as firewall:
        firewall.want(AttachmentSpec.at("ports:br0", "tc-egress"))
        assert reaches("web") and reaches("db")
        assert firewall.add_rules(rules("drop icmp to container:web")).warnings == []
        assert not reaches("web") and reaches("db")
        (rule,) = firewall.rules().rules
        assert (rule.text, rule.dst) == ("drop icmp to container:web", "container:web")
        assert rule.packets == 1
        # It comes back with another address, and its former one goes to another container.
        town.stop("web")
        town.stop("db")
        town.start("db", 2)
        town.start("web", 5)
        town.tell()
        firewall.restore()
        assert not reaches("web") and reaches("db")
        packet = "icmp/echo-request to {} on veth4x out"
        (hook,) = firewall.explain([packet.format("10.8.0.5")]).packets[0].hooks
        assert hook.verdict == "drop" and hook.rule is not None and hook.rule.id == "r1"
        (hook,) = firewall.explain([packet.format("10.8.0.2")]).packets[0].hooks
        (near,) = hook.near
        assert [(one.field, one.rule) for one in near.differs] == [("dst", "container:web")]
        assert firewall.check().findings == []
        (shown,) = firewall.explain([], rules=["r1"]).packets
        assert shown.packet is not None and "to 10.8.0.5 " in shown.packet
        assert shown.hooks[0].verdict == "drop"
        # Names are lost: a drop keeps the addresses, an accept has none.
        town.lose()
        firewall.restore()
        assert not reaches("web")
        firewall.set_policy({"egress": "drop"})
        firewall.add_rules(rules("accept icmp to container:db"), at=1)
        assert not reaches("db")
        town.handover = Handover(town.file)
        town.tell()
        firewall.restore()
        assert reaches("db")
        # It goes.
        firewall.set_policy({"egress": "accept"})
        town.stop("web")
        town.tell()
        firewall.restore()
        assert told(firewall, "r1: no address of container:web is known now")


def test_from_a_container_is_from_its_port_and_its_address(town: Town) -> None:
    for n, name in enumerate(("web", "db"), 2):
        town.start(name, n)
    town.tell()
    with town.site.open() as firewall:
        firewall.want(AttachmentSpec.at("ports:br0", "tc-ingress"))
        firewall.set_policy({"ingress": "drop"})
        assert firewall.add_rules(rules("accept icmp from container:db")).warnings == []
        assert town.passes("db") and not town.passes("web")
        # web writes db's address: its port gives it away.
        web = town.boxes["web"]
        web.ip("addr flush dev eth0")
        web.ip("addr add 10.8.0.3/24 dev eth0")
        town.boxes["db"].ip("link set eth0 down")
        assert not town.passes("web")
        web.ip("addr flush dev eth0")
        web.ip("addr add 10.8.0.2/24 dev eth0")
        firewall.add_rules(rules("accept icmp from container:web"))
        assert town.passes("web")
        # And what comes from its port with another address is not its.
        web.ip("addr flush dev eth0")
        web.ip("addr add 10.8.0.9/24 dev eth0")
        assert not town.passes("web")


def test_the_service_follows_addresses(town: Town) -> None:
    with town.site.open(service=True) as firewall:
        firewall.attach("br0", hook="tc", direction="egress")
        firewall.add_rules(rules("drop icmp to container:web"))
        town.tell()
        firewall.watch()
        for n in (5, 6):
            town.start("web", n)
            town.tell()
            wait_for(partial(is_lost, town, f"10.8.0.{n}"), "it is dropped")
            town.stop("web")


def is_lost(town: Town, address: str) -> bool:
    return ping(town.site.host, address, 1, over=("br0", address)) == 0


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"src": "!container:web"}, "src"),
        ({"dst": "!container:web"}, "dst"),
        ({"dst": "container:"}, "dst"),
        ({"dst": "container:a b"}, "dst"),
        ({"dst": "network:backend"}, "dst"),
        ({"src": "container:web", "direction": "egress"}, "direction"),
        ({"src": "container:web", "iface": "eth0"}, "iface"),
        ({"src": "container:web", "ethertype": "arp"}, "src"),
    ],
)
def test_what_is_not_taken_of_addresses(fields: dict[str, str], field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        Rule.parse({"action": "drop", **fields})
    assert refused.value.field == field
