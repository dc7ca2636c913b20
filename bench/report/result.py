"""All figures of one run, and their JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from statistics import median
from typing import Any

from bench.changes.interfaces import InterfaceTimes
from bench.changes.loading import Loading
from bench.changes.page import PageTimes
from bench.changes.rules import Changes, Commands
from bench.changes.scale import Scale
from bench.packets.kernel_cost import Memory, ProgramCost
from bench.packets.rounds import Cell, Times


@dataclass
class Result:
    """`machine` is machine.describe(); `times` are ns per packet. A part that was not measured is empty
    or None."""

    machine: Mapping[str, str]
    rounds: int
    repeat: int
    times: Mapping[Cell, Times] = field(default_factory=dict)
    memory: list[Memory] = field(default_factory=list)
    programs: list[ProgramCost] = field(default_factory=list)
    changes: Changes | None = None
    commands: Commands | None = None
    scale: Scale | None = None
    loading: Loading | None = None
    interfaces: InterfaceTimes | None = None
    page: PageTimes | None = None
    failed: list[str] = field(default_factory=list)
    """Parts that could not be measured, and why."""
    seconds: float = 0.0
    """Duration of the whole run."""

    def to_json(self) -> dict[str, Any]:
        """All figures, with every round of every cell; in ns, seconds and bytes."""
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
            **{
                name: part and asdict(part)
                for name, part in (
                    ("changes", self.changes),
                    ("commands", self.commands),
                    ("scale", self.scale),
                    ("loading", self.loading),
                    ("interfaces", self.interfaces),
                    ("page", self.page),
                )
            },
            "failed": self.failed,
            "seconds": self.seconds,
        }
