"""Data planes of xdpwall with rules in force, made when first asked for and kept for the run."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

from bench.packets.rounds import Hook
from bench.packets.rulesets import Family, Kind, parsed
from tests.support.kernel.dataplane import KernelBench
from xdpwall.dataplane.control_word import Trial
from xdpwall.kernel.bpf.programs import Program
from xdpwall.ruleset.policy import Policy


class DataPlanes:
    """Data planes by ruleset; their maps are pinned below `pins` until the stack is closed."""

    def __init__(self, stack: ExitStack, pins: Path) -> None:
        self._stack = stack
        self._pins = pins
        self._made: dict[str, KernelBench] = {}

    def get(
        self,
        kind: Kind,
        count: int,
        family: Family,
        *,
        policy: str = "accept",
        trial: Trial | None = None,
    ) -> KernelBench:
        """The data plane with these rules; `policy` is for what no rule decides. With `trial` they wait
        for their confirmation."""
        name = f"{kind}-{count}-{family}-{policy}{'-waiting' if trial else ''}"
        if name not in self._made:
            made = self._stack.enter_context(KernelBench(self._pins / name))
            made.load(
                parsed(kind, count, family),
                Policy(ingress="drop" if policy == "drop" else "accept"),
                trial=trial,
            )
            self._made[name] = made
        return self._made[name]

    def all(self) -> dict[str, KernelBench]:
        """Those that were made, by name."""
        return dict(self._made)


def program(bench: KernelBench, hook: Hook) -> Program:
    """The program of the data plane at XDP or at tc ingress."""
    return bench.program("xdp" if hook == "xdp" else "tc-ingress")
