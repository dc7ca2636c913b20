"""The benchmark's arithmetic: what is timed when, and what is compared with what."""

from __future__ import annotations

import pytest

from bench.rounds import DROP, OURS, Cell, dearest, floor, ratio, row, run
from bench.rules import Family, cases, frame, rules, source
from xdpwall.model import Rule

LAST = Cell(OURS, "xdp", "ipv4", 10, "last")
MISS = Cell(OURS, "xdp", "ipv4", 10, "miss")


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


def test_a_ratio_is_taken_within_rounds() -> None:
    # The second round was slow for both; the third only for the numerator.
    assert ratio([80, 160, 300], [20, 40, 20]) == 4.0


def test_rounds_must_pair_up() -> None:
    with pytest.raises(ValueError):
        ratio([80], [20, 20])


def test_the_dearest_is_by_median_and_leaves_out_what_was_not_measured() -> None:
    times = {LAST: [80, 81, 500], MISS: [90, 91, 92]}
    assert dearest(times, row(OURS, "xdp", "ipv4", 10)) == MISS
    assert dearest(times, row(OURS, "tc", "ipv4", 10)) is None


def test_a_floor_is_of_the_same_hook_and_family() -> None:
    cell = Cell(OURS, "tc", "ipv6", 1_000, "first")
    assert floor(cell, DROP) == Cell(DROP, "tc", "ipv6", None, "miss")


@pytest.mark.parametrize("family", ["ipv4", "ipv6"])
def test_every_rule_has_a_source_of_its_own_and_is_canonical(family: Family) -> None:
    made = rules(10_000, family)
    assert len({rule["src"] for rule in made}) == 10_000
    for rule in (made[0], made[-1]):
        assert Rule.parse(rule).to_json().items() >= rule.items()


@pytest.mark.parametrize("family", ["ipv4", "ipv6"])
def test_the_stranger_is_in_no_rule(family: Family) -> None:
    sources = {rule["src"] for rule in rules(10_000, family)}
    stranger = source((1 << 20) + 1, family)
    assert stranger not in sources
    assert frame("miss", 10, family) == frame("miss", 10_000, family)


def test_the_cases_that_differ() -> None:
    assert [cases(n) for n in (0, 1, 2)] == [
        ("miss",),
        ("first", "miss"),
        ("first", "last", "miss"),
    ]


@pytest.mark.parametrize(("family", "size"), [("ipv4", 60), ("ipv6", 62)])
def test_frames_are_as_long_as_the_documentation_says(family: Family, size: int) -> None:
    assert {len(frame(case, 10, family)) for case in cases(10)} == {size}
    assert frame("first", 1, family) != frame("last", 10, family)
