"""What the maps of sets hold after any changes, against a model that goes through all entries."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.kernel.set_maps import Tables, make_maps
from xdpwall.sets.change import EntryChange
from xdpwall.sets.entries import AddressEntry

NOW = 1000
ENDS = (0, 0, 0, 500, 1500, 2000, 2500)


@pytest.fixture
def tables() -> Iterator[Tables]:
    with Tables(make_maps()) as made:
        yield made


def entries() -> st.SearchStrategy[AddressEntry]:
    """Few different ones, so that they nest and meet: bits only at both ends of the address."""

    def made(family: int, high: int, low: int, length: int) -> AddressEntry:
        bits = 32 if family == 4 else 128
        length = bits if length > 12 else bits - length if length > 8 else length * 4
        address = high << (bits - 4) | low
        return AddressEntry(
            4 if family == 4 else 6, address >> (bits - length) << (bits - length), length
        )

    number = st.integers
    return st.builds(made, st.sampled_from([4, 6]), number(0, 3), number(0, 7), number(0, 16))


def changes() -> st.SearchStrategy[list[EntryChange]]:
    expires = st.sampled_from([None, None, *ENDS])
    one = st.builds(EntryChange, st.integers(1, 3), entries(), expires)
    return st.lists(one, min_size=1, max_size=6)


def loads() -> st.SearchStrategy[tuple[int, dict[AddressEntry, int]]]:
    held = st.dictionaries(entries(), st.sampled_from(ENDS), max_size=20)
    return st.tuples(st.integers(1, 3), held)


def check(tables: Tables, probes: list[AddressEntry]) -> None:
    contents = [entry for held in tables.contents.values() for entry in held]
    for entry in {*probes, *contents}:
        bits = 32 if entry.family == 4 else 128
        first = entry.address
        last = first | ((1 << (bits - entry.length)) - 1)
        for address in {first, last, first ^ 1, (last + 1) % (1 << bits)}:
            probe = AddressEntry(entry.family, address, bits)
            for now in (0, NOW, 1750, 9999):
                assert tables.seen(probe, now) == tables.expected(probe, now), (probe.text, now)
    held = {(entry.family, entry.exact, entry) for entry in contents}
    wanted = {
        kind: sum((f, e) == what for f, e, _ in held)
        for kind, what in {
            "v4": (4, True),
            "v6": (6, True),
            "p4": (4, False),
            "p6": (6, False),
        }.items()
    }
    assert tables.sizes() == wanted


def current(tables: Tables, number: int) -> int:
    """A set's number now: a whole load gives it the other one."""
    return number + 10 if number + 10 in tables.contents else number


STEPS_OF_A_STORY = st.lists(st.one_of(changes(), loads(), st.just("expire")), max_size=8)


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(story=STEPS_OF_A_STORY, probes=st.lists(entries(), max_size=3))
def test_any_story(story: list[object], probes: list[AddressEntry]) -> None:
    with Tables(make_maps()) as tables:
        for step in story:
            if step == "expire":
                over = [
                    EntryChange(number, entry, None)
                    for number, held in tables.contents.items()
                    for entry, ends in held.items()
                    if 0 < ends <= NOW
                ]
                tables.change(over)
                tables.classes.retire(tables.classes.expired(NOW))
            elif isinstance(step, tuple):
                number, held = step
                old = current(tables, number)
                tables.load(2 * number + 10 - old, held)
                tables.sweep(old)
            else:
                assert isinstance(step, list)
                tables.change(c._replace(number=current(tables, c.number)) for c in step)
        check(tables, probes)
        for number in list(tables.contents):
            tables.sweep(number)
        assert set(tables.sizes().values()) == {0}
