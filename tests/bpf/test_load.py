"""Every variant of the programs loads: each size of the maps x each hook, with frags and without.

Sizes are constants to the verifier, so that each variant is verified anew. What it took is kept as
properties of the result, for comparing kernels (`make test-kernels`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.kernelbench import NUMBERS
from xdpwall import layout
from xdpwall.dataplane import Dataplane
from xdpwall.kernel import bpffs
from xdpwall.layout import Sizes
from xdpwall.views import Place

POSITIONS = (1024, 2048, 4096, 8192, 16384)
VARIANTS: dict[str, tuple[Place, bool]] = {
    "xdp": ("xdp", False),
    "xdp.frags": ("xdp", True),
    "tc-ingress": ("tc-ingress", False),
    "tc-egress": ("tc-egress", False),
}
ENOUGH = 1_000_000 // 2
"""Instructions to verify: half of what the kernel grants, since compilers and kernels differ."""


def test_the_sizes_are_all_there_are() -> None:
    assert (POSITIONS[0], POSITIONS[-1]) == (layout.MIN_POSITIONS, layout.MAX_POSITIONS)


@pytest.fixture(scope="module", params=POSITIONS)
def plane(request: pytest.FixtureRequest) -> Iterator[Dataplane]:
    """A data plane whose maps are of that many positions, with rows and blocks to match."""
    positions: int = request.param
    folder = Path("/sys/fs/bpf/xwt-load")
    bpffs.remove_tree(folder)
    made = Dataplane(folder)
    try:
        made.create()
        sizes = Sizes(positions, rows=positions, blocks=max(64, positions // 2))
        if sizes.positions > layout.MIN_POSITIONS:
            made._grow(sizes, lambda: None)
        yield made
    finally:
        made.close()
        bpffs.remove_tree(folder)


@pytest.mark.parametrize("variant", VARIANTS)
def test_it_loads(
    plane: Dataplane, variant: str, record_property: Callable[[str, object], None]
) -> None:
    place, frags = VARIANTS[variant]
    begun = time.monotonic()
    with plane.load_program(place, NUMBERS[place], frags=frags) as program:
        took = time.monotonic() - begun
        verified = program.info.verified_insns
    record_property("variant", variant)
    record_property("positions", plane.sets.sizes.positions)
    record_property("verified", verified)
    record_property("seconds", round(took, 2))
    assert 1000 < verified < ENOUGH
