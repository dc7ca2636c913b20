"""Parses lines of exactly one IPv4 address or prefix, many at a time. Pure numpy.

A million lines take about a tenth of a second. Other lines are left to address_line.py, which
parses one at a time and has the error messages.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from xdpwall.values.arrays import Array

_DOT, _SLASH, _NEWLINE, _ZERO, _NINE = 46, 47, 10, 48, 57
_SMALLEST = np.array([256, 0, 10, 100], "u2")
"""The smallest number with so many digits: for 0 digits too large, so that it is refused."""


@dataclass(frozen=True, slots=True)
class Ipv4Lines:
    """The parsed entries as keys, each with its line, and the other lines; lines count from 0."""

    v4: Array
    v4_lines: Array
    p4: Array
    p4_lines: Array
    other_lines: Array
    """Lines for address_line.py."""
    ends: Array
    """The offset of each line's newline."""


def parse_ipv4_lines(text: bytes) -> Ipv4Lines:
    """Parse whole lines: text that ends in a newline."""
    data = np.frombuffer(text, "u1")
    marks = np.flatnonzero(data < _ZERO)
    kinds = data[marks]
    last = np.flatnonzero(kinds == _NEWLINE)
    ends = marks[last]
    count = np.diff(last, prepend=-1)
    count[np.maximum.reduceat(data, np.append(0, ends[:-1] + 1)) > _NINE] = 0
    numbers, wrong = _numbers(data, marks)
    # Between the numbers of an address only a dot may stand.
    wrong_before = wrong | (kinds != _DOT)
    v4_lines = np.flatnonzero(count == 4)
    at = last[v4_lines]
    v4_lines, at = _filter(~(wrong[at] | _any_of_three(wrong_before, at)), v4_lines, at)
    p4_lines = np.flatnonzero(count == 5)
    at5 = last[p4_lines]
    bad = (
        wrong[at5]
        | wrong[at5 - 1]
        | (kinds[at5 - 1] != _SLASH)
        | _any_of_three(wrong_before, at5 - 1)
    )
    p4_lines, at5 = _filter(~bad & (numbers[at5] <= 32), p4_lines, at5)
    p4, length = _addresses(numbers, at5 - 1).astype("<u8"), numbers[at5].astype("<u8")
    host = (np.uint64(1) << (np.uint64(32) - length)) - np.uint64(1)
    clean, whole = p4 & host == 0, length == 32
    p4_lines, rows, singles = p4_lines[clean], (p4 << 8 | length)[clean & ~whole], p4[whole]
    v4 = np.concatenate([_addresses(numbers, at), singles.astype("<u4")])
    whole = whole[clean]
    left = np.ones(len(ends), bool)
    left[v4_lines] = False
    left[p4_lines] = False
    return Ipv4Lines(
        v4=v4,
        v4_lines=np.concatenate([v4_lines, p4_lines[whole]]),
        p4=rows,
        p4_lines=p4_lines[~whole],
        other_lines=np.flatnonzero(left),
        ends=ends,
    )


def _numbers(data: Array, marks: Array) -> tuple[Array, Array]:
    """The number before each mark, and whether it is not one from 0 to 255 without leading zeros."""
    digits = np.diff(marks, prepend=-1) - 1
    found = (_before(data, marks, 1) - _ZERO).astype("u2")
    found += (_before(data, marks, 2) - _ZERO) * ((digits > 1) * np.uint16(10))
    found += (_before(data, marks, 3) - _ZERO) * ((digits > 2) * np.uint16(100))
    wrong: Array = (found > 255) | (found < _SMALLEST[np.minimum(digits, 3)]) | (digits > 3)
    return found, wrong


def _before(data: Array, marks: Array, count: int) -> Array:
    """The byte so many places before each mark; where the text has not begun there, any byte."""
    found: Array = data.take(marks - count, mode="clip")
    return found


def _any_of_three(wrong: Array, at: Array) -> Array:
    found: Array = wrong[at - 1] | wrong[at - 2] | wrong[at - 3]
    return found


def _filter(chosen: Array, *arrays: Array) -> tuple[Array, ...]:
    return arrays if chosen.all() else tuple(array[chosen] for array in arrays)


def _addresses(numbers: Array, at: Array) -> Array:
    """The addresses whose fourth number ends at these marks, (n,) u4."""
    wide = numbers.astype("<u4")
    joined: Array = wide[at - 3] << 24 | wide[at - 2] << 16 | wide[at - 1] << 8 | wide[at]
    return joined
