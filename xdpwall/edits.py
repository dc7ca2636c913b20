"""What a few edits have to do to a list of rules. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import is_
from typing import TypeVar

from .columns import CompilerRule
from .delta import MOST, Edit

_T = TypeVar("_T")


def edits(
    at: int,
    gone: Sequence[_T],
    come: Sequence[_T],
    entries: Callable[[Sequence[_T]], Sequence[CompilerRule]],
) -> list[Edit] | None:
    """Edits, to be made one after the other, by which `gone` at place `at` of a list make way for
    `come`; `entries` makes what they insert. None when that would take many.

    A rule that is the same object stays the same.
    """
    if not gone and not come:
        return []
    if len(gone) + len(come) <= MOST:
        return [Edit(at, len(gone), entries(come))]
    if len(gone) != len(come):
        return None
    end = at + len(gone) - 1
    if all(map(is_, gone[1:], come[:-1])):  # one rule moved down
        return [Edit(at, 1, ()), Edit(end, 0, entries(come[-1:]))]
    if all(map(is_, gone[:-1], come[1:])):
        return [Edit(end, 1, ()), Edit(at, 0, entries(come[:1]))]
    return None
