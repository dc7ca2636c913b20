"""Where a VLAN tag stands, and who can read it there.

What was found out: a tag that a packet socket sends is part of the frame, and native XDP on the
cable's other end reads it. From then on the kernel carries the outer tag beside the frame
(skb->vlan_tci): tc, and generic XDP on a bridge, get a frame without it. A sender that offloads
tags (here a tc program with bpf_skb_vlan_push) puts the tag beside the frame from the start, and
then native XDP is blind too. tc reads it in both places.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.kernel.clang import compile_bpf
from tests.support.net.route import Route
from tests.support.packets import frames as f
from tests.support.packets.packets import Wire

PLAIN = f.ether(f.ipv4(f.udp()))
TAGGED = f.ether(f.tag(f.ipv4(f.udp()), 100))
PUSH = """
SEC("tc") int push(struct __sk_buff *skb)
{
	return bpf_skb_vlan_push(skb, bpf_htons(0x8100), 100) ? TC_ACT_SHOT : TC_ACT_UNSPEC;
}
"""


@pytest.fixture
def offloading(way: Route, tmp_path: Path) -> Iterator[Route]:
    """The sender puts tag 100 beside whatever it sends."""
    built = compile_bpf(tmp_path, "#include <bpf/bpf_endian.h>\n" + PUSH)
    way.near.tc("qdisc add dev eth0 clsact")
    try:
        way.near.tc(f"filter add dev eth0 egress bpf da obj {built} sec tc")
        yield way
    finally:
        way.near.tc("qdisc del dev eth0 clsact")


def verdicts(way: Route, frame: bytes) -> tuple[bool, bool, bool]:
    """Whether these rules drop the frame: `vlan 100`, `vlan none`, `vlan not 100`."""
    found = []
    for clause in ("vlan 100", "vlan none", "vlan not 100"):
        way.rules([f"drop udp/53 {clause}"])
        found.append(way.send([frame]) == [])
    return found[0], found[1], found[2]


SEES = (True, False, False)
BLIND = (False, True, True)


def test_a_tag_that_is_sent_in_the_frame(way: Route) -> None:
    assert verdicts(way, TAGGED) == (BLIND if way.way == "xdp-generic" else SEES)
    assert verdicts(way, PLAIN) == BLIND


@pytest.mark.host  # tc finds no bpffs for its own pins elsewhere
def test_a_tag_that_the_sender_puts_beside_the_frame(offloading: Route) -> None:
    blind = offloading.place == "xdp"
    assert verdicts(offloading, PLAIN) == (BLIND if blind else SEES)
    # Two tags: XDP takes the inner one for the outer.
    inner = f.ether(f.tag(f.ipv4(f.udp()), 7))
    offloading.rules(["count vlan 7", "count vlan 100"])
    assert offloading.send([inner]) == [0]
    assert [one["packets"] for one in offloading.listed()] == ([1, 0] if blind else [0, 1])


@pytest.mark.parametrize("way", ["xdp-native", "xdp-generic"], indirect=True)
def test_xdps_blindness_is_said_and_tc_beside_it_is_not_blind(way: Route) -> None:
    warned = way.rules(["drop udp/53 vlan 100"])["warnings"]
    assert [words for words in warned if "cannot see a tag" in words and "--hook tc" in words]
    shown = way.service.call("GET", "/status").json["warnings"]
    assert [words for words in shown if "cannot see a tag" in words]
    # The attachment that the warning names drops what XDP let through.
    way.attach("tc-ingress")
    try:
        before = way.totals("tc-ingress")
        passes = way.way == "xdp-generic"
        assert way.send([TAGGED]) == ([0] if passes else [])
        # What a packet socket sees was not yet at tc ingress: the frame arrived and fell there.
        fell = way.totals("tc-ingress").dropped.packets - before.dropped.packets
        assert fell == (1 if passes else 0)
    finally:
        way.service.call("DELETE", "/interfaces/eth0/attachments/tc-ingress")


@pytest.mark.parametrize("way", ["tc-ingress", "tc-egress"], indirect=True)
def test_tc_is_not_warned_of(way: Route) -> None:
    assert not [w for w in way.rules(["drop udp/53 vlan 100"])["warnings"] if "tag" in w]


@pytest.mark.parametrize("way", ["tc-egress"], indirect=True)
def test_a_tag_in_the_frame_at_tc_egress(way: Route) -> None:
    """What a packet socket of the wall itself sends still has its tag in the frame."""
    way.rules([])
    way.rules(["drop udp/53 vlan 100"])
    with Wire(way.firewall, "eth0") as own:
        assert not own.send(TAGGED)
        assert own.send(PLAIN)
    (rule,) = way.listed()
    assert (rule["packets"], rule["bytes"]) == (1, len(TAGGED))
