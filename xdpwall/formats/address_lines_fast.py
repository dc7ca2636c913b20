"""Lines that hold one IPv4 address or prefix and nothing else, many at a time. Pure numpy.

A million lines take about a tenth of a second; whatever is not such a line is left to address_line.py,
which takes one at a time and knows what to say about it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from xdpwall.values.arrays import Array

_DOT, _SLASH, _NEWLINE, _ZERO, _NINE = 46, 47, 10, 48, 57
_LEAST = np.array([256, 0, 10, 100], "u2")
"""The smallest number that is written with so many digits; one of no digits is none."""


@dataclass(frozen=True, slots=True)
class PlainLines:
    """What the plain lines held, and which lines are left; lines count from 0."""

    v4: Array
    v4_lines: Array
    p4: Array
    p4_lines: Array
    rest: Array
    """Lines for address_line.py."""
    ends: Array
    """Where each line's newline is."""


def plain_lines(text: bytes) -> PlainLines:
    """Of whole lines, that is text ending in a newline."""
    data = np.frombuffer(text, "u1")
    marks = np.flatnonzero(data < _ZERO)
    kinds = data[marks]
    last = np.flatnonzero(kinds == _NEWLINE)
    ends = marks[last]
    count = np.diff(last, prepend=-1)
    count[np.maximum.reduceat(data, np.append(0, ends[:-1] + 1)) > _NINE] = 0
    numbers, wrong = _numbers(data, marks)
    # Of the marks that end a number, only a dot may stand before another number of an address.
    wrong_before = wrong | (kinds != _DOT)
    v4_lines = np.flatnonzero(count == 4)
    at = last[v4_lines]
    v4_lines, at = _where(~(wrong[at] | _three(wrong_before, at)), v4_lines, at)
    p4_lines = np.flatnonzero(count == 5)
    at5 = last[p4_lines]
    bad = wrong[at5] | wrong[at5 - 1] | (kinds[at5 - 1] != _SLASH) | _three(wrong_before, at5 - 1)
    p4_lines, at5 = _where(~bad & (numbers[at5] <= 32), p4_lines, at5)
    p4, length = _joined(numbers, at5 - 1).astype("<u8"), numbers[at5].astype("<u8")
    host = (np.uint64(1) << (np.uint64(32) - length)) - np.uint64(1)
    clean, whole = p4 & host == 0, length == 32
    p4_lines, rows, singles = p4_lines[clean], (p4 << 8 | length)[clean & ~whole], p4[whole]
    v4 = np.concatenate([_joined(numbers, at), singles.astype("<u4")])
    whole = whole[clean]
    left = np.ones(len(ends), bool)
    left[v4_lines] = False
    left[p4_lines] = False
    return PlainLines(
        v4=v4,
        v4_lines=np.concatenate([v4_lines, p4_lines[whole]]),
        p4=rows,
        p4_lines=p4_lines[~whole],
        rest=np.flatnonzero(left),
        ends=ends,
    )


def _numbers(data: Array, marks: Array) -> tuple[Array, Array]:
    """The number before each mark, and where that is none of 0 to 255 in its shortest form."""
    digits = np.diff(marks, prepend=-1) - 1
    found = (data[marks - 1] - _ZERO).astype("u2")
    found += (data[marks - 2] - _ZERO) * ((digits > 1) * np.uint16(10))
    found += (data[marks - 3] - _ZERO) * ((digits > 2) * np.uint16(100))
    wrong: Array = (found > 255) | (found < _LEAST[np.minimum(digits, 3)]) | (digits > 3)
    return found, wrong


def _three(wrong: Array, at: Array) -> Array:
    found: Array = wrong[at - 1] | wrong[at - 2] | wrong[at - 3]
    return found


def _where(chosen: Array, *arrays: Array) -> tuple[Array, ...]:
    return arrays if chosen.all() else tuple(array[chosen] for array in arrays)


def _joined(numbers: Array, at: Array) -> Array:
    """The addresses whose fourth number ends at these marks."""
    wide = numbers.astype("<u4")
    joined: Array = wide[at - 3] << 24 | wide[at - 2] << 16 | wide[at - 1] << 8 | wide[at]
    return joined
