"""Sort keys with gaps."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from xdpwall.ruleset.order import RANK_GAP, assign_ranks, longest_increasing


def test_longest_increasing_finds_one_of_the_longest() -> None:
    values = [5, 1, 2, 9, 3, 4]
    found = longest_increasing(values)
    assert [values[i] for i in found] == [1, 2, 3, 4]


def test_appending_and_prepending_keep_all_former_ranks() -> None:
    assert assign_ranks([None, 10, 20, None])[1:3] == [10, 20]


def test_an_insert_into_a_used_up_gap_gives_all_ranks_anew() -> None:
    assert assign_ranks([1, None, 2]) == [RANK_GAP, 2 * RANK_GAP, 3 * RANK_GAP]


def test_a_move_changes_one_rank() -> None:
    order = [40, 10, 20, 30]
    assert assign_ranks(order)[1:] == [10, 20, 30]


RANKS = st.lists(st.integers(-(2**40), 2**40), unique=True, max_size=40)
GAPS = st.lists(st.integers(0, 40), max_size=20)


@given(RANKS, GAPS)
def test_ranks_always_increase(former: list[int], gaps: list[int]) -> None:
    old: list[int | None] = [*former]
    for gap in gaps:
        old.insert(gap, None)
    result = assign_ranks(old)
    assert all(a < b for a, b in pairwise(result))
