"""Everything one run found, and its JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

from .changes import Changes, Commands
from .kernelcost import Memory, ProgramCost
from .page import PageTimes
from .rounds import Cell, Times


@dataclass(frozen=True)
class Result:
    """`machine` is what describe() of machine.py says; `times` are ns per packet."""

    machine: Mapping[str, str]
    rounds: int
    repeat: int
    times: Mapping[Cell, Times]
    memory: list[Memory]
    programs: list[ProgramCost]
    changes: Changes
    commands: Commands
    page: PageTimes
    seconds: float
    """What the whole run took."""

    def to_json(self) -> dict[str, Any]:
        """All of it, every round of every cell; ns, seconds and bytes."""
        return {
            "machine": dict(self.machine),
            "rounds": self.rounds,
            "repeat": self.repeat,
            "packets": [
                {**asdict(cell), "ns": list(times), "median": median(times)}
                for cell, times in self.times.items()
            ],
            "memory": [asdict(item) for item in self.memory],
            "programs": [asdict(item) for item in self.programs],
            "changes": asdict(self.changes),
            "commands": asdict(self.commands),
            "page": asdict(self.page),
            "seconds": self.seconds,
        }
