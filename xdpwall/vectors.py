"""Equivalence classes of a field's values, as bit vectors over rule positions. Pure.

A vector is a Python int: bit i is the rule at position i. A field's values fall into classes that
satisfy the same rules; each class gets one vector.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from .match import Prefix, Ranges


@dataclass(slots=True)
class Field:
    """Which rules use a field, and what a packet whose field cannot be read satisfies.

    Unreadable counts as matching for drop and as not matching for accept and count.
    """

    everything: int
    drops: int
    users: int = 0

    @property
    def free(self) -> int:
        """Rules that do not use the field."""
        return self.everything & ~self.users

    @property
    def hidden(self) -> int:
        """Rules satisfied when the field cannot be read."""
        return self.free | (self.users & self.drops)


def sweep(
    free: int, terms: Iterable[tuple[int, bool, Ranges]], size: int
) -> tuple[np.ndarray, list[int]]:
    """Classes of the values 0..size-1 for rules on ranges of them.

    `terms` are (rule bit, negated, ranges). Returns the class of each value (u16, shape (size,)) and
    each class's vector. O(ranges) vector operations: the bits that change are toggled.
    """
    toggles: dict[int, int] = {}
    start = free
    for bit, negated, ranges in terms:
        if negated:
            start |= bit
        for low, high in ranges:
            toggles[low] = toggles.get(low, 0) ^ bit
            toggles[high + 1] = toggles.get(high + 1, 0) ^ bit
    table = np.zeros(size, dtype="<u2")
    classes: dict[int, int] = {}
    at, vector = 0, start
    for edge in sorted(toggles):
        if edge > at:
            table[at:edge] = classes.setdefault(vector, len(classes))
            at = edge
        vector ^= toggles[edge]
    if at < size:
        table[at:size] = classes.setdefault(vector, len(classes))
    return table, list(classes)


@dataclass(slots=True)
class Prefixes:
    """The prefixes of one address field and family: what each adds to, or takes from, its parent."""

    on: dict[Prefix, int] = field(default_factory=dict)
    off: dict[Prefix, int] = field(default_factory=dict)

    def add(self, prefix: Prefix, bit: int, negated: bool) -> None:
        """One rule's prefix."""
        side = self.off if negated else self.on
        side[prefix] = side.get(prefix, 0) | bit

    def vectors(self, outside: int, width: int) -> list[tuple[Prefix, int]]:
        """(prefix, vector of its addresses that no longer prefix covers), parents first.

        `outside` is the vector of addresses in no prefix; a longest-prefix match over the answer
        gives an address its vector.
        """
        order = sorted(self.on.keys() | self.off.keys(), key=lambda p: (p.address, p.length))
        answer: list[tuple[Prefix, int]] = []
        stack: list[tuple[int, int]] = []  # (last address, vector)
        for prefix in order:
            while stack and prefix.address > stack[-1][0]:
                stack.pop()
            above = stack[-1][1] if stack else outside
            vector = (above | self.on.get(prefix, 0)) & ~self.off.get(prefix, 0)
            answer.append((prefix, vector))
            stack.append((prefix.address + (1 << (width - prefix.length)) - 1, vector))
        return answer


def classes_of(vectors: Sequence[int]) -> tuple[np.ndarray, list[int]]:
    """The class of each vector (u16) and the distinct vectors, in order of appearance."""
    classes: dict[int, int] = {}
    table = np.fromiter(
        (classes.setdefault(v, len(classes)) for v in vectors), dtype="<u2", count=len(vectors)
    )
    return table, list(classes)
