"""All entries of one set: those that it has for good, and those that expire. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from xdpwall.values.times import epoch_seconds

from .entries import AddressEntry, Entries, parse_entry


@dataclass(frozen=True, slots=True)
class TimedEntries:
    """`expiring`: entry -> expiry in seconds since 1970. None of these is in `lasting`."""

    lasting: Entries
    expiring: Mapping[AddressEntry, int]

    @classmethod
    def from_timeouts(
        cls, entries: Entries, timeouts: Mapping[str, str] | None, now: float
    ) -> TimedEntries:
        """From all entries and, for some of them, the expiry by the entry's text. Entries that have
        expired by `now`, in seconds since 1970, are left out."""
        if not timeouts:
            return cls(entries, {})
        timed = {parse_entry(text): epoch_seconds(moment) for text, moment in timeouts.items()}
        lasting = entries.difference(Entries.from_entries(timed))
        return cls(lasting, {entry: ends for entry, ends in timed.items() if ends > now})

    def __len__(self) -> int:
        return len(self.lasting) + len(self.expiring)

    def parts(self) -> tuple[Entries, Entries]:
        """(the lasting entries, the expiring ones)."""
        return self.lasting, Entries.from_entries(self.expiring)

    def all(self) -> Entries:
        """The lasting and the expiring entries together."""
        return self.lasting.union(Entries.from_entries(self.expiring))

    def unexpired(self, now: float) -> TimedEntries:
        """Without the entries that have expired by `now`, in seconds since 1970."""
        left = {entry: ends for entry, ends in self.expiring.items() if ends > now}
        return TimedEntries(self.lasting, left)
