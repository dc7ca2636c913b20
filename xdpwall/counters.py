"""Rules and attachments as read back: what the kernel counted, less the baselines."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from .ruleindex import RuleEntry
from .ruleset import State
from .views import RuleCount, RuleView

Counts = tuple[int, int]
"""(packets, bytes)"""


def since_reset(entry: RuleEntry, raw: Counts) -> Counts:
    """What came since the last reset; never below 0."""
    packets, size = raw
    return max(0, packets - entry.base_packets), max(0, size - entry.base_bytes)


def rule_views(
    placed: Iterable[tuple[int, RuleEntry]],
    raw: Iterable[Counts],
    *,
    now: str,
    hits: Mapping[str, str],
) -> list[RuleView]:
    """Rules as read back, of (position from 1, entry)s.

    `raw` has one pair for each of them; `now` is the canonical time that decides `expired`; `hits`
    has the times of last hits, by rule id, where known.
    """
    return [
        _view(entry, position, since_reset(entry, counts), now, hits.get(entry.id))
        for (position, entry), counts in zip(placed, raw, strict=True)
    ]


def rule_counts(state: State, raw: Sequence[Counts]) -> list[RuleCount]:
    """The counters alone, for GET /stats."""
    found = []
    for entry, pair in zip(state.entries, raw, strict=True):
        packets, size = since_reset(entry, pair)
        found.append(RuleCount.model_construct(id=entry.id, packets=packets, bytes=size))
    return found


def _view(entry: RuleEntry, position: int, counts: Counts, now: str, last_hit: str | None) -> RuleView:
    return RuleView(
        **entry.rule.to_json(),
        text=entry.rule.text,
        position=position,
        packets=counts[0],
        bytes=counts[1],
        last_hit=last_hit,
        created=entry.created,
        expired=has_expired(entry, now),
    )


def has_expired(entry: RuleEntry, now: str) -> bool:
    """Whether the rule's time is over; `now` is canonical."""
    # Both are canonical UTC times: as texts they compare like moments.
    return entry.rule.expires is not None and entry.rule.expires <= now
