"""Rules on container:NAME and network:NAME, by real packets of machines that an engine's word makes containers."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from tests.firewall.support import Site, rules
from tests.support.net.netns import Namespace, wait_for
from tests.support.net.ping import ping
from xdpwall.changes.relations import RelationsLook
from xdpwall.closing import Closing
from xdpwall.containers.handover import Handover
from xdpwall.errors import InvalidInput
from xdpwall.firewall.firewall import Firewall
from xdpwall.rule.rule import Rule
from xdpwall.ruleset.attachment import AttachmentSpec
from xdpwall.values.author import Author
from xdpwall.views.containers import (
    Container,
    ContainerNetwork,
    ContainerSnapshot,
    EngineNetwork,
)

HOST = "10.8.0.1"


class Town(Closing):
    """A bridge br0, which is the engine's network `backend`, machines on it, and the file with their names."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.file = site.settings.containers
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.boxes: dict[str, Namespace] = {}
        self.hosts: dict[str, int] = {}
        self._made = 0
        site.lab.bridge(site.host, "br0", f"{HOST}/24")
        site.host.ip("link set br0 address 02:00:00:00:00:01")  # else it is that of some port
        self.handover: Handover | None = Handover(self.file)

    def start(self, name: str, address: int) -> str:
        """Start a machine, of which the engine has not told yet; the name of its port."""
        self._made += 1
        box, port = self.site.lab.namespace(f"{name}{self._made}"), f"veth{self._made}x"
        inside = f"10.8.0.{address}/24"
        self.site.lab.veth(self.site.host, port, box, "eth0", master="br0", peer_address=inside)
        self.processes[name] = subprocess.Popen(box.argv("sleep", "3600"))
        self.boxes[name], self.hosts[name] = box, address
        return port

    def stop(self, name: str) -> None:
        """End it; the engine has not told yet."""
        process = self.processes.pop(name)
        process.kill()
        process.wait()
        self.boxes.pop(name).ip("link del eth0")

    def tell(self) -> None:
        """Hand over what runs now."""
        assert self.handover is not None
        running = [
            Container(
                id=f"{n:064x}",
                name=name,
                image="web:1",
                process=process.pid,
                networks=[ContainerNetwork(name="backend", address=f"10.8.0.{self.hosts[name]}")],
            )
            for n, (name, process) in enumerate(sorted(self.processes.items()))
        ]
        network = EngineNetwork(id="a" * 64, name="backend", driver="bridge", bridge="br0")
        self.handover.write(
            ContainerSnapshot(
                engine="/run/docker.sock",
                taken="2026-12-01T00:00:00Z",
                complete=True,
                containers=running,
                networks=[network],
            )
        )

    def lose(self) -> None:
        """From now on nobody asks the engine."""
        if self.handover is not None:
            self.handover.close()
            self.handover = None

    def passes(self, name: str) -> bool:
        """Whether its ping of the host is answered."""
        return ping(self.boxes[name], HOST, 1, over=("eth0", HOST)) == 1

    def close(self) -> None:
        self.lose()
        for process in self.processes.values():
            process.kill()
            process.wait()


@pytest.fixture
def town(site: Site, tmp_path: Path) -> Iterator[Town]:
    site.settings = replace(site.settings, containers=tmp_path / "names" / "containers.json")
    with Town(site) as made:
        yield made


def told(firewall: Firewall, word: str) -> list[str]:
    return [words for words in firewall.status().warnings if word in words]


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


@pytest.mark.parametrize("selector", ["container:web", "network:backend"])
def test_they_are_not_attached_by(firewall: Firewall, selector: str) -> None:
    with pytest.raises(InvalidInput, match="is not attached by"):
        firewall.want(AttachmentSpec(selector))
    assert Rule.parse(f"drop on {selector}").iface == selector
