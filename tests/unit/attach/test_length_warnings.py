"""Rules with `length` where packets are met as super-packets (tests/packets/test_super_packets.py)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from xdpwall.attach.length_warnings import length_warnings
from xdpwall.attach.warnings import rule_warnings
from xdpwall.rule.rule import Rule
from xdpwall.ruleset.attachment import Attachment
from xdpwall.values.terms import Mode, Place


def at(place: Place, mode: Mode | None = None, kind: str | None = None) -> Attachment:
    return Attachment("v0", place, 3, None, 0, "", mode, kind)


@pytest.mark.parametrize(
    ("row", "cure"),
    [
        (at("tc-ingress"), "they are single at xdp, of a veth in native mode"),
        (at("tc-egress"), "they are cut later"),
        (at("xdp", "generic", "veth"), "they are single in native mode"),
        (at("xdp", "generic", "tun"), "they are single in native mode"),
        (at("xdp", "generic", "bridge"), "they are single at xdp of the card or port below"),
        (at("xdp", "generic", "macvlan"), "they are single at xdp of the card or port below"),
        (at("xdp", "generic", None), None),
        (at("xdp", "native", "veth"), None),
        (at("xdp", "native", None), None),
    ],
)
def test_where_super_packets_are_met(row: Attachment, cure: str | None) -> None:
    words = length_warnings([Rule.parse("drop length 1501-65535")], [row])
    assert len(words) == (cure is not None)
    if cure is not None:
        assert words[0] == (
            f"the rule names length: {row.words} meets TCP segments as one packet of up to 64 kB, of "
            f"which the whole length counts; {cure}"
        )


@pytest.mark.parametrize(
    ("text", "warned"),
    [
        ("drop length 1501-65535", True),
        ("drop length 1000-1500", True),
        ("drop length 576", True),
        ("drop length 40-575", False),
        ("drop length 40", False),
        ("drop length 40-65535 on v0", True),
        ("drop length 1500 on v1", False),
        ("drop length 1500 on !v0", False),
        ("drop length 1500 in", True),
        ("drop length 1500 out", False),
        ("drop udp", False),
    ],
)
def test_rules_that_are_about_them(text: str, warned: bool) -> None:
    assert bool(length_warnings([Rule.parse(text)], [at("tc-ingress")])) == warned


def test_one_sentence_for_each_cause() -> None:
    rules = [Rule.parse(f"drop length {size}").with_id(f"r{size}") for size in range(570, 580)]
    rows = [at("tc-ingress"), replace(at("tc-ingress"), iface="v1"), at("tc-egress")]
    ingress, egress = rule_warnings(rules, rows, {"v0"})
    assert ingress.startswith("rules r576, r577, r578, r579 name length: v0 tc-ingress")
    assert "v1 tc-ingress meet TCP segments" in ingress
    assert egress.startswith("rules r576, r577, r578, r579 name length: v0 tc-egress meets TCP")
