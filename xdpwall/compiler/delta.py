"""Change a generation in place when a few rules are deleted or inserted. Pure.

Positions have gaps, so that a new rule gets one between those of its neighbours; if there is none,
the rules up to the nearest gap move by one. Its bit is set in the rows that satisfy it. A new prefix
or port range first splits the classes that it covers in part.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import is_
from typing import NamedTuple, TypeVar

import numpy as np

from xdpwall import abi
from xdpwall.abi import Feature
from xdpwall.values.arrays import Array

from .columns import Columns, CompilerRule
from .compile import action_features, check_rated, policy_features, policy_of
from .generation import Generation

MAX_EDITED_RULES = 64
"""Rules deleted and inserted by one change. With more, compiling the ruleset is as fast."""


class Edit(NamedTuple):
    """Replace `gone` entries from index `at` on by `new`."""

    at: int
    gone: int
    new: Sequence[CompilerRule]


def apply_edit(generation: Generation, edit: Edit) -> bool:
    """Update the compiled generation in place, and `generation.touched` with what was written.

    False: the edit cannot be expressed as a delta; discard `generation` and compile the ruleset.
    The same applies after Full.
    """
    columns = Columns(edit.new)
    if not _can_apply(generation, edit, columns):
        return False
    for _ in range(edit.gone):
        position = generation.positions.pop(edit.at)
        del generation.entries[edit.at]
        generation.remove_rule(position)
        generation.deleted_rules += 1
        generation.shrunk = True
    if not edit.new:
        return generation.update_kernel_rows()
    for group in generation.groups:
        group.prepare(generation, columns)
    all_rules: list[Array] = []
    asked: list[tuple[Array, Array]] = []
    for group in generation.groups:
        if group.concerns(columns):
            asked.append((group.rows, group.satisfied(columns)))
        else:
            all_rules.append(group.rows)
    for n, entry in enumerate(edit.new):
        position = _make_room(generation, edit.at + n)
        generation.positions.insert(edit.at + n, position)
        generation.entries.insert(edit.at + n, entry)
        rows = np.concatenate([*all_rules, *(rows[satisfied[:, n]] for rows, satisfied in asked)])
        generation.add_rule(columns, n, position, rows)
    return generation.update_kernel_rows()


def _can_apply(generation: Generation, edit: Edit, columns: Columns) -> bool:
    """Whether the edit fits into the positions, features and classes that exist."""
    count = len(generation.entries) - edit.gone + len(edit.new)
    if (
        count > generation.capacity
        or len(edit.new) + edit.gone > MAX_EDITED_RULES
        or not generation.entries
    ):
        return False
    # The classes that only deleted rules needed take memory until the ruleset is compiled.
    if generation.deleted_rules > len(generation.entries) // 2 + abi.MIN_POSITIONS:
        return False
    if any(entry.match.rate is not None for entry in edit.new):
        check_rated([*generation.entries, *edit.new])
    # A field that no rule has named so far has no group.
    if action_features(edit.new) | field_features(columns) not in generation.features:
        return False
    return all(group.can_add(columns) for group in generation.groups if group.concerns(columns))


def used_features(generation: Generation) -> Feature:
    """The features that the rules of a generation use now, after deletions. TRIES, NEGATED_SET and
    TIMED_SET are kept as they are."""
    kept = generation.features & (Feature.TRIES | Feature.NEGATED_SET | Feature.TIMED_SET)
    kept |= policy_features(policy_of(int(generation.tables["policy"])))
    return action_features(generation.entries) | field_features(Columns(generation.entries)) | kept


def field_features(columns: Columns) -> Feature:
    """The features for the fields that rules name."""
    found = Feature(0)
    for names, feature in _FEATURES:
        if not columns.named_fields.isdisjoint(names):
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


def _make_room(generation: Generation, at: int) -> int:
    """Find or make a free position for an entry that will be inserted at index `at`."""
    low = generation.positions[at - 1] if at else -1
    high = generation.positions[at] if at < len(generation.positions) else generation.capacity
    if high - low > 1:
        # At an end, next to the neighbour: this leaves room for most rules.
        if not at:
            return high - 1
        return low + 1 if at == len(generation.positions) else (low + high) // 2
    taken = np.zeros(generation.capacity, dtype=bool)
    taken[generation.positions] = True
    after = np.flatnonzero(~taken[high:])
    before = np.flatnonzero(~taken[: low + 1])
    if after.size and (not before.size or int(after[0]) <= low - int(before[-1])):
        gap = high + int(after[0])
        _move(generation, at, at + gap - high, 1)
        generation.shift_rules(high, gap - 1, 1)
        return high
    gap = int(before[-1])
    _move(generation, at - (low - gap), at, -1)
    generation.shift_rules(gap + 1, low, -1)
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
    """Edits that, applied in turn, replace the items `gone` from index `at` on by `come`; `entries`
    converts items to insert. None when too many rules differ.

    Items are compared by identity. One that moved across others is deleted and inserted.
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
