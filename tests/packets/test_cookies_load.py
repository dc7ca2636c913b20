"""The programs with cookies load on this kernel, alone and with every feature besides."""

from __future__ import annotations

import pytest

from tests.support.kernel.dataplane import KernelBench
from xdpwall.abi import Feature

MOST_VERIFIED = 700_000
"""Instructions that the verifier may look at; it gives up at a million. Linux 6.1 looks at 608,273, 6.18 at
326,423."""
EVERY = Feature(sum(Feature))


@pytest.mark.parametrize(
    "features",
    [EVERY, EVERY & ~(Feature.FLOWS | Feature.RATES)],
    ids=["with flows and rates", "alone"],
)
def test_loads(bench: KernelBench, features: Feature) -> None:
    bench.load(["accept tcp/443 cookie"])
    for frags in (False, True):
        with bench.dataplane.programs.load("xdp", 1, frags=frags, features=features) as program:
            assert program.info.verified_insns < MOST_VERIFIED
