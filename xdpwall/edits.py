"""What a few edits have to do to a list of rules. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from .delta import MOST, Edit

_T = TypeVar("_T")


def edits(
    old: Sequence[tuple[_T, int]],
    new: Sequence[tuple[_T, int]],
    entries: Callable[[Sequence[tuple[_T, int]]], Sequence[Any]],
) -> list[Edit] | None:
    """Edits that lead from `old` to `new`, (rule, slot)s, to be made one after the other; `entries`
    makes what they insert. None when that would take many.

    A rule is the same when it is the same object under the same slot.
    """
    first, shorter = 0, min(len(old), len(new))
    while first < shorter and _same(old[first], new[first]):
        first += 1
    last = 0
    while last < shorter - first and _same(old[-1 - last], new[-1 - last]):
        last += 1
    before, after = old[first : len(old) - last], new[first : len(new) - last]
    if len(before) + len(after) <= MOST:
        return [Edit(first, len(before), entries(after))] if before or after else []
    if len(before) != len(after):
        return None
    end = first + len(before) - 1
    if _all_same(before[1:], after[:-1]):  # one rule moved down
        return [Edit(first, 1, ()), Edit(end, 0, entries(after[-1:]))]
    if _all_same(before[:-1], after[1:]):
        return [Edit(end, 1, ()), Edit(first, 0, entries(after[:1]))]
    return None


def _same(a: tuple[object, int], b: tuple[object, int]) -> bool:
    return a[0] is b[0] and a[1] == b[1]


def _all_same(a: Sequence[tuple[object, int]], b: Sequence[tuple[object, int]]) -> bool:
    return all(map(_same, a, b))
