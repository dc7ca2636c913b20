"""One ruleset, one policy and the frames run through them in order, with an empty memory before."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from xdpwall.rule.rule import Rule
from xdpwall.ruleset.policy import Policy, parse_policy
from xdpwall.values.terms import Place


@dataclass(frozen=True, slots=True)
class Step:
    """One frame at one place."""

    place: Place
    frame: bytes


@dataclass(frozen=True, slots=True)
class Case:
    """What is run; enough to run it again anywhere."""

    rules: tuple[Rule, ...]
    policy: Policy
    steps: tuple[Step, ...]

    def to_json(self) -> dict[str, Any]:
        """Rules as sentences, frames in hexadecimal."""
        return {
            "rules": [rule.text for rule in self.rules],
            "policy": self.policy.to_json(),
            "steps": [[step.place, step.frame.hex()] for step in self.steps],
        }

    @classmethod
    def from_json(cls, obj: Mapping[str, Any]) -> Case:
        """What to_json gave; other keys are remarks."""
        return cls(
            tuple(Rule.parse(text) for text in obj["rules"]),
            parse_policy(obj["policy"]),
            tuple(Step(cast(Place, place), bytes.fromhex(data)) for place, data in obj["steps"]),
        )

    def as_code(self) -> str:
        """A program's text that makes this case: for a test, or for a look at it by hand."""
        lines = [f"        Rule.parse({json.dumps(rule.text)})," for rule in self.rules]
        policy = ", ".join(f"{name}={value!r}" for name, value in self.policy.to_json().items())
        steps = [
            f'        Step("{s.place}", bytes.fromhex("{s.frame.hex()}")),' for s in self.steps
        ]
        return "\n".join(
            [
                "Case(",
                "    (",
                *lines,
                "    ),",
                f"    Policy({policy}),",
                "    (",
                *steps,
                "    ),",
                ")",
            ]
        )
