"""Collects the entries of an address list, each with its line, while it is read. Pure numpy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from xdpwall.sets.entries import AddressEntry, Entries
from xdpwall.values import arrays
from xdpwall.values.arrays import Array

from .address_lines_fast import Ipv4Lines

_KEY_TYPES = ("u4", "S16", "<u8", "S17")
"""The dtypes of keys of the kinds v4, v6, p4, p6, which are 0 to 3 here."""


class EntryCollector:
    """Entries as keys (values/arrays.py) per kind, the line of each, and timeouts in seconds."""

    def __init__(self) -> None:
        self.count = 0
        self._keys: tuple[list[Array], ...] = ([], [], [], [])
        self._lines: tuple[list[Array], ...] = ([], [], [], [])
        self._buffer: tuple[list[Any], ...] = ([], [], [], [])
        self._buffer_lines: tuple[list[int], ...] = ([], [], [], [])
        self._timeouts: tuple[dict[Any, tuple[int, int]], ...] = ({}, {}, {}, {})
        """Per kind: key -> (the last line with a timeout for it, seconds)."""

    def add_lines(self, found: Ipv4Lines, first: int) -> None:
        """Add the entries of a chunk whose first line has the number `first`."""
        self._flush()
        for kind, keys, lines in ((0, found.v4, found.v4_lines), (2, found.p4, found.p4_lines)):
            if len(keys):
                self._append(kind, keys, (lines + first).astype("u4"))

    def add(self, kind: int, key: int | bytes, line: int, seconds: int) -> None:
        """Add one entry, by kind and key of parse_entry_fast; `seconds` 0 is for good. Of a repeated
        entry the last timeout counts."""
        self._buffer[kind].append(key)
        self._buffer_lines[kind].append(line)
        if seconds:
            self._timeouts[kind][key] = line, seconds

    def _flush(self) -> None:
        for kind, some in enumerate(self._buffer):
            if some:
                self._append(kind, _array(kind, some), np.array(self._buffer_lines[kind], "u4"))
                some.clear()
                self._buffer_lines[kind].clear()

    def _append(self, kind: int, keys: Array, lines: Array) -> None:
        self._keys[kind].append(keys)
        self._lines[kind].append(lines)
        self.count += len(keys)

    def result(self, report: ReadReport) -> tuple[Entries, dict[str, int]]:
        """(the entries, each once and none inside a lasting one, timeouts in seconds by the entry's
        text). Fills in `report`."""
        self._flush()
        report.read = self.count
        entries = _entries([self._unique(kind, report) for kind in range(4)])
        timed, timeouts = self._timed()
        return self._merged(entries, timed, report), timeouts

    def _timed(self) -> tuple[Entries, dict[str, int]]:
        kinds = [self._last_timeouts(kind) for kind in range(4)]
        timed = _entries([_array(kind, list(found)) for kind, found in enumerate(kinds)])
        # texts() has the order v4, p4, v6, p6.
        seconds = [each for kind in (0, 2, 1, 3) for each in kinds[kind].values()]
        return timed, dict(zip(timed.texts(), seconds, strict=True))

    def _last_timeouts(self, kind: int) -> dict[Any, int]:
        """Seconds by key in ascending order, without those that a later line has for good."""
        given = self._timeouts[kind]
        if not given:
            return {}
        wanted = sorted(given)
        last = np.array([given[key][0] for key in wanted], "u4")
        every, lines = np.concatenate(self._keys[kind]), np.concatenate(self._lines[kind])
        keys = _array(kind, wanted)
        place = np.searchsorted(keys, every)
        place[place == len(keys)] = 0
        again = keys[place] == every
        later = last.copy()
        np.maximum.at(later, place[again], lines[again])
        return {key: given[key][1] for key, on in zip(wanted, later == last, strict=True) if on}

    def _unique(self, kind: int, report: ReadReport) -> Array:
        empty = np.empty(0, _KEY_TYPES[kind])
        keys = np.concatenate([empty, *self._keys[kind]])
        found = arrays.sorted_unique(keys)
        twice = len(keys) - len(found)
        if twice:
            report.duplicates += twice
            order = np.argsort(keys, kind="stable")
            again = np.flatnonzero(keys[order][1:] == keys[order][:-1]) + 1
            places = np.sort(order[again])[:MAX_LISTED]
            self._report(report.duplicate_lines, kind, keys, places, "stands there already")
        return found

    def _merged(self, entries: Entries, timed: Entries, report: ReadReport) -> Entries:
        """The entries without those that a wider one contains; expiring ones neither contain nor go."""
        lasting = entries.difference(timed)
        kept, report.merged = lasting.covered()
        if not report.merged:
            return entries
        gone = lasting.difference(kept)
        for kind, keys in enumerate(arrays.all_keys(gone.v4, gone.v6, gone.p4, gone.p6)):
            if len(keys):
                every = np.concatenate(self._keys[kind])
                places = np.flatnonzero(np.isin(every, keys))[:MAX_LISTED]
                self._report(report.merged_lines, kind, every, places, "lies in a wider entry")
        return kept.union(timed)

    def _report(
        self, into: list[ReportedLine], kind: int, keys: Array, places: Array, why: str
    ) -> None:
        lines = np.concatenate(self._lines[kind])
        for place in places[: MAX_LISTED - len(into)]:
            into.append(
                ReportedLine(int(lines[place]), _entry(kind, keys[place : place + 1]).text, why)
            )
        into.sort(key=lambda odd: odd.line)


def _array(kind: int, keys: Sequence[Any]) -> Array:
    if kind & 1:
        return np.frombuffer(b"".join(keys), _KEY_TYPES[kind])
    return np.array(keys, _KEY_TYPES[kind])


def _entries(keys: Sequence[Array]) -> Entries:
    v4, v6, p4, p6 = keys
    return Entries(v4, arrays.from_keys16(v6), p4, arrays.from_keys17(p6))


def _entry(kind: int, keys: Array) -> AddressEntry:
    alone = _entries([keys if kind == k else np.empty(0, _KEY_TYPES[k]) for k in range(4)])
    return alone.part(0, 1)[0]


MAX_LISTED = 1000
"""So many lines of a kind are listed; all are counted."""


@dataclass(frozen=True, slots=True)
class ReportedLine:
    """A rejected, repeated or covered line; lines count from 1."""

    line: int
    text: str
    reason: str


@dataclass(slots=True)
class ReadReport:
    """What became of a list's lines: `lines` counts all of them, `read` the entries."""

    lines: int = 0
    read: int = 0
    duplicates: int = 0
    merged: int = 0
    """Entries dropped because a wider one of the list contains them."""
    rejected: int = 0
    rejected_lines: list[ReportedLine] = field(default_factory=list)
    duplicate_lines: list[ReportedLine] = field(default_factory=list)
    merged_lines: list[ReportedLine] = field(default_factory=list)
