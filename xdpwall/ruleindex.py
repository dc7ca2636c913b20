"""One rule in force, and the rules in force by what they are looked up by. Pure."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import NamedTuple

from .limits import SLOTS
from .rule import Rule


class Entry(NamedTuple):
    """One rule in force: `rule.id` is set."""

    rule: Rule
    slot: int
    created: str
    rank: int = 0
    base_packets: int = 0
    """What the kernel's counter said when it was last reset: views subtract it."""
    base_bytes: int = 0

    @property
    def id(self) -> str:
        """The rule's id."""
        assert self.rule.id is not None
        return self.rule.id


rank_of = attrgetter("rank")


@dataclass(frozen=True, slots=True)
class Index:
    """Not to be changed from outside: states share it."""

    by_id: dict[str, Entry]
    used: bytearray
    """By slot: is it in use?"""
    disabled: list[int]
    """The ranks of the disabled rules, ascending."""

    @classmethod
    def of(cls, entries: Sequence[Entry]) -> Index:
        """From nothing: some ms for 10,000 rules."""
        used = bytearray(SLOTS)
        for entry in entries:
            used[entry.slot] = 1
        return cls(
            {entry.id: entry for entry in entries},
            used,
            [entry.rank for entry in entries if not entry.rule.enabled],
        )

    def changed(self, gone: Iterable[Entry], come: Iterable[Entry]) -> Index:
        """The index of the entries without `gone` and with `come`."""
        by_id, used, disabled = self.by_id.copy(), self.used[:], self.disabled[:]
        for entry in gone:
            del by_id[entry.id]
            used[entry.slot] = 0
            if not entry.rule.enabled:
                del disabled[bisect_left(disabled, entry.rank)]
        for entry in come:
            by_id[entry.id] = entry
            used[entry.slot] = 1
            if not entry.rule.enabled:
                insort(disabled, entry.rank)
        return Index(by_id, used, disabled)
