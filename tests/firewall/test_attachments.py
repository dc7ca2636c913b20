"""Attachments through the facade."""

from __future__ import annotations

from typing import Literal

import pytest

from tests.firewall.support import Site, rules
from xdpwall.errors import Conflict, InvalidInput, NotFound
from xdpwall.values.terms import Place


def test_attach_twice_is_success(site: Site) -> None:
    with site.open() as firewall:
        first = firewall.attach("veth0")
        assert first.changed and first.attachment.state == "attached"
        assert (first.attachment.mode, first.attachment.wanted_mode) == ("native", "auto")
        again = firewall.attach("veth0")
        assert not again.changed
        assert again.attachment.program_id == first.attachment.program_id


def test_an_interface_that_is_not_there(site: Site) -> None:
    with site.open() as firewall:
        with pytest.raises(NotFound) as caught:
            firewall.attach("nosuch0")
        assert "veth0" in (caught.value.hint or "")
        with pytest.raises(NotFound):
            firewall.detach("nosuch0")
        assert firewall.status().attachments == []


def test_detach_is_success_also_when_nothing_is_there(site: Site) -> None:
    with site.open() as firewall:
        assert firewall.detach("veth0").detached == []
        firewall.attach("veth0")
        firewall.attach("veth0", hook="tc")
        firewall.attach("veth0", hook="tc", direction="egress")
        assert firewall.detach("veth0", hook="tc", direction="egress").detached == [
            "veth0 tc-egress"
        ]
        assert firewall.detach(None).detached == ["veth0 xdp", "veth0 tc-ingress"]
        assert firewall.detach(None).detached == []


def test_a_refused_attachment_leaves_no_row(site: Site) -> None:
    with site.open() as firewall:
        firewall.attach("veth0", mode="generic")
        with pytest.raises(Conflict) as caught:
            firewall.attach("veth0", mode="native")
        assert caught.value.code == "other-mode"
        (view,) = firewall.status().attachments
        assert (view.mode, view.wanted_mode) == ("generic", "generic")
        with pytest.raises(InvalidInput):
            firewall.attach("veth0", direction="egress")


def test_each_place_has_totals_of_its_own(site: Site) -> None:
    with site.open() as firewall:
        firewall.attach("veth0")
        firewall.attach("veth0", hook="tc", direction="egress")
        firewall.add_rules(rules("drop icmp out"))
        assert site.ping(4) == 0
        by_place = {one.place: one.totals for one in firewall.stats().attachments}
        assert by_place["xdp"].passed.packets >= 4
        assert by_place["tc-egress"].dropped.packets == 4
        assert firewall.rule("r1").packets == 4


def test_rules_of_an_interface_do_not_touch_another(site: Site) -> None:
    site.lab.veth(site.host, "veth1", site.box, "eth1")
    with site.open() as firewall:
        firewall.add_rules(rules("drop icmp on veth1"))
        firewall.attach("veth0")
        assert site.ping() == 3
        firewall.attach("veth1")
        assert site.ping() == 3
        firewall.set_rule("r1", {"iface": "!veth1"})
        assert site.ping() == 0


def test_an_interface_made_anew_is_said_and_restored(site: Site) -> None:
    with site.open() as firewall:
        firewall.attach("veth0")
        firewall.add_rules(rules("drop icmp"))
        site.host.ip("link del veth0")
        assert firewall.status().attachments[0].state == "no interface"
        outcome = firewall.restore()
        assert (outcome.waiting, outcome.failed) == (["veth0 xdp"], [])
        site.lab.veth(
            site.host, "veth0", site.box, "eth0", address="10.9.0.1/24", peer_address="10.9.0.2/24"
        )
        status = firewall.status()
        assert status.attachments[0].state == "displaced"
        assert any("xdpwall restore" in words for words in status.warnings)
        assert site.ping() == 3
        assert firewall.restore().attached == ["veth0 xdp"]
        assert site.ping() == 0
        assert firewall.restore().already == ["veth0 xdp"]


def test_interfaces_show_what_is_attached(site: Site) -> None:
    with site.open() as firewall:
        firewall.attach("veth0")
        found = {view.name: view for view in firewall.interfaces().interfaces}
        assert [one.place for one in found["veth0"].attachments] == ["xdp"]
        assert found["veth0"].attachable
        assert found["lo"].attachments == []


def test_anothers_program_is_shown_and_not_displaced(site: Site, tmp_path) -> None:  # type: ignore[no-untyped-def]
    from xdpwall.firewall.firewall import Firewall
    from xdpwall.settings import Settings

    other = Settings(tmp_path / "other", site.lab.bpffs / "other", tmp_path / "socket")
    with site.open() as firewall, Firewall.open(other) as stranger:
        stranger.attach("veth0")
        with pytest.raises(Conflict) as caught:
            firewall.attach("veth0")
        assert caught.value.code == "occupied"
        status = firewall.status()
        assert status.attachments == []
        assert [view.name for view in status.others] == ["veth0"]
        firewall.detach(None)
        assert stranger.status().attachments[0].state == "attached"
        firewall.attach("veth0", replace=True)
        assert stranger.status().attachments[0].state == "displaced"


def test_programs_of_ours_are_found_without_the_state_folder(site: Site) -> None:
    site.prepare("drop icmp")
    for path in site.settings.state_dir.iterdir():
        path.unlink()
    with site.open() as firewall:
        (found,) = firewall.status().attachments
        assert (found.iface, found.mode, found.state) == ("veth0", "native", "attached")
        assert firewall.detach(None).detached == ["veth0 xdp"]
        assert firewall.status().attachments == []
        assert site.ping() == 3


def test_a_program_that_no_row_knows_gets_the_number_of_its_new_row(site: Site) -> None:
    with site.open() as firewall:
        firewall.attach("lo")
        firewall.attach("veth0")  # its program is number 1
    for path in site.settings.state_dir.iterdir():
        path.unlink()
    with site.open() as firewall:
        assert firewall.attach("veth0").attachment.number == 0
        firewall.add_rules(rules("drop icmp on lo", "count icmp on veth0"))
        assert site.ping() == 3
        assert [rule.packets for rule in firewall.rules().rules] == [0, 3]
        assert firewall.status().attachments[0].totals.seen.packets >= 3
        firewall.detach(None)


def test_a_renamed_interface_is_attached_under_its_new_name(site: Site) -> None:
    with site.open() as firewall:
        firewall.attach("veth0")
        site.host.ip("link set veth0 name veth9")
        firewall.attach("veth9")
        (view,) = firewall.status().attachments
        assert (view.iface, view.state) == ("veth9", "attached")
        firewall.add_rules(rules("drop icmp on veth9", "drop icmp on veth0"))
        assert site.ping() == 0
        assert [rule.packets for rule in firewall.rules().rules] == [3, 0]
        assert firewall.detach("veth9").detached == ["veth9 xdp"]
        assert site.ping() == 3


@pytest.mark.parametrize("place", ["xdp", "tc-egress"])
def test_a_renamed_interface_is_told_with_its_cure(site: Site, place: Place) -> None:
    """Its packets are judged as before, and nothing may say otherwise."""
    hook: Literal["xdp", "tc"] = "xdp" if place == "xdp" else "tc"
    direction: Literal["ingress", "egress"] = "ingress" if place == "xdp" else "egress"
    with site.open() as firewall:
        firewall.attach("veth0", hook=hook, direction=direction)
        assert firewall.add_rules(rules("drop icmp on veth0")).warnings == []
        site.host.ip("link set veth0 down")
        site.host.ip("link set veth0 name veth9")
        site.host.ip("link set veth9 up")
        assert site.ping() == 0
        now = firewall.status()
        (view,) = now.attachments
        assert (view.iface, view.called, view.state) == ("veth0", "veth9", "attached")
        (said,) = now.warnings
        assert said.startswith(f"veth0 {place}: the interface is called veth9 now")
        assert said.endswith("let the rules name veth9, then xdpwall attach veth9")
        assert firewall.add_rules(rules("count udp on veth0")).warnings == []
        (said,) = firewall.add_rules(rules("drop icmp on veth9")).warnings
        assert "nothing is attached to veth9" in said and "xdpwall attach veth9" in said
        firewall.attach("veth9", hook=hook, direction=direction)
        (view,) = firewall.status().attachments
        assert (view.iface, view.called) == ("veth9", None)
        assert site.ping() == 0
        site.host.ip("link set veth9 down")
        site.host.ip("link set veth9 name veth0")
        site.host.ip("link set veth0 up")
        assert firewall.detach("veth0").detached == [f"veth9 {place}"]
        assert site.ping() == 3 and firewall.status().attachments == []


def test_what_one_attachment_sees_the_other_is_not_blind_to(site: Site) -> None:
    site.lab.bridge(site.host, "br0", "10.8.0.1/24")
    with site.open() as firewall:
        first = firewall.attach("br0").attachment
        assert [words.partition(":")[0] for words in first.blind] == [
            "to containers", "between containers",
        ]  # fmt: skip
        both = [firewall.attach("br0", hook="tc", direction="egress").attachment]
        both += firewall.status().attachments
        for one in both:
            assert [words.partition(":")[0] for words in one.blind] == ["between containers"]
        assert [one.sees for one in both[1:]] == [["from containers"], ["to containers"]]
