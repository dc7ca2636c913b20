"""The figures of /metrics, which only rise, at one moment."""

from __future__ import annotations

from pydantic import Field

from .attachments import AttachmentTotals
from .base import Count, View
from .events import EventCounts
from .flows import FlowFill

MOST_RULES = 1000
"""Rules with a series of their own: the oldest, so that a new rule takes no other's place."""


class Fill(View):
    """How full a map is."""

    used: int
    size: int


class PatternSpells(View):
    """For how long interfaces were there before a pattern attached them, since the service began."""

    attached: int = 0
    """How many were attached."""
    seconds: float = 0.0
    """All together."""
    longest: float = 0.0

    def with_one(self, seconds: float) -> PatternSpells:
        """And one more."""
        return PatternSpells(
            attached=self.attached + 1,
            seconds=self.seconds + seconds,
            longest=max(self.longest, seconds),
        )


class Metrics(View):
    """One moment. Counts are those of the kernel since its maps were made, resets left out."""

    version: str
    on: bool
    revision: int
    rules: int
    enabled_rules: int
    counted: dict[str, Count]
    """By rule id, at most MOST_RULES."""
    limited: dict[str, int] = Field(default_factory=dict)
    """Of the rules in `counted` that have a rate: packets that it kept from matching."""
    answered: dict[str, int] = Field(default_factory=dict)
    """Of the rules in `counted` that have `cookie`: SYNs that were answered."""
    forgotten: int = 0
    """Sources whose bucket owed something when another took its place."""
    left_out: int
    """Rules that are not in `counted`."""
    attachments: list[AttachmentTotals]
    attached: list[bool]
    """Of each of `attachments`: is its program in place?"""
    open_seconds: list[float | None] = []
    """Of each of `attachments`: for how long its interface was there without it, since the service
    began; None when nobody watches."""
    patterns: dict[str, PatternSpells] = {}
    """By the words of an attachment by policy, "veth* xdp"."""
    unfiltered: list[tuple[str, str]] = []
    """Interface and hook of what an attachment by policy wants filtered, and is not."""
    unseen: list[int] = []
    """Of each of `attachments`: packets received since it saw its last one, once it is known to see
    nothing; else 0."""
    events: EventCounts
    flows: FlowFill | None = None
    """None where nothing is tracked."""
    fill: dict[str, Fill]
    """By map."""
    sets: dict[str, int] = Field(default_factory=dict)
    """Entries by set; there are at most 1,024 sets."""
    commits: list[int]
    """Commits by how long they took: a number for each of `commit_bounds`, and of longer ones."""
    commit_bounds: list[float]
    commit_seconds: float
    """The sum of all commit times."""
