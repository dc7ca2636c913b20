"""A word of a map by compare-and-exchange: alone, and while another process writes it too."""

from __future__ import annotations

import multiprocessing
import sys
from collections.abc import Callable

import pytest

from xdpwall.errors import Failed
from xdpwall.kernel.bpf.map_info import BPF_F_MMAPABLE, MapType
from xdpwall.kernel.bpf.map_word import MapWord
from xdpwall.kernel.bpf.maps import Map, create_map

TURNS = 20_000
BIT, STEP = 2, 1 << 8


@pytest.fixture
def table() -> Map:
    return create_map(MapType.ARRAY, "words", 4, 8, 2, BPF_F_MMAPABLE)


def read(table: Map, index: int = 0) -> int:
    return int.from_bytes(table.lookup(index) or b"", sys.byteorder)


def test_a_word_is_exchanged_where_it_is_as_expected(table: Map) -> None:
    with MapWord(table) as word, MapWord(table, 1) as other:
        assert word.compare_exchange(0, 5) == 0
        assert word.compare_exchange(0, 6) == 5
        assert (read(table), read(table, 1)) == (5, 0)
        assert word.compare_exchange(5, 2**64 - 1) == 5
        assert other.compare_exchange(0, 1 << 63) == 0
        assert (read(table), read(table, 1)) == (2**64 - 1, 1 << 63)
        assert word.update(7, lambda now: now - 1) == 2**64 - 1  # seen too early: once more
        assert read(table) == 2**64 - 2
    assert word.compare_exchange(2**64 - 2, 0) == 2**64 - 2  # loaded anew after close()


@pytest.mark.parametrize(("size", "index"), [(4, 0), (16, 0), (8, 2), (8, -1)])
def test_another_kind_of_element_is_refused(size: int, index: int) -> None:
    with create_map(MapType.ARRAY, "words", 4, size, 2) as table, pytest.raises(ValueError):
        MapWord(table, index)


def test_a_closed_map_is_an_error(table: Map) -> None:
    word = MapWord(table)
    table.close()
    with pytest.raises(Failed):
        word.compare_exchange(0, 1)


def test_two_processes_lose_none_of_their_changes(table: Map) -> None:
    """One counts in the upper part, one changes a bit of the lower, as a revision and the switch."""
    changes: list[Callable[[int], int]] = [lambda now: now + STEP, lambda now: now ^ BIT]
    context = multiprocessing.get_context("fork")  # the map's descriptor is theirs too
    begin, lost = context.Barrier(2), context.Value("i", 0)

    def hammer(change: Callable[[int], int]) -> None:
        begin.wait()
        for _ in range(TURNS + 1):
            before = word.update(read(table), change)
            # What the other does not touch is as this one left it.
            mine = BIT if change(0) == BIT else ~BIT
            if (change(before) ^ read(table)) & mine:
                lost.value += 1

    word = MapWord(table)
    there = [context.Process(target=hammer, args=(change,)) for change in changes]
    for process in there:
        process.start()
    for process in there:
        process.join()
    assert [process.exitcode for process in there] == [0, 0]
    assert lost.value == 0
    assert read(table) == (TURNS + 1) * STEP | BIT
