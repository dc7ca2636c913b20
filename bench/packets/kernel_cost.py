"""Cost of a ruleset and its programs in the kernel: bytes of maps, load time, instructions."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from bench.packets.data_planes import DataPlanes
from bench.packets.rulesets import Family, Kind
from tests.support.kernel.dataplane import NUMBERS, KernelBench
from xdpwall.kernel.bpf.maps import Map
from xdpwall.kernel.bpf.programs import Program
from xdpwall.values.terms import Place

_LOADS = 3
_RULES: Sequence[tuple[Kind, int, Family]] = (
    *(("hosts", n, "ipv4") for n in (10, 10_000)),
    *(("acl", n, "ipv4") for n in (10, 1_000, 10_000, 16_384)),
    *(("fw", 10_000, "ipv4"), ("ipc", 10_000, "ipv4")),
    *(("acl", n, "ipv6") for n in (1_000, 10_000)),
)
_PROGRAMS = (10, 1_000, 10_000)


@dataclass(frozen=True)
class Memory:
    """Bytes that the kernel charges for the maps of a ruleset: all of them, and the largest."""

    kind: str
    family: Family
    rules: int
    bytes: int
    largest: tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class ProgramCost:
    """One program on the maps of a ruleset. `seconds` is the median of several loads."""

    name: str
    rules: int
    seconds: float
    verified: int
    jited: int


def memlock(m: Map) -> int:
    """Bytes that the kernel charges for a map: `memlock` in its fdinfo."""
    with open(f"/proc/self/fdinfo/{m.fileno()}", encoding="ascii") as lines:
        for line in lines:
            if line.startswith("memlock:"):
                return int(line.split()[1])
    raise ValueError("the kernel's fdinfo of a map has no memlock")


def memory(bench: KernelBench, kind: str, family: Family) -> Memory:
    """Memory of the data plane's pinned maps, and of those that only its programs use."""
    sizes: dict[int, tuple[str, int]] = {}

    def note(m: Map) -> None:
        with m:
            sizes[m.info.id] = m.info.name, memlock(m)

    for top, _, names in os.walk(bench.dataplane.folder):
        for name in names:
            note(Map.open_pinned(os.path.join(top, name)))
    for place in NUMBERS:
        for number in bench.program(place).map_ids:
            if number not in sizes:
                note(Map.open_id(number))
    largest = sorted(sizes.values(), key=lambda item: -item[1])[:3]
    return Memory(
        kind, family, len(bench.rules), sum(size for _, size in sizes.values()), tuple(largest)
    )


def program_costs(bench: KernelBench) -> list[ProgramCost]:
    """Load each program on the data plane's maps a few times."""
    wanted: list[tuple[str, Place, bool]] = [
        ("xdp", "xdp", False),
        ("xdp, multi-buffer", "xdp", True),
        ("tc ingress", "tc-ingress", False),
        ("tc egress", "tc-egress", False),
    ]
    costs = []
    for name, place, frags in wanted:
        seconds: list[float] = []
        info = None
        for _ in range(_LOADS):
            start = time.perf_counter()
            program: Program = bench.dataplane.programs.load(place, NUMBERS[place], frags=frags)
            seconds.append(time.perf_counter() - start)
            with program:
                info = program.info
        assert info is not None
        costs.append(
            ProgramCost(
                name, len(bench.rules), median(seconds), info.verified_insns, info.jited_len
            )
        )
    return costs


def measure(planes: DataPlanes) -> tuple[list[Memory], list[ProgramCost]]:
    """Measure some sizes of each kind of ruleset."""
    sizes, costs = [], []
    for kind, count, family in _RULES:
        bench = planes.get(kind, count, family)
        sizes.append(memory(bench, kind, family))
        if kind == "acl" and family == "ipv4" and count in _PROGRAMS:
            costs += program_costs(bench)
    return sizes, costs
