"""One generation -> the next one, by what differs: a few rules go, a few come. Pure.

Positions have gaps, so that a rule that comes finds a place between its neighbours; where there is
none, those up to the next gap move by one. Its bit goes into the rows whose packets satisfy it; a
prefix or a range of ports that is new splits the classes that it cuts through.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import is_
from typing import NamedTuple, TypeVar

import numpy as np

from xdpwall import abi
from xdpwall.abi import Feature

from .columns import Columns, CompilerRule
from .compile import action_features
from .generation import Generation

MAX_EDITED_RULES = 64
"""Rules in one change, those that go and those that come; past it, compiling anew is as quick."""


class Edit(NamedTuple):
    """At place `at` of the entries, `gone` of them make way for `new`."""

    at: int
    gone: int
    new: Sequence[CompilerRule]


def apply_edit(generation: Generation, edit: Edit) -> bool:
    """Change `generation` in place; False when it has to be compiled anew, and `generation` is of no use then.

    What was written is in `generation.touched`.
    """
    columns = Columns(edit.new)
    if not _fits(generation, edit, columns):
        return False
    for _ in range(edit.gone):
        position = generation.positions.pop(edit.at)
        del generation.entries[edit.at]
        generation.clear(position)
        generation.stale += 1
        generation.shrunk = True
    if not edit.new:
        return generation.pack_touched()
    for group in generation.groups:
        group.prepare(generation, columns)
    every, some = [], []
    for group in generation.groups:
        if group.concerns(columns):
            some.append((group.rows, group.satisfied(columns)))
        else:
            every.append(group.rows)
    for n, entry in enumerate(edit.new):
        position = _place(generation, edit.at + n)
        generation.positions.insert(edit.at + n, position)
        generation.entries.insert(edit.at + n, entry)
        rows = np.concatenate([*every, *(rows[found[:, n]] for rows, found in some)])
        generation.place(columns, n, position, rows)
    return generation.pack_touched()


def _fits(generation: Generation, edit: Edit, columns: Columns) -> bool:
    count = len(generation.entries) - edit.gone + len(edit.new)
    if (
        count > generation.capacity
        or len(edit.new) + edit.gone > MAX_EDITED_RULES
        or not generation.entries
    ):
        return False
    # Classes that only rules which are gone told apart stay until then.
    if generation.stale > len(generation.entries) // 2 + abi.MIN_POSITIONS:
        return False
    # A field that no rule has named so far has no rows to join.
    if action_features(edit.new) | _named(columns) not in generation.features:
        return False
    return all(group.admits(columns) for group in generation.groups if group.concerns(columns))


def used_features(generation: Generation) -> Feature:
    """The features that the rules of a generation use by now."""
    kept = generation.features & (Feature.TRIES | Feature.NEGATED_SET | Feature.TIMED_SET)
    return action_features(generation.entries) | _named(Columns(generation.entries)) | kept


def _named(columns: Columns) -> Feature:
    """The fields that some rule names."""
    found = Feature(0)
    for names, feature in _FEATURES:
        if not columns.named.isdisjoint(names):
            found |= feature
    return found


_FEATURES = (
    (("iface", "egress", "vlan"), Feature.ATTACHMENT),
    (("length", "ttl"), Feature.SIZE),
    (("src",), Feature.SRC),
    (("dst",), Feature.DST),
    (("sport",), Feature.SPORT),
    (("dport",), Feature.DPORT),
    (("src_set",), Feature.SRC_SET),
    (("dst_set",), Feature.DST_SET),
)


def _place(generation: Generation, at: int) -> int:
    """A free position for the entry that will stand at `at`."""
    low = generation.positions[at - 1] if at else -1
    high = generation.positions[at] if at < len(generation.positions) else generation.capacity
    if high - low > 1:
        # At an end next to the neighbour, so that the room there is for as many as it can be.
        return (
            high - 1
            if not at
            else low + 1
            if at == len(generation.positions)
            else (low + high) // 2
        )
    taken = np.zeros(generation.capacity, dtype=bool)
    taken[generation.positions] = True
    after = np.flatnonzero(~taken[high:])
    before = np.flatnonzero(~taken[: low + 1])
    if after.size and (not before.size or int(after[0]) <= low - int(before[-1])):
        gap = high + int(after[0])
        _move(generation, at, at + gap - high, 1)
        generation.shift(high, gap - 1, 1)
        return high
    gap = int(before[-1])
    _move(generation, at - (low - gap), at, -1)
    generation.shift(gap + 1, low, -1)
    return low


def _move(generation: Generation, first: int, end: int, step: int) -> None:
    generation.positions[first:end] = [
        position + step for position in generation.positions[first:end]
    ]


_T = TypeVar("_T")


def plan_edits(
    at: int,
    gone: Sequence[_T],
    come: Sequence[_T],
    entries: Callable[[Sequence[_T]], Sequence[CompilerRule]],
) -> list[Edit] | None:
    """Edits, to be made one after the other, by which `gone` at place `at` of a list make way for
    `come`; `entries` makes what they insert. None when that would take many.

    A rule that is the same object stays the same.
    """
    if not gone and not come:
        return []
    if len(gone) + len(come) <= MAX_EDITED_RULES:
        return [Edit(at, len(gone), entries(come))]
    if len(gone) != len(come):
        return None
    end = at + len(gone) - 1
    if all(map(is_, gone[1:], come[:-1])):  # one rule moved down
        return [Edit(at, 1, ()), Edit(end, 0, entries(come[-1:]))]
    if all(map(is_, gone[:-1], come[1:])):
        return [Edit(end, 1, ()), Edit(at, 0, entries(come[:1]))]
    return None
