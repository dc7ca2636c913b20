"""Find a frame that is in one box and in none of others, or prove that there is none. Pure.

Such questions are NP-hard in general (the union of boxes), and easy for rulesets as people write
them. In each field only those values count that the fewest of the other boxes accept: of two values,
one of which all boxes accept that accept the other, the worse one can be left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .dimension import Dimension, Spans
from .space import Space

MOST_STEPS = 20_000
"""Combinations that one search tries before it gives up."""
MOST_BOXES = 4_000
"""Boxes that a thorough search takes on."""

Choice = tuple[int, ...]
"""A class of each dimension of a space: a frame."""


class GaveUp(Exception):
    """The search would take too long."""


@dataclass(slots=True)
class _Budget:
    steps: int = MOST_STEPS


def find_frame(space: Space, box: Sequence[Spans], avoid: int) -> Choice | None:
    """A frame in `box` that no rule of `avoid` (bits) matches; None when they cover it. Raises GaveUp."""
    if not all(box):
        return None
    dimensions = space.dimensions
    choice = [d.least_accepted(spans) for d, spans in zip(dimensions, box, strict=True)]
    left = avoid
    for dimension, number in zip(dimensions, choice, strict=True):
        left &= dimension.row(number)
    if not left:
        return tuple(choice)
    return _find_thoroughly(space, box, avoid)


def _find_thoroughly(space: Space, box: Sequence[Spans], avoid: int) -> Choice | None:
    boxes = bits_of(avoid)
    if len(boxes) > MOST_BOXES:
        raise GaveUp
    options = [
        _options(dimension, spans, boxes, avoid)
        for dimension, spans in zip(space.dimensions, box, strict=True)
    ]
    return _search(options, avoid, _Budget())


def _options(
    dimension: Dimension, spans: Spans, boxes: Sequence[int], avoid: int
) -> dict[int, int]:
    """What the boxes can be made to say: their bits that stay, and a class that leaves just these.
    Another choice than the first of a run only differs where one of the boxes begins or has ended."""
    candidates = {first for first, _ in spans}
    for rule in boxes:
        for first, last in dimension.accepted(rule):
            candidates.add(first)
            candidates.add(last + 1)
    found: dict[int, int] = {}
    for number in candidates:
        if any(first <= number <= last for first, last in spans):
            found.setdefault(dimension.row(number) & avoid, number)
    return _least(found)


def _least(options: dict[int, int]) -> dict[int, int]:
    """Those that are not worse than another: no other leaves a part of the same boxes."""
    kept: dict[int, int] = {}
    for bits in sorted(options, key=int.bit_count):
        if not any(other & bits == other for other in kept):
            kept[bits] = options[bits]
    return kept


def _search(options: list[dict[int, int]], avoid: int, budget: _Budget) -> Choice | None:
    budget.steps -= 1
    if budget.steps < 0:
        raise GaveUp
    chosen: list[int | None] = [None] * len(options)
    open_fields = dict(enumerate(options))
    while True:
        for field, some in list(open_fields.items()):
            narrowed: dict[int, int] = {}
            for bits, number in some.items():
                narrowed.setdefault(bits & avoid, number)
            open_fields[field] = _least(narrowed) if len(narrowed) > 1 else narrowed
        forced = [field for field, some in open_fields.items() if len(some) == 1]
        before = avoid
        for field in forced:
            ((bits, chosen[field]),) = open_fields.pop(field).items()
            avoid &= bits
        if not avoid:
            for field, some in open_fields.items():
                chosen[field] = next(iter(some.values()))
            return tuple(number for number in chosen if number is not None)
        if not open_fields:
            return None
        if not forced or avoid == before:
            break
    stays = avoid
    for some in open_fields.values():
        everywhere = avoid
        for bits in some:
            everywhere &= bits
        stays &= everywhere
    if stays:
        return None  # a box that no choice leaves
    field = min(open_fields, key=lambda one: len(open_fields[one]))
    branch = open_fields.pop(field)
    rest = list(open_fields)
    for bits, number in branch.items():
        deeper = _search([open_fields[one] for one in rest], avoid & bits, budget)
        if deeper is not None:
            chosen[field] = number
            for one, found in zip(rest, deeper, strict=True):
                chosen[one] = found
            return tuple(number for number in chosen if number is not None)
    return None


def with_usual_values(space: Space, box: Sequence[Spans], avoid: int, choice: Choice) -> Choice:
    """The same answer with the usual value in each field where that is an answer too."""
    rows = [d.row(number) for d, number in zip(space.dimensions, choice, strict=True)]
    found = list(choice)
    for at, (dimension, spans) in enumerate(zip(space.dimensions, box, strict=True)):
        number = dimension.usual_class
        if not any(first <= number <= last for first, last in spans):
            continue
        left = avoid & dimension.row(number)
        for other, row in enumerate(rows):
            if other != at:
                left &= row
        if not left:
            found[at], rows[at] = number, dimension.row(number)
    return tuple(found)


def bits_of(number: int) -> list[int]:
    """The positions of the bits that are set, in order."""
    found = []
    while number:
        low = number & -number
        found.append(low.bit_length() - 1)
        number ^= low
    return found
