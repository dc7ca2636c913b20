"""Attachments by policy: `veth*`, `ports:br0`, names that need not exist; with the service and without it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.firewall.support import Site, box_with, passes, rules, step
from tests.support.net.netns import wait_for
from xdpwall.errors import Conflict, InvalidInput
from xdpwall.firewall.firewall import Firewall
from xdpwall.ruleset.attachment import AttachmentSpec
from xdpwall.ruleset.ruleset import Ruleset
from xdpwall.values.author import Author
from xdpwall.values.terms import Place
from xdpwall.views.attachments import WantedView


@pytest.fixture
def firewall(site: Site) -> Iterator[Firewall]:
    with site.open() as opened:
        opened.add_rules(rules("drop icmp"))
        yield opened


def wanted(firewall: Firewall) -> WantedView:
    (view,) = firewall.status().wanted
    return view


def attached(firewall: Firewall) -> list[str]:
    return sorted(one.iface for one in firewall.status().attachments if one.state == "attached")


@pytest.mark.parametrize("place", ["xdp", "tc-ingress"])
def test_a_pattern_is_in_place_on_what_there_is_and_what_comes(
    site: Site, firewall: Firewall, place: Place
) -> None:
    done = firewall.want(AttachmentSpec.at("veth*", place))
    assert done.changed and done.attached == [f"veth0 {place}"]
    assert done.wanted.in_place == ["veth0"] and site.ping(1) == 0
    assert not firewall.want(AttachmentSpec.at("veth*", place)).changed

    box = box_with(site, "veth1", 8)
    assert passes(box, 8)
    (problem,) = firewall.health().problems
    assert problem.startswith(f"veth1 {place}: not filtered, though veth* is wanted: ")
    assert [one.iface for one in wanted(firewall).waiting] == ["veth1"]
    found = {one.name: one for one in firewall.interfaces().interfaces}
    assert found["veth1"].wanted == [f"veth* {place}"] and place in found["veth1"].waiting
    assert firewall.metrics().unfiltered == [("veth1", place)]
    assert firewall.appeared(["veth1"]).attached == [f"veth1 {place}"]
    assert not passes(box, 8) and firewall.health().status == "ok"
    assert wanted(firewall).in_place == ["veth0", "veth1"] and not wanted(firewall).waiting

    site.host.ip("link del veth1")
    assert firewall.restore().failed == []
    assert attached(firewall) == ["veth0"] and firewall.health().status == "ok"
    with pytest.raises(Conflict, match="wanted by the attachment veth\\*") as refused:
        firewall.detach("veth0")
    assert refused.value.code == "wanted-by-pattern"
    assert firewall.detach("veth*").detached == [f"veth0 {place}", f"veth* {place}"]
    assert site.ping(1) == 1 and firewall.status().wanted == []
    assert firewall.restore().attached == []


def test_the_service_attaches_what_comes_and_says_how_long_it_was_open(site: Site) -> None:
    with site.open(service=True) as firewall:
        firewall.add_rules(rules("drop icmp"))
        firewall.want(AttachmentSpec("veth*"))
        firewall.watch()
        box = box_with(site, "veth1", 8)
        wait_for(lambda: attached(firewall) == ["veth0", "veth1"], "it is attached")
        assert not passes(box, 8)
        wait_for(lambda: "veth* xdp" in firewall.metrics().patterns, "it is counted")
        spells = firewall.metrics().patterns["veth* xdp"]
        assert spells.attached == 1 and 0 < spells.longest <= spells.seconds
        (view,) = [one for one in firewall.status().attachments if one.iface == "veth1"]
        assert view.last_open is not None and view.last_open.seconds == spells.seconds
        trail = [one.action for one in firewall.audit_trail().entries]
        assert any("veth1 xdp was not filtered since" in action for action in trail)
        site.host.ip("link del veth1")
        wait_for(lambda: attached(firewall) == ["veth0"], "its attachment ends")
        assert firewall.health().status == "ok"
        pins = firewall._instance.attacher.pins.entries
        wait_for(lambda: len(pins()) == 1, "its pin goes")


def test_ports_of_a_bridge(site: Site, firewall: Firewall) -> None:
    site.host.ip("link add br0 type bridge")
    site.host.ip("link set br0 up")
    done = firewall.want(AttachmentSpec("ports:br0"))
    assert done.attached == [] and done.wanted.why_none == "br0 has no ports at the moment"
    box = box_with(site, "veth1", 8)
    assert firewall.restore().waiting == ["ports:br0 xdp: br0 has no ports at the moment"]
    site.host.ip("link set veth1 master br0")
    assert firewall.restore().attached == ["veth1 xdp"]
    assert wanted(firewall).in_place == ["veth1"]
    site.host.ip("link set veth1 nomaster")
    assert firewall.restore().failed == []
    assert not passes(box, 8), "what left the bridge stays filtered"
    assert wanted(firewall).in_place == []
    assert firewall.detach("veth1").detached == ["veth1 xdp"]
    assert passes(box, 8)


def test_a_name_that_need_not_exist(site: Site, firewall: Firewall) -> None:
    done = firewall.want(AttachmentSpec("ppp0", if_present=True))
    assert done.changed and done.wanted.why_none == "there is no interface called ppp0"
    outcome = firewall.restore()
    assert outcome.failed == [] and outcome.waiting == [
        "ppp0 xdp: there is no interface called ppp0"
    ]
    assert firewall.health().status == "ok"
    box = box_with(site, "ppp0", 8)
    assert firewall.appeared(["ppp0"]).attached == ["ppp0 xdp"]
    assert not passes(box, 8)
    site.host.ip("link del ppp0")
    assert firewall.restore().failed == [] and firewall.health().status == "ok"
    assert firewall.detach("ppp0").detached == ["ppp0 xdp"]
    assert firewall.status().wanted == []


def test_what_cannot_be_filtered_is_told_and_is_no_failure(site: Site, firewall: Firewall) -> None:
    site.host.ip("tuntap add tun0 mode tun")
    done = firewall.want(AttachmentSpec("*"))
    assert {"lo xdp", "veth0 xdp"} == set(done.attached)
    (waits,) = done.wanted.waiting
    assert waits.iface == "tun0" and not waits.attachable and "no Ethernet header" in waits.why
    outcome = firewall.restore()
    assert outcome.failed == [] and any("tun0" in said for said in outcome.warnings)
    assert firewall.health().status == "ok"
    firewall.detach("*")
    assert firewall.status().attachments == []


def test_one_attached_by_name_stays_when_the_pattern_goes(site: Site, firewall: Firewall) -> None:
    firewall.want(AttachmentSpec("veth*"))
    assert not firewall.attach("veth0").changed
    firewall.detach("veth*")
    assert attached(firewall) == ["veth0"] and site.ping(1) == 0


def test_in_a_ruleset_file(site: Site, firewall: Firewall) -> None:
    site.lab.veth(site.host, "veth1", site.lab.namespace("other"), "eth0")
    stated = [
        {"iface": "veth*", "hook": "xdp", "direction": "ingress", "mode": "generic"},
        {"iface": "eth9", "hook": "tc", "direction": "egress", "if_present": True},
    ]
    file = {"version": 1, "rules": ["drop icmp"], "attachments": stated}
    ruleset = Ruleset.parse(file)
    planned = firewall.diff(ruleset)
    assert [(one.kind, one.attachment) for one in planned.attachments] == [
        ("added", "eth9 tc-egress"),
        ("added", "veth* xdp"),
        ("added", "veth0 xdp"),
        ("added", "veth1 xdp"),
    ]
    assert firewall.apply(ruleset, dry_run=True).attached[:2] == ["veth* xdp", "eth9 tc-egress"]
    assert firewall.status().wanted == []
    firewall.apply(ruleset)
    assert attached(firewall) == ["veth0", "veth1"] and site.ping(1) == 0
    assert firewall.ruleset()[1].to_json()["attachments"] == stated
    assert firewall.diff(ruleset).same
    again = firewall.apply(ruleset)
    assert again.attached == [] and again.detached == []
    with pytest.raises(InvalidInput, match="confirm"):
        confirmed = Ruleset.parse({**file, "attachments": []})
        firewall.apply(confirmed, by=site_author(60))
    gone = firewall.apply(Ruleset.parse({**file, "attachments": []}))
    assert set(gone.detached) == {"veth* xdp", "eth9 tc-egress", "veth0 xdp", "veth1 xdp"}
    assert firewall.status().wanted == [] and attached(firewall) == []


def site_author(seconds: int) -> Author:
    return Author("tester", confirm=seconds)


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        ({"iface": "ports:"}, "iface"),
        ({"iface": "ports:a/b"}, "iface"),
        ({"iface": "a:b"}, "iface"),
        ({"iface": "veth*", "if_present": 1}, "if_present"),
        ({"iface": "veth*", "hook": "xdp", "direction": "egress"}, "direction"),
    ],
)
def test_bad_words_are_refused_by_their_field(spec: dict[str, object], field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        AttachmentSpec.parse(spec)
    assert refused.value.field == field


def test_members_share_a_program_and_are_told_apart(site: Site, firewall: Firewall) -> None:
    boxes = {f"veth{n}": box_with(site, f"veth{n}", n) for n in (3, 4, 5)}
    firewall.flush()
    firewall.add_rules(rules("drop icmp on veth3", "drop icmp on not veth4"))
    firewall.want(AttachmentSpec("veth*"))
    views = {one.iface: one for one in firewall.status().attachments}
    assert len({one.program_id for one in views.values()}) == 1 and len(views) == 4
    assert not passes(boxes["veth3"], 3) and passes(boxes["veth4"], 4)
    assert not passes(boxes["veth5"], 5) and site.ping(1) == 0
    first, second = firewall.rules().rules
    assert first.packets == 1 and second.packets == 2
    dropped = {one.iface: one.totals.dropped.packets for one in firewall.status().attachments}
    assert dropped == {"veth0": 1, "veth3": 1, "veth4": 0, "veth5": 1}
    # A rule about one that was like the others, and larger maps: all are loaded anew.
    firewall.add_rules(rules("accept icmp on veth5"), at=1)
    assert passes(boxes["veth5"], 5) and not passes(boxes["veth3"], 3)
    many = [f"count tcp/{port}" for port in range(1, 200)]
    firewall.add_rules(rules(*many))
    assert passes(boxes["veth5"], 5) and not passes(boxes["veth3"], 3)
    assert len({one.program_id for one in firewall.status().attachments}) == 1
    # One that comes is told by the rules that are about it, by its name, a pattern or its bridge.
    firewall.add_rules(rules("accept icmp on veth7", "accept icmp on ports:br0"), at=1)
    seventh = box_with(site, "veth7", 7)
    assert firewall.appeared(["veth7"]).attached == ["veth7 xdp"]
    assert passes(seventh, 7)
    late = box_with(site, "veth6", 6)
    assert passes(late, 6)
    assert firewall.appeared(["veth6"]).attached == ["veth6 xdp"]
    assert not passes(late, 6)


def test_a_member_that_is_moved_away_is_let_go_and_the_others_stay(
    site: Site, firewall: Firewall
) -> None:
    box = box_with(site, "veth1", 8)
    firewall.want(AttachmentSpec("veth*"))
    third = site.lab.namespace("third")
    site.host.ip(f"link set veth1 netns {third.name}")
    third.ip("addr add 10.8.0.1/24 dev veth1")
    third.ip("link set veth1 up")
    wait_for(lambda: "state UP" in third.ip("link show veth1"), "veth1 up")
    assert not passes(box, 8), "until somebody looks it is judged as what no rule names"
    assert firewall.restore().failed == []
    assert passes(box, 8) and site.ping(1) == 0
    assert attached(firewall) == ["veth0"] and firewall.health().status == "ok"
    third.ip(f"link set veth1 netns {site.host.name}")
    assert firewall.restore().attached == ["veth1 xdp"]


@pytest.mark.parametrize("point", ["attach-recorded", "attach-loaded", "attach-attached"])
def test_a_crash_while_members_are_attached_is_finished(site: Site, point: str) -> None:
    site.lab.veth(site.host, "veth1", site.lab.namespace("other"), "eth0")
    assert site.run(
        step("add_rules", ["drop icmp"]), step("want", {"iface": "veth*"}), crash_at=point
    )
    with site.open() as firewall:
        assert firewall.restore().failed == []
        assert attached(firewall) == ["veth0", "veth1"] and site.ping(1) == 0
        assert len({one.number for one in firewall.status().attachments}) == 2
        firewall.detach("veth*")
        assert attached(firewall) == [] and site.ping(1) == 1


@pytest.mark.parametrize("place", ["xdp", "tc-egress"])
def test_the_first_member_waits_for_no_verifier(site: Site, place: Place) -> None:
    """The program is loaded when the pattern is wanted, anew with other features, and once."""
    with site.open(service=True) as firewall:
        firewall.add_rules(rules("drop icmp"))
        firewall.watch()
        firewall.want(AttachmentSpec.at("later*", place))

        def ready() -> int | None:
            instance = firewall._instance
            with instance.lock.threads:
                dataplane = instance.dataplane()
                if dataplane is None or not dataplane.programs.is_prepared(place):
                    return None
                shared = dataplane.programs._shared  # not known from outside
                return next(one.info.id for (at, _), one in shared.items() if at == place)

        first = wait_for(ready, "a program before any member")
        firewall.add_rules(rules("drop udp over 5/s"))  # which programs without rates cannot judge
        other = wait_for(ready, "a program with rates")
        assert other != first
        box_with(site, "later0", 8)
        wait_for(lambda: "later0" in attached(firewall), "the first member")
        assert firewall.status().attachments[0].program_id == other
