"""Names of interfaces that are no names: another one, a pattern, what `ip link` prints."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.firewall.support import Site, rules
from xdpwall.errors import InvalidInput
from xdpwall.firewall.firewall import Firewall
from xdpwall.rule.rule import Rule
from xdpwall.ruleset.ruleset import Ruleset

OTHER = "uplink"


@pytest.fixture
def named(site: Site) -> Site:
    """veth0 is called `uplink` too."""
    site.host.run("ip", "link", "property", "add", "dev", "veth0", "altname", OTHER)
    return site


CHANGES: list[Callable[[Firewall, str], list[str]]] = [
    lambda fw, name: fw.add_rules(rules(f"drop udp on {name}")).warnings,
    lambda fw, name: fw.set_rule("r1", {"iface": name}).warnings,
    lambda fw, name: fw.set_rule("r1", {"text": f"drop udp on {name}"}).warnings,
    lambda fw, name: fw.replace_rule("r1", Rule.parse(f"drop udp on {name}")).warnings,
    lambda fw, name: (
        fw.apply(Ruleset.parse({"version": 1, "rules": [f"drop udp on {name}"]})).warnings
    ),
    lambda fw, name: fw.advise(Rule.parse(f"drop udp on {name}")),
]
WAYS = ["add", "set", "set text", "replace", "apply", "advise"]


@pytest.mark.parametrize("change", CHANGES, ids=WAYS)
def test_another_name_is_that_of_its_interface(
    named: Site, change: Callable[[Firewall, str], list[str]]
) -> None:
    with named.open() as firewall:
        firewall.attach("veth0")
        firewall.add_rules(rules("drop gre"))
        said = change(firewall, OTHER)
        assert f"{OTHER} is another name of veth0: the rule names veth0" in said
        assert not [words for words in said if "does not exist" in words]
        texts = {rule.text for rule in firewall.rules().rules}
        assert not [text for text in texts if OTHER in text]
        if change is not CHANGES[-1] and change is not CHANGES[1]:
            assert "drop udp on veth0" in texts


@pytest.mark.parametrize("change", CHANGES, ids=WAYS)
@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("eth?", "is not in this version"),
        ("eth[01]", "is not in this version"),
        ("veth0@if5", "wanted the name alone, veth0"),
        ("eth0.5@eth0", "wanted the name alone, eth0.5"),
    ],
)
def test_what_would_never_match_is_refused(
    site: Site, change: Callable[[Firewall, str], list[str]], name: str, words: str
) -> None:
    with site.open() as firewall:
        firewall.add_rules(rules("drop gre"))
        before = firewall.ruleset()
        with pytest.raises(InvalidInput) as caught:
            change(firewall, name)
        assert words in caught.value.message and "iface" in (caught.value.field or "")
        assert firewall.ruleset() == before


def test_a_name_that_looks_like_a_pattern_is_taken_where_an_interface_has_it(site: Site) -> None:
    site.host.run("ip", "link", "add", "br-*", "type", "bridge")
    with site.open() as firewall:
        firewall.attach("br-*")
        assert firewall.add_rules(rules("drop udp on br-* in")).warnings == []
        firewall.add_rules(rules("drop udp on later0"))


def test_attachments_take_another_name(named: Site) -> None:
    with named.open() as firewall:
        outcome = firewall.attach(OTHER)
        assert outcome.attachment.iface == "veth0"
        assert f"{OTHER} is another name of veth0" in outcome.warnings
        wanted = {"version": 1, "rules": [], "attachments": [{"iface": OTHER, "hook": "xdp"}]}
        applied = firewall.apply(Ruleset.parse(wanted))
        assert (applied.attached, applied.detached) == ([], [])
        assert firewall.detach(OTHER).detached == ["veth0 xdp"]
