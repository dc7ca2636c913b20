"""Rules and attachments as read back: what the kernel counted, less the baselines."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from .ruleset import Entry, State
from .views import RuleCount, RuleView

Counts = tuple[int, int]
"""(packets, bytes)"""


def since_reset(entry: Entry, raw: Counts) -> Counts:
    """What came since the last reset; never below 0."""
    packets, size = raw
    return max(0, packets - entry.base_packets), max(0, size - entry.base_bytes)


def rule_views(
    state: State,
    raw: Sequence[Counts],
    *,
    now: str,
    hits: Mapping[str, str],
    only: Iterable[str] | None = None,
) -> list[RuleView]:
    """The rules in order, or those of the ids in `only` in that order.

    `raw` has one pair per entry of the state; `now` is the canonical time that decides `expired`;
    `hits` has the times of last hits, by rule id, where known.
    """
    if only is None:
        chosen = list(range(len(state.entries)))
    else:
        place = {entry.id: index for index, entry in enumerate(state.entries)}
        chosen = [place[rule_id] for rule_id in only]
    return [
        _view(entry, i + 1, since_reset(entry, raw[i]), now, hits.get(entry.id))
        for i, entry in ((i, state.entries[i]) for i in chosen)
    ]


def rule_counts(state: State, raw: Sequence[Counts]) -> list[RuleCount]:
    """The counters alone, for GET /stats."""
    found = []
    for entry, pair in zip(state.entries, raw, strict=True):
        packets, size = since_reset(entry, pair)
        found.append(RuleCount.model_construct(id=entry.id, packets=packets, bytes=size))
    return found


def _view(entry: Entry, position: int, counts: Counts, now: str, last_hit: str | None) -> RuleView:
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


def has_expired(entry: Entry, now: str) -> bool:
    """Whether the rule's time is over; `now` is canonical."""
    # Both are canonical UTC times: as texts they compare like moments.
    return entry.rule.expires is not None and entry.rule.expires <= now
