"""Sums over CPUs: the same whether elements are read one by one or all by one call."""

from __future__ import annotations

import numpy as np
import pytest

from xdpwall.dataplane.percpu_counters import sum_percpu
from xdpwall.kernel.bpf.libbpf import cpus
from xdpwall.kernel.bpf.map_info import MapType
from xdpwall.kernel.bpf.maps import create_map


@pytest.mark.parametrize("wanted", [[], [3], [5, 0, 5], list(range(63, 40, -1)), list(range(64))])
def test_sums_of_few_and_of_many(wanted: list[int]) -> None:
    mine = np.arange(64 * cpus() * 3, dtype="<u8").reshape(64, cpus(), 3) << np.uint64(40)
    with create_map(MapType.PERCPU_ARRAY, "p", 4, 24, 64) as table:
        for index, values in enumerate(mine):
            table.update(index, values.tobytes())
        found = sum_percpu(table, wanted)
        assert (found.dtype, found.shape) == (np.dtype("<u8"), (len(wanted), 3))
        assert found.tolist() == mine.sum(axis=1)[wanted].tolist()


@pytest.mark.parametrize("wanted", [[64], list(range(50, 70))])
def test_what_is_not_there_is_refused(wanted: list[int]) -> None:
    with create_map(MapType.PERCPU_ARRAY, "p", 4, 16, 64) as table:
        found = pytest.raises(IndexError, sum_percpu, table, wanted)
    assert "indices 0 to 63" in str(found.value)
