"""The figures of /metrics that outlive slots and processes: counts of slots that rules left, and
how long commits took."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from xdpwall.values.terms import Counts

from .revision_delta import RevisionDelta

BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
"""Seconds: the upper bounds of the histogram of commit times; the last bucket has none."""
KEEP = 50_000
"""Ids of deleted rules whose counts are kept, in case the id is given again."""

ReadCounters = Callable[[Sequence[int]], Sequence[Counts]]
"""Slots -> what the kernel has counted on them."""


class CommitTimes(NamedTuple):
    """How long commits of this instance took, by any process, since its state folder was made."""

    buckets: tuple[int, ...] = (0,) * (len(BUCKETS) + 1)
    """How many took at most BUCKETS[i] seconds and more than BUCKETS[i - 1]."""
    seconds: float = 0.0
    """All of them together."""

    def with_commit(self, seconds: float) -> CommitTimes:
        """The histogram with one more commit."""
        index = sum(seconds > bound for bound in BUCKETS)
        buckets = tuple(count + (at == index) for at, count in enumerate(self.buckets))
        return CommitTimes(buckets, self.seconds + seconds)


class Figures(NamedTuple):
    """Everything that the store knows for /metrics."""

    carried: Mapping[str, Counts]
    """Rule id -> what its earlier slots had counted when it left them."""
    commits: CommitTimes
    fill: Mapping[str, int]
    """How much of each table the committed ruleset needs (compiler.sizes.Sizes)."""


def carry_counts(connection: sqlite3.Connection, delta: RevisionDelta, read: ReadCounters) -> None:
    """Add to `carried` what the slots counted that rules leave by this change."""
    left = delta.slots_left()
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


def take_back(connection: sqlite3.Connection, delta: RevisionDelta, read: ReadCounters) -> None:
    """Undo `carry`: the rules are on their slots again. What was counted since is taken off too, so
    that nothing counts twice."""
    left = delta.slots_left()
    counted = read([slot for _, slot in left]) if left else []
    connection.executemany(
        "UPDATE carried SET packets = max(0, packets - ?), bytes = max(0, bytes - ?) WHERE id = ?",
        [(*counts, rule_id) for (rule_id, _), counts in zip(left, counted, strict=True)],
    )


def to_meta(commits: CommitTimes, fill: Mapping[str, int]) -> dict[str, str]:
    """The rows of the table meta that keep both."""
    times = {"buckets": commits.buckets, "seconds": commits.seconds}
    return {"commits": json.dumps(times), "fill": json.dumps(dict(fill))}


def read_commit_times(connection: sqlite3.Connection) -> CommitTimes:
    """The commit times so far; none before the first commit."""
    found = _meta(connection, "commits")
    return CommitTimes(tuple(found["buckets"]), float(found["seconds"])) if found else CommitTimes()


def read_figures(connection: sqlite3.Connection) -> Figures:
    """All figures, as of the committed revision."""
    rows = connection.execute("SELECT id, packets, bytes FROM carried").fetchall()
    return Figures(
        carried={rule_id: (packets, size) for rule_id, packets, size in rows},
        commits=read_commit_times(connection),
        fill=_meta(connection, "fill"),
    )


def _meta(connection: sqlite3.Connection, key: str) -> dict[str, Any]:
    row = connection.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
    found: dict[str, Any] = json.loads(row[0]) if row else {}
    return found
