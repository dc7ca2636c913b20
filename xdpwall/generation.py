"""What the compiler takes and gives: one generation of the classifier. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from . import layout
from .layout import Action, Sizes
from .match import Match
from .vectors import Field

Trie = dict[tuple[int, bytes], int]
"""(prefix length, 16 bytes) -> row."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One enabled rule, in order. `expires` is CLOCK_BOOTTIME ns; 0 is never."""

    match: Match
    action: Action
    slot: int
    expires: int = 0
    log: bool = False

    @property
    def kernel_action(self) -> int:
        """struct xw_rule.action."""
        return int(self.action) | (layout.RULE_LOG if self.log else 0)


@dataclass(frozen=True, slots=True)
class Place:
    """One attachment, as rules see it."""

    number: int
    iface: str
    egress: bool


@dataclass(frozen=True, slots=True)
class SetWorld:
    """The sets as the kernel knows them. `classes`: the set numbers of each class id but 0."""

    numbers: Mapping[str, int] = field(default_factory=dict)
    classes: Mapping[int, frozenset[int]] = field(default_factory=dict)
    timed: bool = False
    """Does some class expire?"""


@dataclass(slots=True)
class Compiled:
    """One generation, ready to be written.

    `tables` is one layout.TABLES; `blocks` has shape (n, 256), u32; `leaves` is layout.LEAVES; `class_rows` layout.CLASS_ROWS by class;
    `vectors` are the rows as bit vectors (layout.pack_rows packs them once the maps' size is known); `rules` is layout.RULE by
    position.
    """

    tables: np.ndarray
    blocks: np.ndarray
    leaves: np.ndarray
    vectors: list[int]
    rules: np.ndarray
    src6: Trie
    dst6: Trie
    class_rows: np.ndarray
    features: layout.Feature

    @property
    def need(self) -> Sizes:
        """The sizes that it fills."""
        return Sizes(
            positions=max(len(self.rules), 1),
            rows=len(self.vectors),
            blocks=max(len(self.blocks), 1),
            leaves=max(len(self.leaves), 1),
            prefixes6=max(len(self.src6), len(self.dst6), 1),
            class_rows=len(self.class_rows),
        )


class Rows:
    """Row numbers. Row 0 satisfies nothing: what should never be looked up matches no rule."""

    def __init__(self) -> None:
        self.vectors: list[int] = [0]
        self._known: dict[int, int] = {}

    def add(self, vector: int) -> int:
        """The row of a vector; equal vectors share one."""
        row = self._known.get(vector)
        if row is None:
            row = self._known[vector] = len(self.vectors)
            self.vectors.append(vector)
        return row

    def run(self, vectors: Iterable[int]) -> int:
        """Consecutive rows; the first one's number."""
        first = len(self.vectors)
        self.vectors.extend(vectors)
        return first


_NEUTRAL = ("header_row", "sport_row", "sport_hidden", "dport_row", "dport_hidden", "attachment",
            "src_hidden", "dst_hidden", "src6_row", "dst6_row", "src4", "dst4", "src6", "dst6")  # fmt: skip


@dataclass(slots=True)
class Draft:
    """A generation while it is being compiled: what every group of fields reads and writes."""

    entries: Sequence[Entry]
    tables: np.ndarray
    rows: Rows
    everything: int
    drops: int
    features: layout.Feature = field(default=layout.Feature(0))
    blocks: list[np.ndarray] = field(default_factory=list)
    leaves: list[tuple[bytes, bytes, int, int]] = field(default_factory=list)
    src6: Trie = field(default_factory=dict)
    dst6: Trie = field(default_factory=dict)
    class_rows: np.ndarray = field(default_factory=lambda: np.zeros(1, dtype=layout.CLASS_ROWS))

    @classmethod
    def of(cls, entries: Sequence[Entry]) -> Draft:
        """An empty draft for these rules."""
        count = len(entries)
        draft = cls(
            entries=entries,
            tables=np.zeros((), dtype=layout.TABLES),
            rows=Rows(),
            everything=(1 << count) - 1,
            drops=bits((i for i, e in enumerate(entries) if e.action is Action.DROP), count),
        )
        # A program may look at more than this generation uses: there every rule is satisfied.
        for name in _NEUTRAL:
            draft.tables[name] = draft.rows.add(draft.everything)
        return draft

    def select(self, test: Callable[[Match], bool]) -> int:
        """The rules whose match passes a test."""
        return bits((i for i, e in enumerate(self.entries) if test(e.match)), len(self.entries))

    def field(self, test: Callable[[Match], bool]) -> Field:
        """The Field that the rules passing a test use."""
        return Field(self.everything, self.drops, self.select(test))


def bits(indices: Iterable[int], count: int) -> int:
    """A vector of `count` bits with these set; linear, unlike adding up shifted ones."""
    chosen = np.zeros(count, dtype=bool)
    chosen[list(indices)] = True
    return int.from_bytes(np.packbits(chosen, bitorder="little").tobytes(), "little")
