"""One rule in force, and an index of the rules in force by id and slot. Pure."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import NamedTuple

from xdpwall.limits import SLOTS
from xdpwall.rule.rule import Rule

from .set_references import containers_named_by


class RuleEntry(NamedTuple):
    """One rule in force: `rule.id` is set."""

    rule: Rule
    slot: int
    created: str
    rank: int = 0
    base_packets: int = 0
    """The kernel's counter when it was last reset: views subtract it."""
    base_bytes: int = 0

    @property
    def id(self) -> str:
        """The rule's id."""
        assert self.rule.id is not None
        return self.rule.id


rank_of = attrgetter("rank")
id_of = attrgetter("rule.id")
"""RuleEntry.id as a function, for map()."""


def with_ids(entries: Iterable[RuleEntry]) -> dict[str, RuleEntry]:
    """The entries by id, in their order."""
    entries = tuple(entries)
    return dict(zip(map(id_of, entries), entries, strict=True))


_MOST_OVER = 256
"""Ids that differ from the base before a new base is made."""


class EntriesById(Mapping[str, RuleEntry]):
    """The entries by id: a dictionary that many rulesets share, and the differences of this one.

    To copy a dictionary of 10,000 rules takes longer than all else that adding a rule does.
    """

    __slots__ = ("_base", "_over")

    def __init__(self, base: dict[str, RuleEntry], over: dict[str, RuleEntry | None]) -> None:
        """Both are shared and must not be changed; None in `over` is an id that is not there."""
        self._base, self._over = base, over

    def changed(self, gone: Iterable[RuleEntry], come: Iterable[RuleEntry]) -> EntriesById:
        """Without `gone` and with `come`."""
        over = {**self._over, **dict.fromkeys(map(id_of, gone)), **with_ids(come)}
        if len(over) <= _MOST_OVER:
            return EntriesById(self._base, over)
        whole = {**self._base, **over}
        return EntriesById({rule_id: e for rule_id, e in whole.items() if e is not None}, {})

    def find(self, rule_id: str) -> RuleEntry | None:
        """The entry, None when there is none. (`get` raises and catches an error for each.)"""
        return self._over[rule_id] if rule_id in self._over else self._base.get(rule_id)

    def __getitem__(self, rule_id: str) -> RuleEntry:
        found = self.find(rule_id)
        if found is None:
            raise KeyError(rule_id)
        return found

    def __contains__(self, rule_id: object) -> bool:
        return isinstance(rule_id, str) and self.find(rule_id) is not None

    def __iter__(self) -> Iterator[str]:
        if not self._over:
            return iter(self._base)
        kept = [rule_id for rule_id in self._base if rule_id not in self._over]
        return iter(kept + [rule_id for rule_id, entry in self._over.items() if entry is not None])

    def __len__(self) -> int:
        return len(self._base) if not self._over else sum(1 for _ in self)


@dataclass(frozen=True, slots=True)
class EntryIndex:
    """Entries by id, slots in use, disabled rules. Rulesets share it: it must not be changed."""

    by_id: EntriesById
    used: bytearray
    """By slot: is it in use?"""
    disabled: list[int]
    """The ranks of the disabled rules, ascending."""
    relations: Counter[str]
    """The selectors with a colon, as ports:docker0, that enabled rules name, containers in `src` and `dst`
    among them, and how many do."""

    @classmethod
    def of(cls, entries: Sequence[RuleEntry]) -> EntryIndex:
        """Build the index: some ms for 10,000 rules."""
        used = bytearray(SLOTS)
        for entry in entries:
            used[entry.slot] = 1
        return cls(
            EntriesById(with_ids(entries), {}),
            used,
            [entry.rank for entry in entries if not entry.rule.enabled],
            _relations(entries),
        )

    def changed(self, gone: Sequence[RuleEntry], come: Sequence[RuleEntry]) -> EntryIndex:
        """The index of the entries without `gone` and with `come`."""
        used, disabled, relations = self.used[:], self.disabled[:], self.relations
        left, new = _relations(gone), _relations(come)
        if left or new:
            relations = relations - left + new
        for entry in gone:
            used[entry.slot] = 0
            if not entry.rule.enabled:
                del disabled[bisect_left(disabled, entry.rank)]
        for entry in come:
            used[entry.slot] = 1
            if not entry.rule.enabled:
                insort(disabled, entry.rank)
        return EntryIndex(self.by_id.changed(gone, come), used, disabled, relations)


def _relations(entries: Iterable[RuleEntry]) -> Counter[str]:
    rules = [entry.rule for entry in entries if entry.rule.enabled]
    named = [one.iface.removeprefix("!") for one in rules if one.iface and ":" in one.iface]
    return Counter(named + [one for rule in rules for one in containers_named_by(rule)])
