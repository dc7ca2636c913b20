"""Attachments that are held: the service puts a program back that somebody took off."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator

import pytest

from tests.firewall.support import Site, rules
from tests.support.kernel.tinybpf import tiny
from tests.support.net.netns import wait_for
from xdpwall.errors import InvalidInput, NotFound
from xdpwall.firewall.firewall import Firewall
from xdpwall.kernel.net.xdp import xdp_attach, xdp_detach
from xdpwall.ruleset.attachment import AttachmentSpec
from xdpwall.ruleset.ruleset import Ruleset
from xdpwall.values.terms import Place


@pytest.fixture
def firewall(site: Site) -> Iterator[Firewall]:
    """A service, but for what it serves."""
    with site.open(service=True) as opened:
        opened.add_rules(rules("drop icmp"))
        opened.watch()
        yield opened


def take_off(site: Site, place: Place) -> None:
    """As `ip link set veth0 xdp off` and `tc filter del` do."""
    if place == "xdp":
        site.host.ip("link set veth0 xdp off")
    else:
        site.host.tc(f"filter del dev veth0 {place.removeprefix('tc-')}")


def well(firewall: Firewall) -> bool:
    """Whether the kernel has our program there."""
    (view,) = firewall.status().attachments
    return view.state == "attached"


PUT_BACK = re.compile(r"attached again; it was not filtered for [0-9.]+ s")
PLACES: list[Place] = ["xdp", "tc-ingress", "tc-egress"]


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("selector", ["veth0", "veth*"])
def test_what_is_held_is_put_back(
    site: Site, firewall: Firewall, place: Place, selector: str, caplog: pytest.LogCaptureFixture
) -> None:
    done = firewall.want(AttachmentSpec.at(selector, place, hold=True))
    assert done.wanted.hold and done.wanted.in_place == ["veth0"]
    assert site.ping(1) == 0
    caplog.set_level(logging.INFO, logger="xdpwall.attachments")
    for _ in range(2):
        caplog.clear()
        take_off(site, place)
        wait_for(lambda: well(firewall), "it is put back")
        assert site.ping(1) == 0
        if (
            selector == "veth0"
        ):  # a pattern may also find it missing, and attach it as one that came
            wait_for(lambda: PUT_BACK.search(caplog.text) is not None, "it is told")
            assert "someone took our program off; it is held, and put back" in caplog.text


def test_what_was_attached_before_can_be_held(site: Site, firewall: Firewall) -> None:
    firewall.attach("veth0")
    done = firewall.want(AttachmentSpec("veth0", hold=True))
    assert done.changed and done.wanted.in_place == ["veth0"]
    take_off(site, "xdp")
    wait_for(lambda: site.ping(1) == 0 and well(firewall), "it is put back")
    # Wanted without it before, held from now on.
    firewall.detach(None)
    firewall.want(AttachmentSpec("veth*"))
    assert not firewall.status().wanted[0].hold
    firewall.want(AttachmentSpec("veth*", hold=True))
    assert firewall.status().wanted[0].hold
    assert not firewall.want(AttachmentSpec("veth*", hold=True)).changed


def test_another_owners_program_in_its_place_is_not_displaced(
    site: Site, firewall: Firewall, caplog: pytest.LogCaptureFixture
) -> None:
    firewall.want(AttachmentSpec("veth0", hold=True))
    index = site.host.index("veth0")
    with tiny("xdp_other") as other, site.host.inside():
        xdp_attach(index, other.fileno(), "native", if_noexist=False)  # as a tool that does not ask
        wait_for(
            lambda: "veth0 already has another owner's XDP program" in caplog.text, "it is told"
        )
        assert not well(firewall)
        assert [one.name for one in firewall.status().others] == ["veth0"]
        xdp_detach(index, "native", expected_fd=other.fileno())
    wait_for(lambda: well(firewall), "ours, once the place is free")
    assert site.ping(1) == 0


def test_in_a_file_and_by_words_that_are_none(site: Site, firewall: Firewall) -> None:
    stated = [{"iface": "veth0", "hook": "tc", "direction": "ingress", "hold": True}]
    file = {"version": 1, "rules": ["drop icmp"], "attachments": stated}
    firewall.apply(Ruleset.parse(file))
    (exported,) = firewall.ruleset()[1].to_json()["attachments"]
    assert exported == {**stated[0], "if_present": True}
    assert firewall.diff(Ruleset.parse({**file, "attachments": [exported]})).same
    take_off(site, "tc-ingress")
    wait_for(lambda: site.ping(1) == 0 and well(firewall), "it is put back")
    # Without the word it is held no more.
    firewall.apply(Ruleset.parse({**file, "attachments": [{**exported, "hold": False}]}))
    assert not firewall.status().wanted[0].hold
    with pytest.raises(InvalidInput, match="hold"):
        AttachmentSpec.parse({"iface": "veth0", "hold": "yes"})
    with pytest.raises(NotFound, match="veth9"):
        firewall.want(AttachmentSpec("veth9", hold=True))
    assert firewall.want(AttachmentSpec("veth9", if_present=True, hold=True)).changed
