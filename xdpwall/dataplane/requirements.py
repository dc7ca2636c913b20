"""The memory and the programs that a generation would need: loaded, verified, measured, and let go."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import NamedTuple

from xdpwall.abi import Feature
from xdpwall.compiler.sizes import Sizes
from xdpwall.kernel.bpf.maps import Map
from xdpwall.values.terms import Place

from .dataplane import Dataplane
from .map_set import MapSet
from .program_loader import load_program


class ProgramSize(NamedTuple):
    """A program as the kernel has it after verification."""

    instructions: int
    bytes: int


class Requirements(NamedTuple):
    """`map_bytes` is of all maps afterwards, `map_bytes_now` of those there are."""

    map_bytes: int
    map_bytes_now: int
    programs: list[ProgramSize]


def measure(
    dataplane: Dataplane | None,
    sizes: Sizes,
    features: Feature,
    places: Sequence[tuple[Place, int, bool]],
) -> Requirements:
    """Make maps of these sizes, unless those in use have them, and load a program with these features on
    them for each place, attachment number and whether it is for frames of several buffers. Nothing is
    pinned or attached, and all is gone again at the end. Raises Full, Unsupported."""
    with ExitStack() as stack:
        map_set, shared = None, dict[str, Map]()
        now = 0
        if dataplane is not None:
            map_set, shared = dataplane.map_set, dict(dataplane.shared)
            now = _bytes(map_set, shared)
        if map_set is None or map_set.sizes != sizes:
            map_set, made = MapSet.create(sizes, shared)
            stack.callback(map_set.close)
            if not shared:
                shared = made
                for one in made.values():
                    stack.callback(one.close)
        programs = []
        for place, number, frags in places:
            program = stack.enter_context(
                load_program(map_set, shared, place, number, features=features, frags=frags)
            )
            programs.append(ProgramSize(program.info.xlated_len // 8, program.memory))
        return Requirements(_bytes(map_set, shared), now, programs)


def _bytes(map_set: MapSet, shared: Mapping[str, Map]) -> int:
    return sum(one.memory for one in (*map_set.maps.values(), *shared.values()))
