"""When each rule's counter was last seen to rise; in memory only. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from .counters import Counts
from .ruleindex import RuleEntry


class LastHits:
    """Noted at each reading of the counters, so a time is late by at most the time between two."""

    def __init__(self) -> None:
        self._noted: dict[str, tuple[int, int, str | None]] | None = None
        self._raw: Sequence[Counts] = ()
        self._entries: Sequence[RuleEntry] = ()

    def note(self, entries: Sequence[RuleEntry], raw: Sequence[Counts], now: str) -> None:
        """`raw` has one pair per entry, as the kernel counts; `now` is canonical."""
        if entries is self._entries and raw == self._raw:
            return
        before = self._noted
        noted: dict[str, tuple[int, int, str | None]] = {}
        for entry, (packets, _) in zip(entries, raw, strict=True):
            was = before.get(entry.id) if before is not None else (entry.slot, packets, None)
            if was is None or was[0] != entry.slot:
                # New since the last look, or counting anew: it began at 0.
                was = (entry.slot, 0, None)
            hit = now if packets and packets != was[1] else was[2]
            noted[entry.id] = (entry.slot, packets, hit)
        self._noted, self._raw, self._entries = noted, raw, entries

    def known(self, entries: Sequence[RuleEntry]) -> dict[str, str]:
        """The times that are known, by rule id."""
        noted = self._noted or {}
        found: dict[str, str] = {}
        for entry in entries:
            slot, _, hit = noted.get(entry.id, (entry.slot, 0, None))
            if hit is not None and slot == entry.slot:
                found[entry.id] = hit
        return found
