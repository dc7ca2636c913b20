"""Run a case through the kernel's programs and through the reference."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tests.support.kernel.dataplane import DROPPED, NUMBERS, PASSED, PLACES, KernelBench
from tests.support.oracle.duel.case import Case, Step
from tests.support.oracle.reference.judge import Attachment, Ruling, judge
from tests.support.oracle.reference.memory import FragmentMemory
from xdpwall.kernel.bpf.maps import Map
from xdpwall.values.terms import Place

ETHERNET, IPV4, IPV6 = 14, 20, 40
TOTALS = ("seen", "passed", "dropped", "policy_dropped", "malformed", "errors")

Rises = dict[str, tuple[int, int]]
"""What rose, by (packets, bytes): "rule 3", "xdp malformed", ... Nothing at 0 is in it."""


@dataclass(frozen=True)
class Difference:
    """The first step on which the two disagree."""

    step: int
    kernel: tuple[bool, Rises]
    """Dropped, and what rose."""
    reference: tuple[bool, Rises]
    why: str
    """The reference's reasons."""

    def __str__(self) -> str:
        return (
            f"step {self.step + 1}\n  kernel    {_words(*self.kernel)}\n"
            f"  reference {_words(*self.reference)}\n  reference: {self.why}"
        )


def _words(dropped: bool, rises: Rises) -> str:
    rose = ", ".join(f"{name} {packets}/{size}" for name, (packets, size) in sorted(rises.items()))
    return f"{'dropped' if dropped else 'passed'}; counted {rose}"


def runnable(step: Step) -> bool:
    """Does a test-run take the frame? tc refuses cut IPv4 and IPv6 headers, all refuse runts."""
    size, kind = len(step.frame) - ETHERNET, step.frame[12:14]
    if size < 0:
        return False
    needed = {b"\x08\x00": IPV4, b"\x86\xdd": IPV6}.get(kind, 0)
    return step.place == "xdp" or size >= needed


Judge = Callable[..., Ruling]


def rulings(case: Case, iface: str, by: Judge = judge) -> list[Ruling]:
    """The reference's ruling on every step."""
    memory = FragmentMemory()
    wheres = {
        place: Attachment(iface, "egress" if place == "tc-egress" else "ingress")
        for place in PLACES
    }
    return [
        by(step.frame, case.rules, case.policy, wheres[step.place], memory) for step in case.steps
    ]


class Duel:
    """Both judges side by side. `by` is the reference, so that a test can plant a wrong one."""

    def __init__(self, bench: KernelBench, by: Judge = judge) -> None:
        self.bench = bench
        self.by = by

    def run(self, case: Case, wanted: Sequence[Ruling] | None = None) -> Difference | None:
        """The first step on which they disagree. `wanted`: the rulings, when they are made already.

        The counters are read once for the whole case, since reading costs more than judging; as
        bytes are compared too and frames differ in size, two faults can hardly make up for each
        other. Only when something is wrong is the case run again, step by step.
        """
        if wanted is None:
            wanted = rulings(case, self.bench.iface, self.by)
        verdicts, rises = self._run(case)
        if verdicts == [w.dropped for w in wanted] and rises == _expected(case.steps, wanted):
            return None
        return self._find(case, wanted)

    def _find(self, case: Case, wanted: Sequence[Ruling]) -> Difference:
        self._load(case)
        for index, (step, ruling) in enumerate(zip(case.steps, wanted, strict=True)):
            before = self._read()
            dropped = self._dropped(step)
            rises = _difference(before, self._read())
            right = _expected([step], [ruling])
            if (dropped, rises) != (ruling.dropped, right):
                return Difference(index, (dropped, rises), (ruling.dropped, right), ruling.why)
        raise AssertionError("the kernel answered differently when the same case was run again")

    def _run(self, case: Case) -> tuple[list[bool], Rises]:
        self._load(case)
        before = self._read()
        verdicts = [self._dropped(step) for step in case.steps]
        return verdicts, _difference(before, self._read())

    def _load(self, case: Case) -> None:
        self.bench.load(case.rules, case.policy)
        with Map.open_pinned(self.bench.dataplane.folder / "maps" / "fragments") as memory:
            for key in list(memory.keys()):
                memory.delete(key)

    def _dropped(self, step: Step) -> bool:
        code = self.bench.program(step.place).test_run(step.frame, out_size=0).retval
        assert code in (DROPPED[step.place], PASSED[step.place]), code
        return code == DROPPED[step.place]

    def _read(self) -> Rises:
        found = {f"rule {i + 1}": pair for i, pair in enumerate(self.bench.counters())}
        totals = self.bench.dataplane.counters.read_totals([NUMBERS[place] for place in PLACES])
        for place, its in zip(PLACES, totals, strict=True):
            for name in TOTALS:
                count = getattr(its, name)
                found[f"{place} {name}"] = (count.packets, count.bytes)
        return found


def _difference(before: Rises, after: Rises) -> Rises:
    rises = {
        name: (after[name][0] - before[name][0], after[name][1] - before[name][1]) for name in after
    }
    return {name: rise for name, rise in rises.items() if rise != (0, 0)}


def _expected(steps: Sequence[Step], wanted: Sequence[Ruling]) -> Rises:
    rises: Rises = {}
    for step, ruling in zip(steps, wanted, strict=True):
        for name in _names(step.place, ruling):
            packets, size = rises.get(name, (0, 0))
            rises[name] = (packets + 1, size + len(step.frame))
    return rises


def _names(place: Place, ruling: Ruling) -> list[str]:
    names = [f"rule {index + 1}" for index in ruling.counted]
    names += [f"{place} seen", f"{place} {'dropped' if ruling.dropped else 'passed'}"]
    if ruling.malformed:
        names.append(f"{place} malformed")
    if ruling.policy_dropped:
        names.append(f"{place} policy_dropped")
    return names
