"""IndexSet against a set, and put(), which writes the elements that one names."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest

from xdpwall.abi import LEAVES, LEAVES4, ROW
from xdpwall.compiler.arrays import IndexSet
from xdpwall.dataplane.map_set import as_integers, write_elements


def test_index_set_equals_a_set() -> None:
    chance, marks, known = random.Random(1), IndexSet(), set[int]()
    for _ in range(200):
        some = [chance.randrange(3000) for _ in range(chance.randrange(4))]
        marks.update(np.array(some, dtype=np.int64) if chance.random() < 0.5 else some)
        one = chance.randrange(3000)
        marks.add(one)
        known |= {one, *some}
        assert set(marks) == known and len(marks) == len(known)
        assert marks.numbers().tolist() == sorted(known)
        assert (one in marks, 4000 in marks, 7 in marks) == (True, False, 7 in known)


@pytest.mark.parametrize("dtype", [ROW, LEAVES4])
def test_put_nothing(dtype: Any) -> None:
    there = np.zeros(3, dtype=dtype)
    write_elements(there, there[:0], IndexSet())
    assert as_integers(there[:0]).shape == (0, dtype.itemsize // 8)


def test_union() -> None:
    few, many = IndexSet(), IndexSet()
    few.update([1, 70])
    many.update(range(60, 200))
    assert set(few.union(many)) == set(many.union(few)) == {1, *range(60, 200)}
    assert set(few) == {1, 70} and not IndexSet().union(IndexSet())


@pytest.mark.parametrize("dtype", [ROW, LEAVES, LEAVES4, np.dtype(("<u8", 3)), np.dtype("<u4")])
@pytest.mark.parametrize("numbers", [[], [0], [5, 90], range(40, 80), range(1, 100, 2)])
def test_put(dtype: Any, numbers: list[int]) -> None:
    """The named elements are written. Others either stay or get the values that `new` has there."""
    new = np.frombuffer(random.Random(2).randbytes(100 * dtype.itemsize), dtype=dtype)
    there = np.zeros_like(new)
    marks = IndexSet()
    marks.update(numbers)
    write_elements(there, new, marks)
    for at, (was, now) in enumerate(zip(there, new, strict=True)):
        if at in marks:
            assert was.tobytes() == now.tobytes()
        else:
            assert was.tobytes() in (now.tobytes(), bytes(len(now.tobytes())))
