"""The benchmark's arithmetic: what is timed when, and what is compared with what."""

from __future__ import annotations

import pytest

from bench.packets.rounds import (
    DROP,
    OURS,
    PARSE,
    Cell,
    beside,
    dearest,
    floor,
    held_against,
    over,
    own_floor,
    ratio,
    run,
)

LAST = Cell(OURS, "xdp", "ipv4", "hosts", 10, "last")
MISS = Cell(OURS, "xdp", "ipv4", "hosts", 10, "none")


def test_every_cell_once_a_round_and_every_other_round_backwards() -> None:
    order: list[str] = []

    def clock(name: str, value: int) -> int:
        order.append(name)
        return value

    heard: list[int] = []
    times = run(
        {LAST: lambda: clock("last", 80), MISS: lambda: clock("miss", 70)}, 3, each=heard.append
    )
    assert times == {LAST: [80] * 3, MISS: [70] * 3}
    assert order == ["last", "miss", "miss", "last", "last", "miss"]
    assert heard == [0, 1, 2]


def test_a_floor_is_timed_right_before_and_after_what_is_held_against_it() -> None:
    order: list[str] = []
    slow = iter([10, 30, 50, 70, 90, 110])

    def clock(name: str, value: float) -> float:
        order.append(name)
        return value

    own = own_floor(LAST)
    times = run(
        {
            own: lambda: clock("own", next(slow)),
            LAST: lambda: clock("last", 80),
            MISS: lambda: clock("miss", 70),
        },
        1,
    )
    # Once for itself; what stands between two cells is beside both.
    assert order == ["own", "own", "last", "own", "miss", "own"]
    assert times[own] == [10]
    assert beside(times, LAST, own) == [40]
    assert beside(times, MISS, own) == [60]
    assert ratio(times, LAST, own) == 2
    assert over(times, MISS, own) == 10


def test_ratios_and_differences_are_taken_within_rounds() -> None:
    # The second round was slow for both; the third only for the numerator.
    times = {LAST: [80, 160, 300], MISS: [20, 40, 20]}
    assert ratio(times, LAST, MISS) == 4.0
    assert over(times, LAST, MISS) == 120


def test_rounds_must_pair_up() -> None:
    with pytest.raises(ValueError):
        ratio({LAST: [80], MISS: [20, 20]}, LAST, MISS)


def test_each_aim_has_what_it_compares_timed_beside_it() -> None:
    six = Cell(OURS, "xdp", "ipv6", "acl", 10_000, "random")
    assert Cell(OURS, "xdp", "ipv4", "acl", 10_000, "random") in held_against(six)
    tc = Cell(OURS, "tc", "ipv4", "acl", 10_000, "random")
    assert {own_floor(tc), floor(tc, DROP), floor(tc, PARSE)} == {*held_against(tc)}
    wire = Cell(OURS, "tc", "ipv4", "acl", 10_000, "random", "wire")
    assert held_against(wire) == (floor(wire, DROP), floor(wire, DROP, "xdp"))


def test_the_dearest_is_by_median_and_leaves_out_what_was_not_measured() -> None:
    times = {LAST: [80, 81, 500], MISS: [90, 91, 92]}
    assert dearest(times, [LAST, MISS, Cell(OURS, "tc", "ipv4", "hosts", 10, "last")]) == MISS
    assert dearest(times, []) is None


def test_a_floor_is_of_the_same_hook_family_and_path() -> None:
    cell = Cell(OURS, "tc", "ipv6", "acl", 1_000, "first")
    assert floor(cell, DROP) == Cell(DROP, "tc", "ipv6", "", None, "none")
    assert own_floor(cell) == Cell(OURS, "tc", "ipv6", "hosts", 0, "none")
    wire = Cell(OURS, "tc", "ipv6", "acl", 1_000, "random", "wire")
    assert floor(wire, DROP) == Cell(DROP, "tc", "ipv6", "", None, "none", "wire")
    assert floor(wire, DROP, "xdp").hook == "xdp"


def test_sets_have_a_longer_stream_and_so_a_floor_of_their_own() -> None:
    wire = Cell(OURS, "xdp", "ipv4", "prefixes", 1_000, "hit", "wire")
    assert floor(wire, DROP).what == "prefixes"
    hot = Cell(OURS, "xdp", "ipv4", "prefixes", 1_000, "hit")
    assert floor(hot, DROP).what == ""
