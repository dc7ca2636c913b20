"""The benchmark's report: aims met and missed, tables, JSON."""

from __future__ import annotations

import dataclasses
import json

import pytest

from bench.aims import aims
from bench.changes import Changes, Commands
from bench.kernelcost import Memory, ProgramCost
from bench.page import PageTimes
from bench.report import markdown, table
from bench.result import Result
from bench.rounds import DROP, OURS, PARSE, PEER, Cell, Hook
from bench.rules import Family, cases

HOOKS: tuple[Hook, ...] = ("xdp", "tc")
FAMILIES: tuple[Family, ...] = ("ipv4", "ipv6")
PLACES = [(hook, family) for hook in HOOKS for family in FAMILIES]


def result(**changes: object) -> Result:
    """A run in which every aim is met."""
    times = {}
    for hook, family in PLACES:
        times[Cell(DROP, hook, family, None, "miss")] = [20, 20]
        times[Cell(PARSE, hook, family, None, "miss")] = [25, 25]
        for count, ns in ((0, 70), (1, 80), (1_000, 100)):
            for case in cases(count):
                times[Cell(OURS, hook, family, count, case)] = [ns, ns]
    for family in FAMILIES:
        times[Cell(PEER, "xdp", family, 1, "first")] = [105, 105]
    whole = Result(
        machine={"kernel": "6.1"},
        rounds=2,
        repeat=1_000,
        times=times,
        memory=[Memory("ipv4", 10, 7_000_000, (("rows", 5_000_000),))],
        programs=[ProgramCost("xdp", 10, 0.25, 128_227, 9_235)],
        changes=Changes(firewall={10: 0.013}, apply={10_000: 1.484}),
        commands=Commands(0.1, 0.3, 0.3, 0.9, 76_000_000, 96_000_000),
        page=PageTimes(16_384, 90.0, [16.7, 16.7, 33.4]),
        seconds=80.0,
    )
    return dataclasses.replace(whole, **changes)  # type: ignore[arg-type]


def missed(found: Result) -> list[str]:
    return [aim.what for aim in aims(found) if not aim.met]


def slowed(cell: Cell, ns: int) -> Result:
    whole = result()
    return dataclasses.replace(whole, times={**whole.times, cell: [ns, ns]})


def test_every_aim_can_be_met() -> None:
    assert missed(result()) == []
    assert len(aims(result())) == 11


def test_one_slow_case_misses_the_peer() -> None:
    # A tie is not below; 105 is under 1.4 times the one rule's 80.
    found = slowed(Cell(OURS, "xdp", "ipv6", 1_000, "miss"), 105)
    assert missed(found) == ["XDP IPv6, 1,000 rules, dearest case (miss)"]


@pytest.mark.parametrize(("ns", "met"), [(112, True), (113, False)])
def test_a_thousand_rules_to_one(ns: int, met: bool) -> None:
    found = slowed(Cell(OURS, "tc", "ipv4", 1_000, "last"), ns)
    assert missed(found) == ([] if met else ["tc IPv4, 1,000 rules to 1 rule, dearest case"])


def test_the_peer_is_not_asked_about_tc() -> None:
    assert not [aim for aim in aims(result()) if "tc" in aim.what and "xdp-filter" in aim.wanted]


def test_limits_are_not_met_when_reached() -> None:
    commands = Commands(0.25, 0.4, 0.4, 0.9, 100_000_000, 0)
    found = result(commands=commands, memory=[Memory("ipv4", 10, 8_000_000, ())])
    assert missed(found) == [
        "`xdpwall --help`",
        "`rule list`, 100 rules, service off",
        "`rule list`, 100 rules, service on",
        "service idle, resident",
        "maps of 10 rules",
    ]


def test_a_missed_aim_stands_out() -> None:
    assert "MISSED" not in markdown(result())
    assert "MISSED" in markdown(slowed(Cell(OURS, "xdp", "ipv4", 1_000, "last"), 500))


def test_a_row_shows_each_case_and_both_ratios() -> None:
    lines = [[c.strip() for c in line.split("|")[1:-1]] for line in markdown(result()).splitlines()]
    assert [OURS, "1,000", *["100 / 100"] * 3, "5.00", "4.00"] in lines
    assert [OURS, "1", "80 / 80", "-", "80 / 80", "4.00", "3.20"] in lines
    assert [DROP, "-", "-", "-", "20 / 20", "1.00", "0.80"] in lines
    assert ["one more rule, in process", "13 ms", "-"] in lines
    assert ["apply from no rule, in process", "-", "1.48 s"] in lines
    assert ["IPv4", "10", "7.0 MB", "rows 5.0 MB"] in lines
    assert ["xdp", "10", "250 ms", "128,227", "9,235"] in lines


def test_columns_are_as_wide_as_their_widest_cell() -> None:
    assert table(("a", "bb"), [("long", "1")]) == "| a    | bb |\n| ---- | -: |\n| long |  1 |"


def test_json_keeps_every_round() -> None:
    whole = json.loads(json.dumps(result().to_json()))
    assert {
        "contender": OURS,
        "hook": "xdp",
        "family": "ipv4",
        "rules": 1,
        "case": "first",
        "ns": [80, 80],
        "median": 80.0,
    } in whole["packets"]
    assert whole["machine"] == {"kernel": "6.1"}
    assert whole["memory"][0]["bytes"] == 7_000_000
