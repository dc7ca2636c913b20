"""What /metrics needs to outlive slots and processes: counts that were left behind, commit times."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from .revision import Delta

BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
"""Seconds: the upper bounds of the histogram of commit times; the last bucket has none."""
KEEP = 50_000
"""Ids of rules that are gone, whose counts are remembered in case they are given again."""

Counts = tuple[int, int]
"""(packets, bytes)"""
ReadCounters = Callable[[Sequence[int]], Sequence[Counts]]
"""Slots -> what the kernel has counted on them."""


class Commits(NamedTuple):
    """Commits of this instance by any process, since its state folder was made."""

    buckets: tuple[int, ...] = (0,) * (len(BUCKETS) + 1)
    """How many took at most BUCKETS[i] seconds and more than BUCKETS[i - 1]."""
    seconds: float = 0.0

    def and_one(self, seconds: float) -> Commits:
        """With one more."""
        index = sum(seconds > bound for bound in BUCKETS)
        buckets = tuple(count + (at == index) for at, count in enumerate(self.buckets))
        return Commits(buckets, self.seconds + seconds)


class Figures(NamedTuple):
    """Everything of it."""

    carried: Mapping[str, Counts]
    """By rule id: what its earlier slots had counted when it left them."""
    commits: Commits
    fill: Mapping[str, int]
    """Sizes that the ruleset in force needs."""


def carry(connection: sqlite3.Connection, delta: Delta, read: ReadCounters) -> None:
    """Keep what the slots counted that rules leave by this change."""
    left = [
        (before.id, before.slot)
        for before, after in delta.rules
        if before is not None and (after is None or after.slot != before.slot)
    ]
    if not left:
        return
    counted = read([slot for _, slot in left])
    connection.executemany(
        "INSERT INTO carried (id, packets, bytes) VALUES (?, ?, ?) ON CONFLICT (id) DO UPDATE"
        " SET packets = packets + excluded.packets, bytes = bytes + excluded.bytes",
        [(rule_id, *counts) for (rule_id, _), counts in zip(left, counted, strict=True)],
    )
    connection.execute(
        "DELETE FROM carried WHERE rowid <= (SELECT max(rowid) FROM carried) - ?"
        " AND id NOT IN (SELECT id FROM rules)",
        (KEEP,),
    )


def to_meta(commits: Commits, fill: Mapping[str, int]) -> dict[str, str]:
    """As rows of meta."""
    said = {"buckets": commits.buckets, "seconds": commits.seconds}
    return {"commits": json.dumps(said), "fill": json.dumps(dict(fill))}


def read_commits(connection: sqlite3.Connection) -> Commits:
    """Those of all processes so far."""
    found = _meta(connection, "commits")
    return Commits(tuple(found["buckets"]), float(found["seconds"])) if found else Commits()


def read_figures(connection: sqlite3.Connection) -> Figures:
    """As of the committed revision."""
    rows = connection.execute("SELECT id, packets, bytes FROM carried").fetchall()
    return Figures(
        carried={rule_id: (packets, size) for rule_id, packets, size in rows},
        commits=read_commits(connection),
        fill=_meta(connection, "fill"),
    )


def _meta(connection: sqlite3.Connection, key: str) -> dict[str, Any]:
    row = connection.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
    found: dict[str, Any] = json.loads(row[0]) if row else {}
    return found
