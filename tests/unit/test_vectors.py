"""Classes and prefixes, against doing it value by value."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from xdpwall.match import Prefix
from xdpwall.vectors import Field, Prefixes, classes_of, sweep

SIZE = 40


@st.composite
def terms(draw: st.DrawFn) -> list[tuple[int, bool, tuple[tuple[int, int], ...]]]:
    answer = []
    for i in range(draw(st.integers(0, 6))):
        values = sorted(draw(st.sets(st.integers(0, SIZE - 1), min_size=1)))
        ranges: list[tuple[int, int]] = []
        for value in values:
            if ranges and ranges[-1][1] == value - 1:
                ranges[-1] = (ranges[-1][0], value)
            else:
                ranges.append((value, value))
        answer.append((1 << i, draw(st.booleans()), tuple(ranges)))
    return answer


@given(terms(), st.integers(0, 3))
def test_sweep(given_terms: list[tuple[int, bool, tuple[tuple[int, int], ...]]], free: int) -> None:
    free <<= 8
    table, vectors = sweep(free, given_terms, SIZE)
    assert len(set(vectors)) == len(vectors)
    for value in range(SIZE):
        wanted = free
        for bit, negated, ranges in given_terms:
            if any(low <= value <= high for low, high in ranges) != negated:
                wanted |= bit
        assert vectors[table[value]] == wanted


@st.composite
def prefixes(draw: st.DrawFn) -> tuple[int, bool, Prefix]:
    length = draw(st.integers(0, 32))
    # Few bits vary, so that prefixes overlap.
    address = draw(st.sampled_from([0x0A000000, 0x0A010203, 0x0A0102FF, 0xFFFFFFFF, 0]))
    mask = (0xFFFFFFFF << (32 - length)) & 0xFFFFFFFF
    return draw(st.integers(0, 5)), draw(st.booleans()), Prefix(4, address & mask, length)


@given(st.lists(prefixes(), max_size=8, unique_by=lambda p: p[0]))
def test_prefixes(rules: list[tuple[int, bool, Prefix]]) -> None:
    found, outside = Prefixes(), 0
    for i, negated, prefix in rules:
        found.add(prefix, 1 << i, negated)
        outside |= (1 << i) if negated else 0
    placed = found.vectors(outside, 32)
    for address in (0x0A000000, 0x0A010203, 0x0A010204, 0x0A0102FF, 0x0A010300, 0, 1, 0xFFFFFFFF):
        wanted = 0
        for i, negated, p in rules:
            inside = address >> (32 - p.length) == p.address >> (32 - p.length)
            wanted |= (1 << i) if inside != negated else 0
        best = max(
            (p.length, v)
            for p, v in [(Prefix(4, 0, -1), outside), *placed]
            if p.length < 0 or address >> (32 - p.length) == p.address >> (32 - p.length)
        )
        assert best[1] == wanted


def test_unreadable_counts_as_matching_for_drop_only() -> None:
    field = Field(everything=0b1111, drops=0b0101, users=0b0011)
    assert field.free == 0b1100
    assert field.hidden == 0b1101


def test_classes_of() -> None:
    table, vectors = classes_of([5, 5, 0, 7, 5])
    assert table.tolist() == [0, 0, 1, 2, 0]
    assert vectors == [5, 0, 7]
