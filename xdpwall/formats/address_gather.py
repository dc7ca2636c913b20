"""The entries of a file while it is being read, each with its line. Pure numpy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from xdpwall.sets.entries import AddressEntry, Entries
from xdpwall.values import arrays
from xdpwall.values.arrays import Array

from .address_lines_fast import PlainLines

_KINDS = ("u4", "S16", "<u8", "S17")


class Gathered:
    """Keys as values/arrays.py has them, per kind (v4, v6, p4, p6), and the lines they stood on."""

    def __init__(self) -> None:
        self.count = 0
        self._keys: tuple[list[Array], ...] = ([], [], [], [])
        self._lines: tuple[list[Array], ...] = ([], [], [], [])
        self._some: tuple[list[Any], ...] = ([], [], [], [])
        self._some_lines: tuple[list[int], ...] = ([], [], [], [])
        self._timeouts: tuple[dict[Any, int], ...] = ({}, {}, {}, {})

    def add_plain(self, found: PlainLines, first: int) -> None:
        """A chunk's plain lines, of which `first` is the number of the first."""
        self._flush()
        for kind, keys, lines in ((0, found.v4, found.v4_lines), (2, found.p4, found.p4_lines)):
            if len(keys):
                self._put(kind, keys, (lines + first).astype("u4"))

    def add(self, kind: int, key: int | bytes, line: int, seconds: int) -> None:
        """One more entry; `seconds` 0 is for good. The last word on an entry counts."""
        self._some[kind].append(key)
        self._some_lines[kind].append(line)
        if seconds:
            self._timeouts[kind][key] = seconds
        elif self._timeouts[kind]:
            self._timeouts[kind].pop(key, None)

    def _flush(self) -> None:
        for kind, some in enumerate(self._some):
            if some:
                self._put(kind, _array(kind, some), np.array(self._some_lines[kind], "u4"))
                some.clear()
                self._some_lines[kind].clear()

    def _put(self, kind: int, keys: Array, lines: Array) -> None:
        self._keys[kind].append(keys)
        self._lines[kind].append(lines)
        self.count += len(keys)

    def result(self, report: Report) -> tuple[Entries, dict[str, int]]:
        """The entries, each once and none inside another; their timeouts by spelling."""
        self._flush()
        report.read = self.count
        entries = _entries([self._unique(kind, report) for kind in range(4)])
        timed, timeouts = self._timed()
        return self._merged(entries, timed, report), timeouts

    def _timed(self) -> tuple[Entries, dict[str, int]]:
        kinds = [sorted(timeouts) for timeouts in self._timeouts]
        timed = _entries([_array(kind, keys) for kind, keys in enumerate(kinds)])
        # texts() goes v4, p4, v6, p6.
        seconds = [self._timeouts[kind][key] for kind in (0, 2, 1, 3) for key in kinds[kind]]
        return timed, dict(zip(timed.texts(), seconds, strict=True))

    def _unique(self, kind: int, report: Report) -> Array:
        empty = np.empty(0, _KINDS[kind])
        keys = np.concatenate([empty, *self._keys[kind]])
        found = arrays.once(keys)
        twice = len(keys) - len(found)
        if twice:
            report.duplicates += twice
            order = np.argsort(keys, kind="stable")
            again = np.flatnonzero(keys[order][1:] == keys[order][:-1]) + 1
            places = np.sort(order[again])[:MOST_KEPT]
            self._tell(report.duplicate_lines, kind, keys, places, "stands there already")
        return found

    def _merged(self, entries: Entries, timed: Entries, report: Report) -> Entries:
        """Without what a wider entry of the file covers, unless that one expires."""
        lasting = entries.difference(timed)
        kept, report.merged = lasting.covered()
        if not report.merged:
            return entries
        gone = lasting.difference(kept)
        for kind, keys in enumerate(arrays.all_keys(gone.v4, gone.v6, gone.p4, gone.p6)):
            if len(keys):
                every = np.concatenate(self._keys[kind])
                places = np.flatnonzero(np.isin(every, keys))[:MOST_KEPT]
                self._tell(report.merged_lines, kind, every, places, "lies in a wider entry")
        return kept.union(timed)

    def _tell(self, into: list[Odd], kind: int, keys: Array, places: Array, why: str) -> None:
        lines = np.concatenate(self._lines[kind])
        for place in places[: MOST_KEPT - len(into)]:
            into.append(Odd(int(lines[place]), _entry(kind, keys[place : place + 1]).text, why))
        into.sort(key=lambda odd: odd.line)


def _array(kind: int, keys: Sequence[Any]) -> Array:
    if kind & 1:
        return np.frombuffer(b"".join(keys), _KINDS[kind])
    return np.array(keys, _KINDS[kind])


def _entries(keys: Sequence[Array]) -> Entries:
    v4, v6, p4, p6 = keys
    return Entries(v4, arrays.from_keys16(v6), p4, arrays.from_keys17(p6))


def _entry(kind: int, keys: Array) -> AddressEntry:
    alone = _entries([keys if kind == k else np.empty(0, _KINDS[k]) for k in range(4)])
    return alone.part(0, 1)[0]


MOST_KEPT = 1000
"""How many of a kind of lines are listed; all are counted."""


@dataclass(frozen=True, slots=True)
class Odd:
    """One line that is worth telling of; lines count from 1."""

    line: int
    text: str
    reason: str


@dataclass(slots=True)
class Report:
    """What the lines were. `read` is entries, `lines` everything, comments too."""

    lines: int = 0
    read: int = 0
    duplicates: int = 0
    merged: int = 0
    """Entries that a wider one of the file covers, and which are therefore not kept."""
    rejected: int = 0
    rejected_lines: list[Odd] = field(default_factory=list)
    duplicate_lines: list[Odd] = field(default_factory=list)
    merged_lines: list[Odd] = field(default_factory=list)
