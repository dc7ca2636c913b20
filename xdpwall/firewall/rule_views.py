"""Views of rules, with what the kernel counted since the last reset."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from xdpwall.ruleset.committed import CommittedRuleset
from xdpwall.ruleset.index import RuleEntry
from xdpwall.values.terms import Counts
from xdpwall.views.rules import RuleCount, RuleView


class MoreCounts(NamedTuple):
    """What some rules count besides packets and bytes, by rule id."""

    limited: Mapping[str, int] = {}
    """Packets that its rate kept from matching, of each rule that has one."""
    answered: Mapping[str, int] = {}
    """SYNs that it answered, of each rule with `cookie`."""


def since_reset(entry: RuleEntry, raw: Counts) -> Counts:
    """The counts since the last reset; never below 0."""
    packets, size = raw
    return max(0, packets - entry.base_packets), max(0, size - entry.base_bytes)


def rule_views(
    placed: Iterable[tuple[int, RuleEntry]],
    raw: Iterable[Counts],
    *,
    now: str,
    hits: Mapping[str, str],
    more: MoreCounts,
) -> list[RuleView]:
    """Rules as read back, of (position from 1, entry)s.

    `raw` has one pair for each of them; `now` is the canonical time that decides `expired`; `hits`
    has the times of last hits, by rule id, where known; `more` what some rules count besides.
    """
    return [
        _view(
            entry,
            position,
            since_reset(entry, counts),
            now,
            hits.get(entry.id),
            more,
        )
        for (position, entry), counts in zip(placed, raw, strict=True)
    ]


def rule_counts(
    ruleset: CommittedRuleset, raw: Sequence[Counts], more: MoreCounts
) -> list[RuleCount]:
    """The counters alone, for GET /stats."""
    found = []
    for entry, pair in zip(ruleset.entries, raw, strict=True):
        packets, size = since_reset(entry, pair)
        found.append(
            RuleCount.model_construct(
                id=entry.id,
                packets=packets,
                bytes=size,
                limited=more.limited.get(entry.id),
                answered=more.answered.get(entry.id),
            )
        )
    return found


def rated_slots(entries: Iterable[RuleEntry]) -> dict[str, int]:
    """The slots of the rules with a rate, by id."""
    return {
        entry.id: entry.slot
        for entry in entries
        if entry.rule.limit is not None or entry.rule.over is not None
    }


def answering_slots(entries: Iterable[RuleEntry]) -> dict[str, int]:
    """The slots of the rules with `cookie`, by id."""
    return {entry.id: entry.slot for entry in entries if entry.rule.cookie}


def _view(
    entry: RuleEntry,
    position: int,
    counts: Counts,
    now: str,
    last_hit: str | None,
    more: MoreCounts,
) -> RuleView:
    return RuleView(
        **entry.rule.to_json(),
        text=entry.rule.text,
        position=position,
        packets=counts[0],
        bytes=counts[1],
        limited=more.limited.get(entry.id),
        answered=more.answered.get(entry.id),
        last_hit=last_hit,
        created=entry.created,
        expired=has_expired(entry, now),
    )


def has_expired(entry: RuleEntry, now: str) -> bool:
    """Whether the rule's time is over; `now` is canonical."""
    # Both are canonical UTC times: as texts they compare like moments.
    return entry.rule.expires is not None and entry.rule.expires <= now


class LastHits:
    """The times of rules' last hits, noted when counters are read: late by the time between two
    readings at most."""

    def __init__(self) -> None:
        self._noted: dict[str, tuple[int, int, str | None]] | None = None
        self._raw: Sequence[Counts] = ()
        self._entries: Sequence[RuleEntry] = ()

    def note(self, entries: Sequence[RuleEntry], raw: Sequence[Counts], now: str) -> None:
        """`raw` has one pair per entry, as the kernel counts; `now` is canonical."""
        if entries is self._entries and raw == self._raw:
            return
        before = self._noted
        noted: dict[str, tuple[int, int, str | None]] = {}
        for entry, (packets, _) in zip(entries, raw, strict=True):
            was = before.get(entry.id) if before is not None else (entry.slot, packets, None)
            if was is None or was[0] != entry.slot:
                # New since the last look, or counting anew: it began at 0.
                was = (entry.slot, 0, None)
            hit = now if packets and packets != was[1] else was[2]
            noted[entry.id] = (entry.slot, packets, hit)
        self._noted, self._raw, self._entries = noted, raw, entries

    def known(self, entries: Sequence[RuleEntry]) -> dict[str, str]:
        """The times that are known, by rule id."""
        noted = self._noted or {}
        found: dict[str, str] = {}
        for entry in entries:
            slot, _, hit = noted.get(entry.id, (entry.slot, 0, None))
            if hit is not None and slot == entry.slot:
                found[entry.id] = hit
        return found
