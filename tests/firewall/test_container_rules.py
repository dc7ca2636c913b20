"""Rules on container:NAME and network:NAME, by real packets of machines that an engine's word makes containers."""

from __future__ import annotations

import pytest

from tests.firewall.support import rules
from tests.firewall.town import HOST, Town, told
from tests.support.net.netns import wait_for
from xdpwall.changes.relations import RelationsLook
from xdpwall.containers.handover import Handover
from xdpwall.errors import InvalidInput
from xdpwall.firewall.firewall import Firewall
from xdpwall.rule.rule import Rule
from xdpwall.ruleset.attachment import AttachmentSpec
from xdpwall.values.author import Author


def test_a_drop_holds_from_birth_and_an_accept_from_when_the_name_is_known(town: Town) -> None:
    web = town.start("web", 2)
    town.start("db", 3)
    town.tell()
    with town.site.open() as firewall:
        firewall.want(AttachmentSpec.at("ports:br0", "tc-ingress"))
        firewall.add_rules(rules("drop icmp on container:web"))
        assert not town.passes("web") and town.passes("db")
        assert not told(firewall, "container:web")
        # It starts anew, and nobody has told of that yet: the port may be its.
        town.stop("web")
        again = town.start("web", 2)
        assert web != again and firewall.restore().failed == []
        assert not town.passes("web") and town.passes("db")
        (words,) = told(firewall, "container:web: ")
        assert f"whether it is {again} tc-ingress is not known for sure" in words
        town.tell()
        firewall.restore()
        assert not town.passes("web") and town.passes("db") and not told(firewall, "for sure")
        # Another one comes: until it is named, the rule holds there too.
        town.start("cache", 4)
        firewall.restore()
        assert not town.passes("cache")
        town.tell()
        firewall.restore()
        assert town.passes("cache")
        # An accept wants the name.
        firewall.set_policy({"ingress": "drop"})
        firewall.add_rules(rules("accept icmp on container:late"), at=1)
        assert told(firewall, "container:late matches no interface now")
        town.start("late", 5)
        firewall.restore()
        assert not town.passes("late")
        town.tell()
        firewall.restore()
        assert town.passes("late") and not town.passes("cache")


def test_lost_names(town: Town) -> None:
    """Accepts match nothing, drops hold where they did; also on what came since."""
    for n, name in enumerate(("web", "db"), 2):
        town.start(name, n)
    town.tell()
    with town.site.open() as firewall:
        firewall.want(AttachmentSpec.at("ports:br0", "tc-ingress"))
        firewall.add_rules(rules("drop icmp on container:web", "accept icmp on container:db"))
        firewall.set_policy({"ingress": "drop"})
        assert not town.passes("web") and town.passes("db")
        town.lose()
        firewall.restore()
        assert not town.passes("db")
        firewall.set_policy({"ingress": "accept"})
        assert not town.passes("web") and town.passes("db")
        assert told(firewall, "nobody asks the engine at the moment")
        town.start("new", 7)
        firewall.restore()
        assert not town.passes("new"), "it may be web, started anew"


@pytest.mark.parametrize("content", [b"{", b"", b'{"engine": 5}', b"\xff" * 100])
def test_a_file_that_cannot_be_read_is_lost_names(town: Town, content: bytes) -> None:
    town.start("web", 2)
    town.start("db", 3)
    town.tell()
    with town.site.open() as firewall:
        firewall.want(AttachmentSpec.at("ports:br0", "tc-ingress"))
        firewall.add_rules(rules("drop icmp on container:web", "accept icmp on container:db"))
        town.file.write_bytes(content)
        firewall.set_policy({"ingress": "drop"})
        assert not town.passes("web") and not town.passes("db")
        firewall.set_policy({"ingress": "accept"})
        assert not town.passes("web") and town.passes("db")
        assert told(firewall, "containers have no names")
        town.tell()
        firewall.restore()
        assert not told(firewall, "for sure")


def test_without_an_engine_the_rule_waits(town: Town) -> None:
    town.lose()
    town.file.unlink(missing_ok=True)
    port = town.start("web", 2)
    with town.site.open() as firewall:
        firewall.attach(port, hook="tc")
        said = firewall.add_rules(rules("drop icmp on container:web")).warnings
        assert any(
            "it waits for `systemctl enable --now xdpwall-containers`" in one for one in said
        )
        assert town.passes("web")
        town.handover = Handover(town.file)
        town.tell()
        firewall.restore()
        assert not town.passes("web") and not told(firewall, "container:web")


def test_a_network_is_its_bridge_and_the_ports_of_that(town: Town) -> None:
    town.start("web", 2)
    town.tell()
    with town.site.open() as firewall:
        firewall.attach("veth0")
        firewall.add_rules(rules("drop icmp on network:backend"))
        assert town.site.ping(1) == 1 and town.passes("web")
        firewall.attach("br0", mode="generic")
        assert not town.passes("web") and town.site.ping(1) == 1
        firewall.detach("br0")
        assert town.passes("web")
        firewall.want(AttachmentSpec.at("ports:br0", "tc-ingress"))
        assert not town.passes("web") and town.site.ping(1) == 1
        firewall.set_rule("r1", {"iface": "network:other"})
        assert town.passes("web") and told(firewall, "network:other matches no interface now")


def test_the_service_follows_what_is_told(town: Town) -> None:
    with town.site.open(service=True) as firewall:
        firewall.want(AttachmentSpec.at("ports:br0", "tc-ingress"))
        firewall.add_rules(rules("drop icmp on container:web"))
        town.tell()
        firewall.watch()
        town.start("db", 3)
        town.tell()
        wait_for(lambda: town.passes("db"), "it is known to be no web")
        for _ in range(2):
            town.start("web", 2)
            wait_for(lambda: not town.passes("web"), "its port is attached")
            town.tell()
            wait_for(lambda: not told(firewall, "for sure"), "its name is known")
            assert not town.passes("web") and town.passes("db")
            town.stop("web")
            town.tell()
            wait_for(lambda: bool(told(firewall, "container:web matches no interface")), "gone")
        trail = [one.action for one in firewall.audit_trail().entries]
        assert any("container:web is nothing now" in action for action in trail), trail
        assert any("container:web is veth" in action for action in trail), trail


def test_what_was_so_between_two_looks(town: Town) -> None:
    """A change that was compiled while names were lost is compiled anew, though both looks see the same."""
    town.start("web", 2)
    town.tell()
    with town.site.open(service=True) as firewall:
        firewall.want(AttachmentSpec.at("ports:br0", "tc-ingress"))
        firewall.add_rules(rules("accept icmp on container:web"))
        watching = RelationsLook(firewall._instance, lambda: None, Author())
        with watching:
            watching.look()
            town.lose()
            firewall.set_policy({"ingress": "drop"})
            assert not town.passes("web")
            town.handover = Handover(town.file)
            town.tell()
            watching.look()
            assert town.passes("web")


def test_what_explain_says(town: Town) -> None:
    web, db = town.start("web", 2), town.start("db", 3)
    town.tell()
    with town.site.open() as firewall:
        firewall.want(AttachmentSpec.at("ports:br0", "tc-ingress"))
        firewall.add_rules(rules("accept icmp on container:web", "drop icmp on container:db"))
        packet = f"icmp from 10.8.0.3 to {HOST} on {{}}"

        def verdict(port: str) -> tuple[str | None, str | None]:
            (hook,) = firewall.explain([packet.format(port)]).packets[0].hooks
            return hook.verdict, hook.rule.id if hook.rule is not None else None

        assert verdict(web) == ("pass", "r1") and verdict(db) == ("drop", "r2")
        fresh = town.start("new", 4)
        firewall.restore()
        assert verdict(fresh) == ("drop", "r2")
        (hook,) = firewall.explain([packet.format(fresh)]).packets[0].hooks
        (near,) = hook.near
        assert near.rule.id == "r1"
        assert [(one.field, one.unreadable) for one in near.differs] == [("iface", True)]
        # A packet for the rule is met at the container's own port.
        (shown,) = firewall.explain([], rules=["r1"]).packets
        assert shown.iface == web


@pytest.mark.parametrize("selector", ["container:web", "network:backend"])
def test_they_are_not_attached_by(firewall: Firewall, selector: str) -> None:
    with pytest.raises(InvalidInput, match="is not attached by"):
        firewall.want(AttachmentSpec(selector))
    assert Rule.parse(f"drop on {selector}").iface == selector
