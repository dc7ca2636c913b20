"""What `check` finds wrong with a ruleset."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from .base import View

CheckKind = Literal[
    "equal",
    "contradiction",
    "shadowed",
    "impossible",
    "redundant",
    "unseen",
    "empty-set",
    "expired",
    "drops-cookies",
    "forged-flows",
    "no-flow",
    "elsewhere",
]


class CheckRule(View):
    """A rule of the ruleset that was checked."""

    position: Annotated[int, Field(description="from 1")]
    id: str | None = None
    text: str


class CheckFinding(View):
    """One fault of a rule."""

    kind: CheckKind
    rule: CheckRule
    because: list[CheckRule] = []
    """The rules that are the reason, the first ones."""
    more: int = 0
    """How many reasons are not listed."""
    message: str
    packet: str | None = None
    """A packet that shows it, in the words of a rule."""
    state: str | None = None
    """The state that this packet must be in to show it; explain would look for its flow."""


class CheckReport(View):
    """The answer to `check`."""

    rules: int
    findings: list[CheckFinding]
    undecided: list[CheckRule] = []
    """Rules that took too long to ask about."""
    unfiltered: list[str] = []
    """Ports that containers publish to the outside and that nothing filters, each in words."""
