"""VLAN tags beside the frame, where senders and drivers put them: tc reads them, XDP cannot."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from tests.support.oracle.duel.case import Case, Step
from tests.support.packets import frames as f
from tests.support.packets.wire.bench import WireBench
from tests.support.packets.wire.match import WireMatch
from tests.support.packets.wire.taps import stamped
from xdpwall.attach.warnings import vlan_warnings
from xdpwall.rule.rule import Rule
from xdpwall.ruleset.attachment import Attachment
from xdpwall.ruleset.policy import Policy
from xdpwall.values.terms import Place

BESIDE = 100
PRIORITY = 0xB000
"""The bits of a tag that are not its id."""
RULES = {
    "vlan 100": "count vlan 100",
    "any vlan 100": "count ethertype any vlan 100",
    "any vlan none": "count ethertype any vlan none",
    "any vlan !none": "count ethertype any vlan !none",
    "any vlan !100": "count ethertype any vlan !100",
    "any vlan 7": "count ethertype any vlan 7",
    "any vlan !7": "count ethertype any vlan !7",
    "udp 53": "count udp dport 53",
}
ALWAYS = {"any vlan 100", "any vlan !none", "any vlan !7"}
READABLE = ALWAYS | {"vlan 100", "udp 53"}


def tagged(*vlans: int) -> bytes:
    """A DNS question in a frame with these tags, outermost first."""
    inner = f.ipv4(f.udp(dport=53))
    for vlan in reversed(vlans):
        inner = f.tag(inner, vlan)
    return f.ether(inner)


def _row(place: Place) -> Attachment:
    return Attachment("eth1", place, 1, None, 1, "2026-11-21T10:00:00Z")


def counted(wire: WireBench, place: Place, frame: bytes, texts: Sequence[str]) -> list[int]:
    """Packets on each rule's counter after the frame went by, its bytes checked for each."""
    case = Case(tuple(map(Rule.parse, texts)), Policy(), (Step(place, frame),))
    WireMatch(wire).run(case)
    return [packets for packets, _ in wire.counters()]


@pytest.mark.parametrize("place", ["tc-ingress", "tc-egress"])
@pytest.mark.parametrize(
    ("inside", "matching"),
    [((), READABLE), ((7,), READABLE), ((7, 8), ALWAYS)],
    ids=["alone", "and one in the frame", "and two"],
)
def test_tc_reads_the_tag_beside_the_frame(
    wire: WireBench, place: Place, inside: tuple[int, ...], matching: set[str]
) -> None:
    """It is the outer one, and counts as one of the two that are stepped over."""
    frame = stamped(tagged(*inside), 0, PRIORITY | BESIDE)
    packets = counted(wire, place, frame, list(RULES.values()))
    assert {name for name, n in zip(RULES, packets, strict=True) if n} == matching
    sizes = {size for n, size in wire.counters() if n}
    assert sizes == {len(tagged()) + 4 * len(inside)}, "without the tag beside it"
    assert wire.taps[0].vlan == PRIORITY | BESIDE


@pytest.mark.parametrize("place", ["tc-ingress", "tc-egress"])
def test_behind_three_tags_a_drop_rule_still_matches(wire: WireBench, place: Place) -> None:
    """What can't be read matches for drop; what can be read and differs does not."""
    frame = stamped(tagged(7, 8), 0, BESIDE)
    texts = ["drop udp dport 53 vlan 7", "accept udp dport 53", "drop tcp dport 1"]
    assert counted(wire, place, frame, texts) == [0, 0, 1]
    assert wire.taps[0].after == 0


def test_a_priority_tag_is_a_tag(wire: WireBench) -> None:
    frame = stamped(tagged(), 0, 0x2000)
    texts = ["count vlan none", "count vlan 0", "count vlan !none"]
    assert counted(wire, "tc-egress", frame, texts) == [0, 1, 1]


@pytest.mark.parametrize("ethertype", [0x8100, 0x88A8, 0x9100])
def test_the_kernel_takes_a_tag_off_before_tc_ingress(wire: WireBench, ethertype: int) -> None:
    """802.1Q and 802.1ad, as a NIC would. Verdicts do not change, but 4 bytes are not counted."""
    inner = f.tag(f.ipv4(f.udp(dport=53)), 100, ethertype=ethertype)
    frame = stamped(f.ether(inner), 0)
    texts = ["count udp dport 53 vlan 100"]
    sizes = {}
    for place in ("xdp", "tc-ingress", "tc-egress"):
        assert counted(wire, place, frame, texts) == [1]
        sizes[place] = wire.counters()[0][1]
    taken = 0 if ethertype == 0x9100 else 4
    size = len(frame)
    assert sizes == {"xdp": size, "tc-egress": size, "tc-ingress": size - taken}


def test_xdp_is_blind_to_it_and_the_warning_says_so(wire: WireBench) -> None:
    """One and the same sender, which hands its tag over beside the frame as VLAN interfaces do:
    tagged at tc ingress, untagged at XDP. A tag in the frame is seen by both."""
    texts = ["count udp dport 53 vlan 100", "count udp dport 53 vlan none"]
    outside, within = stamped(tagged(), 0, BESIDE), stamped(tagged(BESIDE), 0)
    assert counted(wire, "tc-ingress", outside, texts) == [1, 0]
    assert counted(wire, "xdp", outside, texts) == [0, 1]
    assert wire.counters()[1][1] == len(tagged())
    assert counted(wire, "tc-ingress", within, texts) == [1, 0]
    assert counted(wire, "xdp", within, texts) == [1, 0]
    rule = Rule.parse(texts[0])
    rows = [_row("xdp"), _row("tc-ingress")]
    (words,) = vlan_warnings([rule], rows)
    assert "XDP on eth1 cannot see a tag" in words
    assert "tc can: xdpwall attach eth1 --hook tc" in words
    assert vlan_warnings([rule], rows[1:]) == []
    assert vlan_warnings([Rule.parse("drop udp dport 53")], rows) == []
