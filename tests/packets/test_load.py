"""Every variant of the programs loads: each size of the maps x each hook, with frags and without.

Sizes are constants to the verifier, so that each variant is verified anew. What it took is kept as
properties of the result, for comparing kernels (`make test-kernels`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.kernel.dataplane import NUMBERS
from tests.support.kernel.kinds import FEW, MORE
from xdpwall import abi
from xdpwall.abi import Feature
from xdpwall.compiler.sizes import Sizes
from xdpwall.dataplane.dataplane import Dataplane
from xdpwall.dataplane.explaining import Hook
from xdpwall.kernel.bpf import bpffs
from xdpwall.values.terms import Place

POSITIONS = (64, 1024, 4096, 8192, 16384)
VARIANTS: dict[str, tuple[Place, bool]] = {
    "xdp": ("xdp", False),
    "xdp.frags": ("xdp", True),
    "tc-ingress": ("tc-ingress", False),
    "tc-egress": ("tc-egress", False),
}
ALL = Feature(sum(Feature))
SHAREABLE = ALL & ~(Feature.FLOWS | Feature.COOKIES)
"""What shared programs can do."""
SETS = Feature.SRC_SET | Feature.DST_SET | Feature.NEGATED_SET | Feature.TIMED_SET
FEATURES = {"nothing": Feature(0), "rules": ALL & ~SETS, "everything": ALL}
KINDS = [*FEW, *MORE]
ENOUGH = 1_000_000 // 2
"""Instructions to verify: half of what the kernel grants, since compilers and kernels differ."""


def test_the_sizes_are_all_there_are() -> None:
    assert (POSITIONS[0], POSITIONS[-1]) == (abi.MIN_POSITIONS, abi.MAX_POSITIONS)


@pytest.fixture(scope="module", params=POSITIONS)
def plane(request: pytest.FixtureRequest) -> Iterator[Dataplane]:
    """A data plane whose maps are of that many positions, with rows and blocks to match."""
    positions: int = request.param
    folder = Path("/sys/fs/bpf/xwt-load")
    bpffs.remove_tree(folder)
    made = Dataplane(folder)
    try:
        made.create()
        blocks = max(64, positions // 2)
        sizes = Sizes(positions, rows=positions, blocks=blocks, class_rows=64, set4=64, set6=64)
        with made.generations.growing(sizes):
            pass  # nothing is loaded on the maps yet
        yield made
    finally:
        made.close()
        bpffs.remove_tree(folder)


@pytest.mark.parametrize("features", FEATURES)
@pytest.mark.parametrize("variant", VARIANTS)
def test_it_loads(
    plane: Dataplane,
    variant: str,
    features: str,
    record_property: Callable[[str, object], None],
) -> None:
    place, frags = VARIANTS[variant]
    check(plane, place, frags, FEATURES[features], record_property)
    record_property("variant", variant)
    record_property("features", features)


@pytest.mark.parametrize("features", KINDS, ids=repr)
@pytest.mark.parametrize("variant", ["xdp", "tc-ingress"])
def test_each_kind_loads(
    plane: Dataplane,
    variant: str,
    features: Feature,
    record_property: Callable[[str, object], None],
) -> None:
    place, frags = VARIANTS[variant]
    check(plane, place, frags, features, record_property)
    # Not the line of the table that is about everything.
    record_property("variant", f"{variant}*")
    record_property("features", repr(features))


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_shared_programs_load(
    plane: Dataplane, variant: str, record_property: Callable[[str, object], None]
) -> None:
    place, frags = VARIANTS[variant]
    check(plane, place, frags, SHAREABLE, record_property, number=abi.SHARED)
    record_property("variant", f"{variant} shared")
    record_property("features", "everything")


@pytest.mark.parametrize("hook", ["xdp", "tc"])
def test_the_explaining_program_loads(
    plane: Dataplane, hook: Hook, record_property: Callable[[str, object], None]
) -> None:
    begun = time.monotonic()
    with plane.programs.load_explainer(hook) as explainer:
        took = time.monotonic() - begun
        verified = explainer.verified_insns
    note(plane, verified, took, record_property)
    record_property("variant", f"explain {hook}")
    record_property("features", "everything")


def check(
    plane: Dataplane,
    place: Place,
    frags: bool,
    features: Feature,
    record_property: Callable[[str, object], None],
    *,
    number: int | None = None,
) -> None:
    """Load it, and note what it took."""
    begun = time.monotonic()
    own = NUMBERS[place] if number is None else number
    with plane.programs.load(place, own, frags=frags, features=features) as program:
        took = time.monotonic() - begun
        verified = program.info.verified_insns
    note(plane, verified, took, record_property)


def note(
    plane: Dataplane,
    verified: int,
    took: float,
    record_property: Callable[[str, object], None],
) -> None:
    """Keep what a load took."""
    record_property("positions", plane.map_set.sizes.positions)
    record_property("verified", verified)
    record_property("seconds", round(took, 2))
    assert 500 < verified < ENOUGH
