"""The names and numbers of sets, which are a part of a ruleset. Pure.

Their entries are not: those change without a new revision.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from xdpwall.errors import Full, NotFound

MAX_SETS = 1024
MAX_NUMBER = 4095
SET_FIELDS = ("src", "dst")
"""The fields of a rule that can name a set."""


@dataclass(frozen=True, slots=True)
class SetRow:
    """One set. Classes know it by its number, which is another one after all its entries were
    replaced."""

    name: str
    number: int
    created: str


def find_set(sets: Iterable[SetRow], name: str) -> SetRow:
    """The set of this name. Raises NotFound."""
    names = []
    for row in sets:
        if row.name == name:
            return row
        names.append(row.name)
    close = get_close_matches(name, names, 1)
    raise NotFound(
        f"no set is called {name!r}",
        field="name",
        value=name,
        hint=f"did you mean {close[0]}?" if close else "see the sets with: xdpwall set list",
    )


def put_set(sets: Sequence[SetRow], row: SetRow) -> tuple[SetRow, ...]:
    """The sets with `row` in place of one of the same name, sorted by name. Raises Full."""
    others = [other for other in sets if other.name != row.name]
    if len(others) >= MAX_SETS:
        raise Full(
            f"{MAX_SETS} sets are there already, the most that fit",
            code="too-many-sets",
            hint="delete one that no rule uses: xdpwall set list",
        )
    return tuple(sorted([*others, row], key=lambda other: other.name))


def drop_set(sets: Iterable[SetRow], name: str) -> tuple[SetRow, ...]:
    """The sets without the one of this name."""
    return tuple(row for row in sets if row.name != name)


def free_numbers(taken: Collection[int], count: int) -> list[int]:
    """The lowest `count` set numbers that are not `taken`. Raises Full."""
    free = [number for number in range(1, MAX_NUMBER + 1) if number not in taken][:count]
    if len(free) < count:
        raise Full("no number is free for another set", code="too-many-sets")
    return free
