"""Which addresses sets hold, as runs of addresses, to find one that is in these sets and not in those.

Pure.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Iterator, Mapping
from functools import cache
from itertools import islice
from typing import Literal

from xdpwall.sets.entries import AddressEntry, Entries

Family = Literal[4, 6]

_MOST_TRIED = 1000
"""Addresses that are looked at for one that fits, of all that may be there."""


class Members:
    """The entries of sets by name; None, or none, for a set of which nothing is known, as a container's
    addresses."""

    def __init__(self, sets: Mapping[str, Entries | None]) -> None:
        self._sets = sets
        self._runs = cache(self._find_runs)

    def any_of(self, name: str, family: Family) -> bool:
        """Whether the set holds something of that family."""
        entries = self._sets.get(name)
        if entries is None:
            return True
        some = (entries.v4, entries.p4) if family == 4 else (entries.v6, entries.p6)
        return any(map(len, some))

    def runs(self, name: str, family: Family) -> tuple[tuple[int, int], ...] | None:
        """First and last of each run of neighbouring addresses in the set, ascending; None where they
        are not known."""
        if self._sets.get(name) is None:
            return None
        return tuple(zip(*self._runs(name, family), strict=True))

    def holds(self, name: str, family: Family, address: int) -> bool:
        """Whether the address is in the set; of a set that is not known none is."""
        firsts, lasts = self._runs(name, family)
        at = bisect_right(firsts, address) - 1
        return at >= 0 and address <= lasts[at]

    def address_between(
        self,
        family: Family,
        first: int,
        last: int,
        inside: Collection[str],
        outside: Collection[str],
        usual: int,
    ) -> int | None:
        """An address from `first` to `last` in all sets of `inside` and none of `outside`, `usual` where
        it fits. None where none was found, though there may be one."""
        for address in islice(
            self._candidates(family, first, last, inside, outside, usual), _MOST_TRIED
        ):
            if all(self.holds(name, family, address) for name in inside) and not any(
                self.holds(name, family, address) for name in outside
            ):
                return address
        return None

    def _candidates(
        self,
        family: Family,
        first: int,
        last: int,
        inside: Collection[str],
        outside: Collection[str],
        usual: int,
    ) -> Iterator[int]:
        yield usual
        yield first
        yield last
        for name in inside or outside:
            firsts, lasts = self._runs(name, family)
            for at in range(max(bisect_right(firsts, first) - 1, 0), len(firsts)):
                if firsts[at] > last:
                    break
                # Where a run begins there is a member, behind its end there is none.
                address = max(firsts[at], first) if inside else lasts[at] + 1
                if first <= address <= last:
                    yield address

    def _find_runs(self, name: str, family: Family) -> tuple[list[int], list[int]]:
        """Firsts and lasts of the runs, ascending and disjoint."""
        known = self._sets.get(name)
        entries = [] if known is None else [one for one in known.part() if one.family == family]
        firsts: list[int] = []
        lasts: list[int] = []
        for entry in sorted(entries, key=_place):
            first, last = entry.address, _last(entry)
            if lasts and first <= lasts[-1] + 1:
                lasts[-1] = max(lasts[-1], last)
            else:
                firsts.append(first)
                lasts.append(last)
        return firsts, lasts


def _place(entry: AddressEntry) -> tuple[int, int]:
    return entry.address, entry.length


def _last(entry: AddressEntry) -> int:
    bits = 32 if entry.family == 4 else 128
    return entry.address | (1 << bits - entry.length) - 1
