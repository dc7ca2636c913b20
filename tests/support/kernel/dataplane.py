"""A data plane for tests: load rules, run frames through the real programs by test-run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.kernel.loading import load
from xdpwall.closing import Closing
from xdpwall.dataplane.control_word import Trial
from xdpwall.dataplane.dataplane import Dataplane
from xdpwall.kernel.bpf.programs import Program
from xdpwall.rule.rule import Rule
from xdpwall.ruleset.policy import Policy
from xdpwall.values.terms import Place
from xdpwall.views.attachments import Totals

PLACES: tuple[Place, ...] = ("xdp", "tc-ingress", "tc-egress")
NUMBERS: Mapping[Place, int] = {"xdp": 1, "tc-ingress": 2, "tc-egress": 3}
DROPPED = {"xdp": 1, "tc-ingress": 2, "tc-egress": 2}
"""XDP_DROP, TC_ACT_SHOT."""
PASSED = {"xdp": 2, "tc-ingress": 0xFFFFFFFF, "tc-egress": 0xFFFFFFFF}
"""XDP_PASS, TC_ACT_UNSPEC."""


@dataclass(frozen=True)
class Judgement:
    """The verdict on one packet and the rules that counted it."""

    dropped: bool
    counted: tuple[int, ...]
    """Positions of the rules whose counters rose, by one packet of the frame's length."""


class KernelBench(Closing):
    """The programs of all three places on one data plane, for an interface named eth0."""

    def __init__(self, folder: Path, iface: str = "eth0") -> None:
        self.dataplane = Dataplane(folder)
        self.dataplane.create()
        self.iface = iface
        self.revision = 0
        self.rules: list[Rule] = []
        self._programs: dict[Place, Program] = {}

    def load(
        self,
        rules: Iterable[Rule | str | Mapping[str, Any]],
        policy: Policy | None = None,
        *,
        trial: Trial | None = None,
    ) -> None:
        """Make these the rules in force, with slots as positions and counters at 0; with `trial` until
        they are confirmed."""
        self.rules = [r if isinstance(r, Rule) else Rule.parse(r) for r in rules]
        self.revision += 1
        where = [
            (NUMBERS[p], self.iface, "egress" if p == "tc-egress" else "ingress") for p in PLACES
        ]
        load(
            self.dataplane,
            self.rules,
            policy,
            where,
            revision=self.revision,
            reload=self._forget_programs,
            trial=trial,
        )

    def program(self, place: Place) -> Program:
        """The place's program, loaded when first asked for."""
        if place not in self._programs:
            self._programs[place] = self.dataplane.programs.load(place, NUMBERS[place])
        return self._programs[place]

    def run(self, place: Place, frame: bytes) -> bool:
        """Run a frame; returns whether it was dropped."""
        code = self.program(place).test_run(frame).retval
        assert code in (DROPPED[place], PASSED[place]), code
        return code == DROPPED[place]

    def judge(self, place: Place, frame: bytes) -> Judgement:
        """Run a frame; returns its verdict and the rules whose counters rose."""
        before = self.counters()
        dropped = self.run(place, frame)
        rose = []
        for i, (old, new) in enumerate(zip(before, self.counters(), strict=True)):
            if new != old:
                assert (new[0] - old[0], new[1] - old[1]) == (1, len(frame))
                rose.append(i)
        return Judgement(dropped, tuple(rose))

    def counters(self) -> Sequence[tuple[int, int]]:
        """(packets, bytes) of every rule."""
        return self.dataplane.counters.read(range(len(self.rules)))

    def totals(self, place: Place) -> Totals:
        """The place's totals since the bench was made."""
        return self.dataplane.counters.read_totals([NUMBERS[place]])[0]

    def _forget_programs(self) -> None:
        for program in self._programs.values():
            program.close()
        self._programs.clear()

    def close(self) -> None:
        """Close programs and maps; the caller removes the folder."""
        self._forget_programs()
        self.dataplane.close()
