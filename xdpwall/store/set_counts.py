"""The number of entries of each set (table set_held)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from xdpwall.sets.change import EntryChange
from xdpwall.sets.keys import kind_of


@dataclass(frozen=True, slots=True)
class EntryCounts:
    """A set number's entries by kind, timed ones included; and how many of all are timed."""

    v4: int = 0
    v6: int = 0
    p4: int = 0
    p6: int = 0
    timed: int = 0
    folds: int = 0
    """Changes whenever its arrays are written: tells a cached array from a newer one."""
    arrays: int | None = None
    """Their checksum (store/set_arrays.py); None where an earlier release wrote them."""

    @property
    def total(self) -> int:
        """All entries."""
        return self.v4 + self.v6 + self.p4 + self.p6

    def after(self, changes: Iterable[EntryChange]) -> EntryCounts:
        """The counts after these changes."""
        counts: dict[str, int] = {}
        for change in changes:
            more = (change.expires is not None) - (change.was is not None)
            kind = kind_of(change.entry)
            counts[kind] = counts.get(kind, getattr(self, kind)) + more
            timed = bool(change.expires) - bool(change.was)
            counts["timed"] = counts.get("timed", self.timed) + timed
        return replace(self, **counts)
