"""Batches: everything written is read back, in the caller's order, also past one system call."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from xdpwall.errors import Full, NotFound
from xdpwall.kernel.bpf.libbpf import cpus
from xdpwall.kernel.bpf.map_info import BPF_F_NO_PREALLOC, MapType
from xdpwall.kernel.bpf.maps import Map, create_map

COUNTS = np.dtype([("packets", "<u8"), ("bytes", "<u8")])


def u32(*numbers: int) -> bytes:
    return np.array(numbers, "<u4").tobytes()


def numbers_of(table: Map) -> dict[int, int]:
    """A map of u32 to u64 as a dictionary."""
    keys, values = table.lookup_batch()
    assert (keys.shape[1], values.shape[1]) == (4, 8)
    return dict(
        zip(keys.view("<u4").ravel().tolist(), values.view("<u8").ravel().tolist(), strict=True)
    )


@pytest.mark.parametrize("count", [0, 1, 1000, 70_000])
def test_a_hash_there_and_back(count: int) -> None:
    keys = np.arange(count, dtype="<u4")
    with create_map(MapType.HASH, "h", 4, 8, 100_000) as table:
        table.update_batch(keys, keys.astype("<u8") * 3, count)
        assert numbers_of(table) == {n: n * 3 for n in range(count)}


def test_an_array_there_and_back_as_bytes() -> None:
    with create_map(MapType.ARRAY, "a", 4, 8, 4) as table:
        table.update_batch(u32(3, 1), bytearray(np.array([33, 11], "<u8").tobytes()), 2)
        assert numbers_of(table) == {0: 0, 1: 11, 2: 0, 3: 33}


def test_a_trie_there_and_back() -> None:
    keys = np.zeros(5000, [("length", "<u4"), ("address", ">u4")])
    keys["length"], keys["address"] = 32, np.arange(5000)
    with create_map(MapType.LPM_TRIE, "t", 8, 4, 5000, BPF_F_NO_PREALLOC) as table:
        table.update_batch(keys, np.arange(5000, dtype="<u4"), 5000)
        found, values = table.lookup_batch()
        order = np.argsort(values.view("<u4").ravel())
        assert np.array_equal(found[order], keys.view(np.uint8).reshape(-1, 8))


def test_a_trie_that_changes_meanwhile() -> None:
    """Keys that stay are all read, and reading ends, while others come and go."""
    stays = np.zeros(2000, [("length", "<u4"), ("address", ">u4")])
    stays["length"], stays["address"] = 32, np.arange(2000) * 2
    stop = threading.Event()
    with create_map(MapType.LPM_TRIE, "t", 8, 4, 4000, BPF_F_NO_PREALLOC) as table:
        table.update_batch(stays, np.zeros(2000, "<u4"), 2000)

        def churn() -> None:
            while not stop.is_set():
                for number in range(1, 200, 2):
                    passing = u32(32) + number.to_bytes(4, "big")
                    table.update(passing, u32(1))
                    table.delete(passing)

        thread = threading.Thread(target=churn)
        thread.start()
        try:
            for _ in range(20):
                found, _ = table.lookup_batch()
                assert {row.tobytes() for row in stays} <= {row.tobytes() for row in found}
        finally:
            stop.set()
            thread.join()


def test_a_batch_that_does_not_fit_says_how_far_it_came() -> None:
    with create_map(MapType.HASH, "small", 4, 8, 3) as table:
        with pytest.raises(Full, match="map small is full") as caught:
            table.update_batch(u32(1, 2, 3, 4, 5), bytes(40), 5)
        assert "3 of 5 elements written" in (caught.value.detail or "")
        assert set(numbers_of(table)) == {1, 2, 3}


def test_an_index_too_many() -> None:
    with create_map(MapType.ARRAY, "a", 4, 8, 2) as table, pytest.raises(NotFound):
        table.update_batch(u32(1, 2), bytes(16), 2)


def test_buffers_of_a_wrong_size_are_refused() -> None:
    with create_map(MapType.HASH, "h", 4, 8, 3) as table:
        with pytest.raises(ValueError, match="keys: 4 bytes, not 8"):
            table.update_batch(u32(1), bytes(16), 2)
        with pytest.raises(ValueError, match="values: 8 bytes, not 16"):
            table.update_batch(u32(1, 2), bytes(8), 2)
        with pytest.raises(ValueError, match="keys: 4 bytes, not 8"):
            table.delete_batch(u32(1), 2)
        assert numbers_of(table) == {}


def test_a_slice_with_gaps_is_made_contiguous() -> None:
    pairs = np.array([[1, 9], [2, 9]], "<u4")
    with create_map(MapType.HASH, "h", 4, 8, 3) as table:
        table.update_batch(pairs[:, 0], np.array([[1, 0], [2, 0]], "<u8")[:, 0], 2)
        assert numbers_of(table) == {1: 1, 2: 2}


@pytest.mark.parametrize(
    ("gone", "deleted"),
    [
        ((), 0),
        ((0, 1, 2, 3), 4),
        ((9, 0, 9, 9, 1, 9), 2),
        ((9, 9), 0),
        ((0, 0), 1),
    ],
)
def test_deleting_skips_what_is_not_there(gone: tuple[int, ...], deleted: int) -> None:
    with create_map(MapType.HASH, "h", 4, 8, 4) as table:
        table.update_batch(u32(0, 1, 2, 3), bytes(32), 4)
        assert table.delete_batch(u32(*gone), len(gone)) == deleted
        assert set(numbers_of(table)) == {0, 1, 2, 3} - set(gone)


def filled(entries: int, value_size: int = 16) -> Map:
    """A per-CPU array whose element i on CPU c holds (1000 i + c, i) where it has 16 bytes."""
    table = create_map(MapType.PERCPU_ARRAY, "p", 4, value_size, entries)
    values = np.zeros((entries, cpus(), table.stride // 8), "<u8")
    values[:, :, 0] = np.arange(entries)[:, None] * 1000 + np.arange(cpus())
    values[:, :, 1:] = np.arange(entries)[:, None, None]
    table.update_batch(np.arange(entries, dtype="<u4"), values, entries)
    return table


@pytest.mark.parametrize(
    "wanted",
    [
        [],
        [0],
        [20479],
        [5, 3, 4],
        [7, 7, 0],
        [20000, 1, 10_000, 2, 20_001],
        range(20480),
        range(100, 40, -7),
    ],
    ids=str,
)
def test_per_cpu_elements_in_the_order_asked_for(wanted: list[int] | range) -> None:
    with filled(20480) as table:
        found = table.read_percpu(wanted)
    assert found.shape == (len(wanted), cpus(), 16)
    assert found.dtype == np.uint8
    counts = found.view(COUNTS)[:, :, 0]
    for cpu in range(cpus()):
        assert counts["packets"][:, cpu].tolist() == [n * 1000 + cpu for n in wanted]
        assert counts["bytes"][:, cpu].tolist() == list(wanted)


def test_per_cpu_values_are_cut_to_their_size() -> None:
    with filled(3, 12) as table:
        found = table.read_percpu(np.array([2]))
        assert found.shape == (1, cpus(), 12)
        assert found[0, 0].tobytes() == (2000).to_bytes(8, "little") + (2).to_bytes(4, "little")


@pytest.mark.parametrize("wanted", [[-1], [3], [0, 4]])
def test_per_cpu_indices_that_do_not_exist(wanted: list[int]) -> None:
    with filled(3) as table, pytest.raises(IndexError, match="indices 0 to 2"):
        table.read_percpu(wanted)
