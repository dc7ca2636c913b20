"""Rules on several interfaces, `on veth*` and `on ports:br0`: what is judged, also as interfaces come and go."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.firewall.support import Site, box_with, passes, rules
from tests.support.net.netns import Namespace, wait_for
from tests.support.net.ping import ping
from xdpwall.abi import Feature
from xdpwall.errors import InvalidInput
from xdpwall.firewall.firewall import Firewall
from xdpwall.rule.rule import Rule
from xdpwall.ruleset.attachment import AttachmentSpec
from xdpwall.ruleset.ruleset import Ruleset
from xdpwall.values.author import Author

PORTS = "drop icmp on ports:br0"


@pytest.fixture
def firewall(site: Site) -> Iterator[Firewall]:
    with site.open() as opened:
        yield opened


def bridge_of(site: Site, *ports: str) -> None:
    site.host.ip("link add br0 type bridge")
    site.host.ip("link set br0 up")
    for port in ports:
        site.host.ip(f"link set {port} master br0")


@pytest.mark.parametrize("by_pattern", [True, False])
@pytest.mark.parametrize(
    ("text", "dropped"), [("veth*", True), ("not veth*", False), ("*", True), ("veth1*", False)]
)
def test_names_with_a_star(
    site: Site, firewall: Firewall, by_pattern: bool, text: str, dropped: bool
) -> None:
    """veth0's packets are dropped as the text says; eth9's where it means eth9, also when it comes later."""
    if by_pattern:
        firewall.want(AttachmentSpec("*"))
    else:
        firewall.attach("veth0")
    firewall.add_rules(rules(f"drop icmp on {text}"))
    assert (site.ping(1) == 0) is dropped
    box = box_with(site, "eth9", 8)
    assert firewall.restore().failed == []
    if not by_pattern:
        firewall.attach("eth9")
    assert passes(box, 8) is (text in ("veth*", "veth1*"))
    assert [rule.text for rule in firewall.rules().rules] == [f"drop icmp on {text}"]


def test_one_that_is_born_is_judged_by_its_rules(site: Site) -> None:
    with site.open(service=True) as firewall:
        firewall.add_rules(rules("drop icmp on veth1*"))
        firewall.want(AttachmentSpec("veth*"))
        firewall.watch()
        box = box_with(site, "veth1a", 8)
        wait_for(lambda: not passes(box, 8), "its pings are dropped")
        other = box_with(site, "veth2a", 7)
        wait_for(lambda: "veth2a" in _attached(firewall), "it is attached")
        assert passes(other, 7) and site.ping(1) == 1


def _attached(firewall: Firewall) -> set[str]:
    return {one.iface for one in firewall.status().attachments if one.state == "attached"}


def test_ports_follow_the_bridge_without_the_service(site: Site, firewall: Firewall) -> None:
    box = box_with(site, "veth1", 8)
    for name in ("veth0", "veth1"):
        firewall.attach(name, hook="tc")
    said = firewall.add_rules(rules(PORTS)).warnings
    assert any(words == "rule r1: ports:br0 matches no interface now" for words in said)
    assert passes(box, 8) and site.ping(1) == 1
    bridge_of(site, "veth1")
    firewall.restore()
    assert site.ping(1) == 1
    assert _dropped_between(site, box)
    assert not [words for words in firewall.status().warnings if "ports:br0" in words]
    site.host.ip("link set veth1 nomaster")
    assert firewall.appeared(["veth1"]).failed == []
    assert passes(box, 8)


def _dropped_between(site: Site, box: Namespace) -> bool:
    """Whether a ping of the box at veth1 to the bridge is lost."""
    site.host.ip("addr flush dev veth1")
    site.host.ip("addr add 10.8.0.1/24 dev br0")
    lost = ping(box, "10.8.0.1", 1, over=("eth0", "10.8.0.1")) == 0
    site.host.ip("addr flush dev br0")
    site.host.ip("addr add 10.8.0.1/24 dev veth1")
    return lost


def test_ports_follow_the_bridge_with_the_service(site: Site) -> None:
    box = box_with(site, "veth1", 8)
    with site.open(service=True) as firewall:
        firewall.attach("veth1", hook="tc")
        firewall.add_rules(rules(PORTS))
        firewall.watch()
        assert passes(box, 8)
        bridge_of(site, "veth1")
        site.host.ip("addr del 10.8.0.1/24 dev veth1")
        site.host.ip("addr add 10.8.0.1/24 dev br0")
        wait_for(lambda: not passes(box, 8), "it is judged as a port")
        site.host.ip("link add br1 type bridge")
        site.host.ip("link set br1 up")
        site.host.ip("addr del 10.8.0.1/24 dev br0")
        site.host.ip("addr add 10.8.0.1/24 dev br1")
        site.host.ip("link set veth1 master br1")
        wait_for(lambda: passes(box, 8), "it is no port of br0 any more")


def test_a_service_that_starts_follows_what_happened_meanwhile(site: Site) -> None:
    box = box_with(site, "veth1", 8)
    bridge_of(site)
    with site.open() as firewall:
        firewall.attach("veth1", hook="tc")
        firewall.add_rules(rules(PORTS))
    site.host.ip("link set veth1 master br0")
    site.host.ip("addr del 10.8.0.1/24 dev veth1")
    site.host.ip("addr add 10.8.0.1/24 dev br0")
    assert passes(box, 8), "nobody was there to see it"
    with site.open(service=True) as firewall:
        firewall.watch()
        wait_for(lambda: not passes(box, 8), "the service has seen it")


def test_ports_between_which_a_bridge_forwards(site: Site, firewall: Firewall) -> None:
    """From one machine on the bridge to another, which neither hook of the bridge sees."""
    boxes = [box_with(site, f"veth{n}", n) for n in (1, 2)]
    bridge_of(site, "veth1", "veth2")
    for n, box in enumerate(boxes, 1):
        box.ip(f"addr add 10.77.0.{n}/24 dev eth0")
    over = ("eth0", "10.77.0.2")
    assert ping(boxes[0], "10.77.0.2", 1, over=over) == 1
    firewall.want(AttachmentSpec("ports:br0"))
    firewall.add_rules(rules(PORTS))
    assert ping(boxes[0], "10.77.0.2", 1, over=over) == 0
    packet = "icmp/echo-request from 10.77.0.1 to 10.77.0.2 on veth1"
    (hook,) = firewall.explain([packet]).packets[0].hooks
    assert hook.verdict == "drop" and hook.rule is not None and hook.rule.text == PORTS
    firewall.set_rule("r1", {"iface": "!ports:br0"})
    assert ping(boxes[0], "10.77.0.2", 1, over=over) == 1
    (hook,) = firewall.explain([packet]).packets[0].hooks
    (near,) = hook.near
    assert [(d.field, d.packet, d.rule) for d in near.differs] == [
        ("iface", "veth1", "not ports:br0")
    ]


def test_while_a_change_waits_both_copies_follow(site: Site) -> None:
    box = box_with(site, "veth1", 8)
    with site.open(service=True) as firewall:
        firewall.attach("veth1", hook="tc")
        firewall.add_rules(rules(PORTS))
        firewall.watch()
        trial = Author(confirm=600)
        firewall.add_rules(rules("drop gre"), by=trial)
        bridge_of(site, "veth1")
        site.host.ip("addr del 10.8.0.1/24 dev veth1")
        site.host.ip("addr add 10.8.0.1/24 dev br0")
        wait_for(lambda: not passes(box, 8), "the copy that judges has followed")
        firewall.rollback()
        assert not passes(box, 8)


def test_one_that_was_renamed_is_judged_by_the_name_it_was_attached_by(
    site: Site, firewall: Firewall
) -> None:
    firewall.attach("veth0", hook="tc")
    firewall.add_rules(rules("drop icmp on veth*"))
    site.host.ip("link set veth0 name wan0")
    firewall.add_rules(rules("drop gre"))
    assert site.ping(1) == 0
    firewall.attach("wan0", hook="tc")
    assert site.ping(1) == 1


def test_what_is_told_of_them(site: Site, firewall: Firewall) -> None:
    said = firewall.add_rules(rules("drop icmp on veth*", "drop udp on wg*")).warnings
    assert [words for words in said if "wg*" in words] == ["rule r2: wg* matches no interface now"]
    assert any(
        words.startswith(
            "rule r1: nothing is attached to any veth*, it sees no packet until: xdpwall attach 'veth*'"
        )
        for words in said
    )
    bridge_of(site, "veth0")
    (words,) = firewall.advise(Rule.parse(PORTS))
    assert "xdpwall attach ports:br0 (REST: PUT /api/v1/interfaces/ports%3Abr0/" in words
    firewall.want(AttachmentSpec("veth*"))
    assert firewall.advise(Rule.parse(PORTS)) == []
    assert not [words for words in firewall.status().warnings if "r1" in words]


@pytest.mark.parametrize("text", ["veth*", "!ports:br0", "*"])
def test_what_is_said_is_kept(site: Site, firewall: Firewall, text: str) -> None:
    firewall.apply(Ruleset.parse({"version": 1, "rules": [{"action": "drop", "iface": text}]}))
    (rule,) = firewall.rules().rules
    assert rule.iface == text and Rule.parse(rule.text).iface == text
    _, exported = firewall.ruleset()
    assert exported.rules[0].iface == text and firewall.diff(exported).same
    firewall.add_rules(rules("drop gre"))
    firewall.rollback()
    assert firewall.rules().rules[0].iface == text
    found = firewall.check(exported)
    assert [one.kind for one in found.findings if one.kind != "unseen"] == []


@pytest.mark.parametrize(
    "text",
    [
        *("ports:", "ports:br*", "ports:a/b", "!ports:!br0", "x:br0", "veth*:", "e" * 15 + "*"),
        *("!container:web", "!network:backend", "container:", "container:a b", "container:\x1b[2J"),
        *("container:we*", "container:!web", "network:/x", "container:" + "a" * 129),
    ],
)
def test_what_means_nothing_is_refused(firewall: Firewall, text: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        Rule.parse({"action": "drop", "iface": text})
    assert refused.value.field == "iface"


def test_a_packet_is_met_on_one_interface(firewall: Firewall) -> None:
    for packet in ("icmp on veth*", "icmp on ports:br0"):
        with pytest.raises(InvalidInput, match="stands for several interfaces"):
            firewall.explain([packet])


def test_a_packet_pays_what_it_pays_for_one_name(site: Site, firewall: Firewall) -> None:
    """The same features are switched on in the program, and its number leads to one row."""
    bridge_of(site, "veth0")
    firewall.attach("veth0", hook="tc")
    dataplane = firewall._instance.dataplane()
    assert dataplane is not None
    found = {}
    for text in ("veth0", "veth*", "ports:br0"):
        firewall.apply(Ruleset.parse({"version": 1, "rules": [f"drop icmp on {text}"]}))
        active = dataplane.generations.active
        assert active is not None
        found[text] = active.features, active.rows.count
    assert len(set(found.values())) == 1
    assert Feature.ATTACHMENT in found["veth*"][0]
