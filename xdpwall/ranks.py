"""Sort keys with gaps: one rule inserted or moved writes one row, not all that follow. Pure."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

GAP = 1 << 20


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
            return [GAP * (place + 1) for place in range(len(old))]
        result += filled
        index = end
    return result


def _at(ranks: Sequence[int | None], index: int) -> int | None:
    return ranks[index] if index < len(ranks) else None


def _fill(low: int | None, count: int, high: int | None) -> list[int] | None:
    """`count` ranks between two neighbours (None: no neighbour); None when they do not fit."""
    if high is None:
        start = 0 if low is None else low
        return [start + GAP * (i + 1) for i in range(count)]
    if low is None:
        return [high - GAP * (count - i) for i in range(count)]
    if high - low <= count:
        return None
    return [low + (high - low) * (i + 1) // (count + 1) for i in range(count)]
