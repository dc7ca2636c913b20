"""The benchmark's arithmetic: what is timed when, and what is compared with what."""

from __future__ import annotations

import pytest

from bench.packets.rounds import (
    DROP,
    OURS,
    PARSE,
    Cell,
    baseline,
    baselines_of,
    beside,
    difference,
    own_baseline,
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


def test_a_baseline_is_timed_right_before_and_after_its_cell() -> None:
    order: list[str] = []
    slow = iter([10, 30, 50, 70, 90, 110])

    def clock(name: str, value: float) -> float:
        order.append(name)
        return value

    own = own_baseline(LAST)
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
    assert difference(times, MISS, own) == 10


def test_ratios_and_differences_are_taken_within_rounds() -> None:
    # The second round was slow for both; the third only for the numerator.
    times = {LAST: [80, 160, 300], MISS: [20, 40, 20]}
    assert ratio(times, LAST, MISS) == 4.0
    assert difference(times, LAST, MISS) == 120


def test_rounds_must_pair_up() -> None:
    with pytest.raises(ValueError):
        ratio({LAST: [80], MISS: [20, 20]}, LAST, MISS)


def test_each_aim_has_what_it_compares_timed_beside_it() -> None:
    six = Cell(OURS, "xdp", "ipv6", "acl", 10_000, "random")
    assert Cell(OURS, "xdp", "ipv4", "acl", 10_000, "random") in baselines_of(six)
    tc = Cell(OURS, "tc", "ipv4", "acl", 10_000, "random")
    assert {own_baseline(tc), baseline(tc, DROP), baseline(tc, PARSE)} == {*baselines_of(tc)}
    wire = Cell(OURS, "tc", "ipv4", "acl", 10_000, "random", "wire")
    assert baselines_of(wire) == (baseline(wire, DROP), baseline(wire, DROP, "xdp"))


def test_a_baseline_is_of_the_same_hook_family_and_path() -> None:
    cell = Cell(OURS, "tc", "ipv6", "acl", 1_000, "first")
    assert baseline(cell, DROP) == Cell(DROP, "tc", "ipv6", "", None, "none")
    assert own_baseline(cell) == Cell(OURS, "tc", "ipv6", "hosts", 0, "none")
    wire = Cell(OURS, "tc", "ipv6", "acl", 1_000, "random", "wire")
    assert baseline(wire, DROP) == Cell(DROP, "tc", "ipv6", "", None, "none", "wire")
    assert baseline(wire, DROP, "xdp").hook == "xdp"


def test_sets_have_a_longer_stream_and_so_a_baseline_of_their_own() -> None:
    wire = Cell(OURS, "xdp", "ipv4", "prefixes", 1_000, "hit", "wire")
    assert baseline(wire, DROP).what == "prefixes"
    hot = Cell(OURS, "xdp", "ipv4", "prefixes", 1_000, "hit")
    assert baseline(hot, DROP).what == ""
