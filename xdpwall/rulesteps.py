"""What differs between two lists of entries, and the ranks and slots of those that come. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from operator import is_

from . import ranks
from .errors import Full
from .limits import SLOTS
from .model import MAX_RULES
from .ruleindex import RuleEntry, Index, id_of

NO_SLOT = -1


def window(old: Sequence[RuleEntry], new: Sequence[RuleEntry]) -> tuple[int, int]:
    """How many entries at the beginning, and how many at the end, are the same ones."""
    shorter = min(len(old), len(new))
    first = [*map(is_, old[:shorter], new[:shorter]), False].index(False)
    left = shorter - first
    last = [
        *map(is_, reversed(old[len(old) - left :]), reversed(new[len(new) - left :])),
        False,
    ].index(False)
    return first, last


def placed_between(
    old: Index, before: Sequence[RuleEntry], come: Sequence[RuleEntry], after: Sequence[RuleEntry]
) -> list[int] | None:
    """Ranks for `come`, between those of the neighbours, of which each end may have one; None when
    some neighbour would need another one."""
    find = old.by_id.find
    known = [find(rule_id) for rule_id in map(id_of, come)]
    former = [None if entry is None else entry.rank for entry in known]
    low, high = [entry.rank for entry in before], [entry.rank for entry in after]
    given = ranks.assign_ranks([*low, *former, *high])
    kept = given[: len(low)] == low and given[len(given) - len(high) :] == high
    return given[len(low) : len(given) - len(high)] if kept else None


def with_slots(old: Index, come: Sequence[RuleEntry], places: Sequence[int]) -> tuple[RuleEntry, ...]:
    """The entries with these ranks; those without a slot get one that the old state leaves free."""
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
