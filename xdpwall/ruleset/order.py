"""The changed part of a list of entries, and ranks and slots for new entries. Pure."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from operator import is_

from xdpwall.errors import Full
from xdpwall.limits import MAX_RULES, SLOTS

from .index import EntryIndex, RuleEntry, id_of

NO_SLOT = -1


def changed_window(old: Sequence[RuleEntry], new: Sequence[RuleEntry]) -> tuple[int, int]:
    """(entries that are identical at the beginning, entries that are identical at the end)."""
    shorter = min(len(old), len(new))
    first = [*map(is_, old[:shorter], new[:shorter]), False].index(False)
    left = shorter - first
    last = [
        *map(is_, reversed(old[len(old) - left :]), reversed(new[len(new) - left :])),
        False,
    ].index(False)
    return first, last


def placed_between(
    old: EntryIndex,
    before: Sequence[RuleEntry],
    come: Sequence[RuleEntry],
    after: Sequence[RuleEntry],
) -> list[int] | None:
    """Ranks for `come` between those of its neighbours, at most one on each side; None when a
    neighbour would need another rank."""
    find = old.by_id.find
    known = [find(rule_id) for rule_id in map(id_of, come)]
    former = [None if entry is None else entry.rank for entry in known]
    low, high = [entry.rank for entry in before], [entry.rank for entry in after]
    given = assign_ranks([*low, *former, *high])
    kept = given[: len(low)] == low and given[len(given) - len(high) :] == high
    return given[len(low) : len(given) - len(high)] if kept else None


def with_slots(
    old: EntryIndex, come: Sequence[RuleEntry], places: Sequence[int]
) -> tuple[RuleEntry, ...]:
    """The entries with these ranks; those without a slot get a free one."""
    used = old.used[:]
    finished = []
    free = -1
    for entry, rank in zip(come, places, strict=True):
        # For many entries _replace takes four times as long.
        rule, slot, created, former, packets, size = entry
        if slot == NO_SLOT:
            slot = free = used.find(0, free + 1)
            if slot < 0:
                raise Full(
                    "too many rules change at once: their counters do not fit beside the old ones",
                    code="too-many-changes",
                    hint=f"change at most {SLOTS - MAX_RULES} rules in one step",
                )
        same = slot == entry.slot and rank == former
        finished.append(entry if same else RuleEntry(rule, slot, created, rank, packets, size))
    return tuple(finished)


RANK_GAP = 1 << 20


def longest_increasing(values: Sequence[int]) -> list[int]:
    """Indexes of one longest strictly increasing subsequence, ascending."""
    tails: list[int] = []
    tail_index: list[int] = []
    before: list[int] = []
    for index, value in enumerate(values):
        length = bisect_left(tails, value)
        before.append(tail_index[length - 1] if length else -1)
        if length == len(tails):
            tails.append(value)
            tail_index.append(index)
        else:
            tails[length] = value
            tail_index[length] = index
    found = []
    index = tail_index[-1] if tail_index else -1
    while index >= 0:
        found.append(index)
        index = before[index]
    return found[::-1]


def assign_ranks(old: Sequence[int | None]) -> list[int]:
    """Strictly increasing ranks for items in their new order.

    `old` has each item's former rank, None for a new item. As many former ranks as possible are
    kept; when some gap is used up, all are given anew.
    """
    known = [index for index, rank in enumerate(old) if rank is not None]
    kept = {known[i] for i in longest_increasing([r for r in old if r is not None])}
    ranks = [rank if index in kept else None for index, rank in enumerate(old)]
    result: list[int] = []
    index = 0
    while index < len(ranks):
        rank = ranks[index]
        if rank is not None:
            result.append(rank)
            index += 1
            continue
        end = index
        while end < len(ranks) and ranks[end] is None:
            end += 1
        filled = _fill(result[-1] if result else None, end - index, _at(ranks, end))
        if filled is None:
            return [RANK_GAP * (place + 1) for place in range(len(old))]
        result += filled
        index = end
    return result


def _at(ranks: Sequence[int | None], index: int) -> int | None:
    return ranks[index] if index < len(ranks) else None


def _fill(low: int | None, count: int, high: int | None) -> list[int] | None:
    """`count` ranks between two neighbours (None: no neighbour); None when they do not fit."""
    if high is None:
        start = 0 if low is None else low
        return [start + RANK_GAP * (i + 1) for i in range(count)]
    if low is None:
        return [high - RANK_GAP * (count - i) for i in range(count)]
    if high - low <= count:
        return None
    return [low + (high - low) * (i + 1) // (count + 1) for i in range(count)]
