"""The programs with flows load on this kernel, whatever features the ruleset has besides, and track."""

from __future__ import annotations

import pytest

from tests.support.kernel.dataplane import PLACES, KernelBench
from tests.support.kernel.flows import Flows
from tests.support.oracle.flows.packets import ACK, SYN, TCP, FlowPacket
from xdpwall.abi import Feature
from xdpwall.ruleset.policy import Policy
from xdpwall.values.terms import Place

MOST_VERIFIED = 500_000
"""Instructions that the verifier may look at; it gives up at a million."""


@pytest.mark.parametrize("place", PLACES)
def test_every_feature_besides(bench: KernelBench, place: Place) -> None:
    bench.load(["accept state new"])
    every = Feature(sum(Feature)) & ~Feature.COOKIES  # test_cookies_load.py
    with bench.dataplane.programs.load(place, 1, frags=place == "xdp", features=every) as program:
        assert program.info.verified_insns < MOST_VERIFIED
    with bench.dataplane.programs.load_explainer("xdp" if place == "xdp" else "tc") as explainer:
        assert explainer.verified_insns < MOST_VERIFIED


@pytest.mark.parametrize(
    ("source", "target"), [("10.0.0.1", "10.0.0.2"), ("2001:db8::1", "fe80::2")]
)
def test_a_connection_is_established_by_both_hooks(
    bench: KernelBench, source: str, target: str
) -> None:
    bench.load(["accept state established"], Policy(ingress="drop", egress="accept keep"))
    Flows(bench.dataplane).flush()
    syn = FlowPacket(6 if ":" in source else 4, TCP, source, target, 40000, 80, SYN, 99)
    answer = syn.back(flags=SYN | ACK, seq=499, ack=100)
    assert bench.run("xdp", answer.frame())
    assert not bench.run("tc-egress", syn.frame())
    assert not bench.run("xdp", answer.frame())
    assert not bench.run("tc-ingress", answer.frame())
    (flow,) = Flows(bench.dataplane).flows()
    assert (flow.state, flow.assured, flow.packets) == ("established", False, 3)
