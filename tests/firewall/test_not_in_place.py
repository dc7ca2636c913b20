"""A change is answered with a warning when an attachment that it concerns judges no packet."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import pytest

from tests.firewall.support import Site, rules
from xdpwall.firewall.firewall import Firewall
from xdpwall.ruleset.ruleset import Ruleset
from xdpwall.values.terms import Place

Change = Callable[[Firewall], list[str]]


def removed(site: Site, place: Place) -> None:
    if place == "xdp":
        site.host.ip("link set dev veth0 xdp off")
    else:
        site.host.tc(f"filter del dev veth0 {place.removeprefix('tc-')}")


def qdisc_removed(site: Site, place: Place) -> None:
    removed(site, "xdp") if place == "xdp" else site.host.tc("qdisc del dev veth0 clsact")


def deleted(site: Site, place: Place) -> None:
    site.host.ip("link del veth0")


def made_anew(site: Site, place: Place) -> None:
    deleted(site, place)
    site.lab.veth(site.host, "veth0", site.box, "eth0")


CHANGES: dict[str, Change] = {
    "add": lambda fw: fw.add_rules(rules("count udp")).warnings,
    "add, that interface": lambda fw: fw.add_rules(rules("count udp on !lo")).warnings,
    "set": lambda fw: fw.set_rule("r1", {"proto": "udp"}).warnings,
    "enable": lambda fw: fw.enable_rules(["r2"], True).warnings,
    "policy": lambda fw: fw.set_policy({"non_ip": "accept"}).warnings,
}
OTHERS: dict[str, Change] = {
    "another interface": lambda fw: fw.add_rules(rules("count udp on !veth0")).warnings,
    "disable": lambda fw: fw.enable_rules(["r1"], False).warnings,
}


@pytest.mark.parametrize("place", ["xdp", "tc-ingress", "tc-egress"])
@pytest.mark.parametrize("lose", [removed, qdisc_removed, deleted, made_anew])
def test_changes(site: Site, lose: Callable[[Site, Place], None], place: Place) -> None:
    hook: Literal["xdp", "tc"] = "xdp" if place == "xdp" else "tc"
    direction: Literal["ingress", "egress"] = "egress" if place == "tc-egress" else "ingress"
    other: Literal["ingress", "egress"] = "ingress" if place == "tc-egress" else "egress"
    words = "does not exist" if lose is deleted else "our program is not attached"
    changes = CHANGES | {direction: lambda fw: fw.set_policy({direction: "accept"}).warnings}
    others = OTHERS | {other: lambda fw: fw.set_policy({other: "accept"}).warnings}
    with site.open() as firewall:
        firewall.attach("lo")
        firewall.attach("veth0", hook=hook, direction=direction)
        firewall.add_rules(rules("count icmp", "count tcp"))
        firewall.enable_rules(["r2"], False)
        for change in (*changes.values(), *others.values()):
            assert not [one for one in change(firewall) if one.startswith("veth0")]
        firewall.enable_rules(["r1"], True)
        lose(site, place)
        for name, change in changes.items():
            found = [one for one in change(firewall) if one.startswith(f"veth0 {place}: ")]
            assert len(found) == 1 and words in found[0], name
            assert "xdpwall restore" in found[0]
        for name, change in others.items():
            assert not [one for one in change(firewall) if one.startswith("veth0")], name
        assert not [
            one for one in firewall.add_rules(rules("count udp")).warnings if one.startswith("lo ")
        ]


def test_apply_tells_of_an_interface_that_is_gone(site: Site) -> None:
    with site.open() as firewall:
        firewall.attach("veth0")
        site.host.ip("link del veth0")
        outcome = firewall.apply(Ruleset(tuple(rules("count icmp"))))
        assert [one for one in outcome.warnings if one.startswith("veth0 xdp: ")]
