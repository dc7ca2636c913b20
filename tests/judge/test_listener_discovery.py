"""What passes a drop policy as neighbour and listener discovery: nftables, told its form, agrees."""

from __future__ import annotations

import subprocess

import pytest

from tests.judge.bridge_watch import BridgeWatch
from tests.judge.victim import one_cpu
from tests.support.kernel.attached_dataplane import HOOKS, AttachedDataplane, Hook
from tests.support.net.netns import Lab, Namespace
from tests.support.packets import frames as f
from tests.support.packets.listener import ALMOST, LISTENER, v6
from xdpwall.ruleset.policy import Policy

HEADERS = (
    *("0x3a00050200000100", "0x3a00010005020000"),
    *("0x3a00050200000000", "0x3a00000502000000", "0x3a00000005020000"),
)
"""Next header ICMPv6, length 0, router alert and padding."""
CHAIN = f"""
table netdev judge {{ chain c {{ type filter hook ingress device v0 priority 0; policy accept;
ip6 nexthdr 58 ip6 hoplimit 255 icmpv6 type 133-137 accept
ip6 nexthdr 0 ip6 hoplimit 1 ip6 length != 0 ip6 saddr {{ ::, fe80::/10 }} \
@nh,320,64 {{ {", ".join(HEADERS)} }} icmpv6 type {{ 130-132, 143 }} accept
meta protocol {{ ip, ip6 }} drop
}}
}}
"""
NEIGHBOR = {
    **{f"type {kind}": v6(f.icmpv6(kind), hops=255) for kind in range(130, 140)},
    "from another link": v6(f.icmpv6(135), hops=254),
    "behind options": v6(f.option(60, f.icmpv6(135)), hops=255),
}
OUTSIDE = [frame for name, frame in ALMOST.items() if name.startswith("a payload length")]
"""nftables reads bytes behind the packet's end (known.py)."""
FRAMES = [*LISTENER.values(), *ALMOST.values(), *NEIGHBOR.values()]


def tell_nftables(space: Namespace) -> None:
    subprocess.run(space.argv("nft", "-f", "-"), input=CHAIN, text=True, check=True)


@pytest.mark.parametrize("hook", HOOKS)
def test_the_same_frames_pass(lab: Lab, hook: Hook) -> None:
    with one_cpu():
        ours, theirs = BridgeWatch(lab, "ours"), BridgeWatch(lab, "theirs")
        try:
            assert ours.passed(FRAMES) == theirs.passed(FRAMES) == set(range(len(FRAMES)))
            tell_nftables(theirs.host)
            with AttachedDataplane(ours.host, "v0", hook, lab.bpffs / "wall") as plane:
                plane.load([], Policy(ingress="drop"))
                passed = ours.passed(FRAMES)
                plane.load([], Policy(ingress="drop", neighbor_discovery="judge"))
                assert ours.passed(FRAMES) == set()
            outside = {FRAMES.index(frame) for frame in OUTSIDE}
            assert theirs.passed(FRAMES) == passed | outside
            assert passed == {*range(len(LISTENER)), *_neighbor_discovery()}
        finally:
            ours.close()
            theirs.close()


def _neighbor_discovery() -> range:
    """The indices of types 133 to 137."""
    first = FRAMES.index(NEIGHBOR["type 133"])
    return range(first, first + 5)
