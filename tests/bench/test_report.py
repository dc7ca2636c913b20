"""The benchmark's report: aims met and missed, tables, the picture, JSON."""

from __future__ import annotations

import dataclasses
import json
from typing import Any
from xml.etree import ElementTree

import pytest

from bench.changes import loading
from bench.changes.page import PageTimes
from bench.changes.rules import Changes, Commands
from bench.changes.scale import Scale
from bench.packets.kernel_cost import Memory, ProgramCost
from bench.packets.rounds import DROP, NFT, OURS, PARSE, XDP_FILTER, Cell
from bench.packets.rulesets import Case, Family
from bench.report.aims import aims
from bench.report.markdown import markdown
from bench.report.plot import svg
from bench.report.result import Result
from bench.report.table import table

ONE = Cell(OURS, "xdp", "ipv4", "acl", 1, "first")
MANY = Cell(OURS, "xdp", "ipv4", "acl", 10_000, "random")
WIRE = dataclasses.replace(MANY, path="wire")
SET = Cell(OURS, "xdp", "ipv4", "addresses", 1_000_000, "hit")


def times() -> dict[Cell, list[float]]:
    """Every cell that an aim asks about, all of them met."""
    made: dict[Cell, list[float]] = {}

    def note(ns: float, *cell: Any) -> None:
        made[Cell(*cell)] = [ns, ns]

    for hook, ns in (("xdp", 20), ("tc", 25)):
        note(ns, DROP, hook, "ipv4", "", None, "none")
        note(ns + 5, PARSE, hook, "ipv4", "", None, "none")
        note(40 + ns - 20, OURS, hook, "ipv4", "hosts", 0, "none")
        note(60 + ns - 20, OURS, hook, "ipv4", "acl", 10_000, "random")
        for what in ("", "addresses"):
            note(130 if hook == "xdp" else 400, DROP, hook, "ipv4", what, None, "none", "wire")
        for kind in ("acl", "hosts"):
            ns = 190 if hook == "xdp" else 460
            note(ns, OURS, hook, "ipv4", kind, 10_000, "random", "wire")
    note(50, OURS, "xdp", "ipv4", "acl", 1, "first")
    note(70, OURS, "xdp", "ipv6", "acl", 10_000, "random")
    for kind in ("fw", "ipc"):
        note(75, OURS, "xdp", "ipv4", kind, 10_000, "random")
    note(105, XDP_FILTER, "xdp", "ipv4", "hosts", 1, "first")
    cases: tuple[Case, ...] = ("hit", "miss")
    for kind in ("addresses", "prefixes"):
        for case in cases:
            note(70 if case == "hit" else 45, OURS, "xdp", "ipv4", kind, 1_000_000, case)
    note(200, OURS, "xdp", "ipv4", "addresses", 100_000, "hit", "wire")
    note(900, NFT, "tc", "ipv4", "addresses", 100_000, "hit", "wire")
    note(16_000, NFT, "tc", "ipv4", "hosts", 1_000, "random", "wire")
    return made


def result(**changes: object) -> Result:
    """A run in which every aim is met."""
    seconds = {loading.C: [0.8], loading.COMMAND: [1.0], loading.NFT: [3.5]}
    whole = Result(
        machine={"kernel": "6.1"},
        rounds=2,
        repeat=1_000,
        times=times(),
        memory=[Memory("acl", "ipv4", 10, 7_000_000, (("rows", 5_000_000),))],
        programs=[ProgramCost("xdp", 10, 0.25, 128_227, 9_235)],
        changes=Changes(
            firewall={10: 0.013},
            live={1_000: 0.0015, 10_000: 0.003},
            rest={1_000: 0.0017, 10_000: 0.0035},
            nft={1_000: 0.002, 10_000: 0.0037},
            apply={10_000: 0.4},
        ),
        commands=Commands(0.1, 0.3, 0.3, 0.9, 76_000_000, 96_000_000),
        scale=Scale(16_384, 0.02, 0.2, 0.4, {1_000_000: 0.0011}),
        loading=loading.Loading(1_000_000, seconds, dict.fromkeys(seconds, 200_000_000)),
        page=PageTimes(16_384, 90.0, [16.7, 16.7, 33.4]),
        seconds=80.0,
    )
    return dataclasses.replace(whole, **changes)  # type: ignore[arg-type]


def missed(found: Result) -> list[str]:
    return [aim.what for aim in aims(found) if not aim.met]


def slowed(cell: Cell, ns: float) -> Result:
    return result(times={**times(), cell: [ns, ns]})


def test_every_aim_can_be_met() -> None:
    assert missed(result()) == []
    assert len(aims(result())) == 32


def test_parts_that_were_not_measured_have_no_aims_and_no_tables() -> None:
    nothing = Result({"kernel": "6.1"}, 3, 1_000)
    assert aims(nothing) == []
    assert markdown(nothing).count("##") == 1
    assert json.loads(json.dumps(nothing.to_json()))["changes"] is None


@pytest.mark.parametrize(
    ("cell", "ns", "wanted"),
    [
        (ONE, 52.5, ["1 rule"]),
        (SET, 81, ["set of 1,000,000 addresses, hit"]),
        (WIRE, 202, ["10,000 rules (acl) over the veth, over a bare drop"]),
        (
            dataclasses.replace(MANY, family="ipv6"),
            79,
            ["IPv6 to IPv4, access list of 10,000, random hits"],
        ),
        (
            dataclasses.replace(MANY, hook="tc"),
            80,
            ["tc's extra cost to XDP's, 10,000 rules (acl), by test-run"],
        ),
    ],
)
def test_a_slow_case_misses_its_aim(cell: Cell, ns: float, wanted: list[str]) -> None:
    assert missed(slowed(cell, ns)) == wanted


def test_aims_of_another_machine_are_told_at_this_ones_speed() -> None:
    rule = Cell(XDP_FILTER, "xdp", "ipv4", "hosts", 1, "first")
    stream = dataclasses.replace(rule, case="random", path="wire")
    slow = {**times(), rule: [210, 210], stream: [302, 302], WIRE: [260, 280]}
    changes = Changes(live={1_000: 0.0061}, apply={10_000: 1.6}, nft_apply={10_000: 0.54})
    here = {aim.what: (aim.met, aim.here) for aim in aims(result(times=slow, changes=changes))}
    assert here["10,000 rules (acl) over the veth, over a bare drop"] == (False, "142 ns: met")
    assert here["one more rule by REST, in the kernel, beside 1,000"] == (False, "12.0 ms: met")
    assert here["apply 10,000 rules, in process"] == (False, "1.50 s: MISSED")
    assert here["1 rule"] == (True, "")
    assert {aim.here for aim in aims(result(times=times()))} >= {"", "95 ns: met"}
    assert "142 ns: met |" in markdown(result(times=slow))


def test_a_slow_change_misses_its_limit_and_the_peer() -> None:
    slow = Changes(
        live={10_000: 0.011}, rest={10_000: 0.012}, nft={10_000: 0.0037}, apply={10_000: 0.5}
    )
    assert missed(result(changes=slow)) == [
        "one more rule by REST, in the kernel, beside 10,000",
        "one more rule by REST, answered, beside 10,000",
        "apply 10,000 rules, in process",
    ]


def test_limits_are_not_met_when_reached() -> None:
    commands = Commands(0.25, 0.4, 0.4, 0.9, 100_000_000, 0)
    memory = [Memory("acl", "ipv4", 10, 8_000_000, ())]
    assert missed(result(commands=commands, memory=memory)) == [
        "`xdpwall --help`",
        "`rule list`, 100 rules, service off",
        "`rule list`, 100 rules, service on",
        "service idle, resident",
        "maps of 10 rules",
    ]


def test_a_missed_aim_stands_out() -> None:
    assert "MISSED" not in markdown(result())
    assert "MISSED" in markdown(slowed(ONE, 500))


def test_a_row_has_absolutes_and_ratios_of_both_ways() -> None:
    lines = [[c.strip() for c in line.split("|")[1:-1]] for line in markdown(result()).splitlines()]
    wire = ["190", "60", "5.26", "1.46"]
    assert [OURS, "acl", "10,000", "-", "-", "60", "-", "1.50", "2.40", *wire] in lines
    assert [OURS, "acl", "1", "50", "-", "-", "-", "1.25", "2.00", *["-"] * 4] in lines
    assert [NFT, "hosts", "1,000", *["-"] * 6, "16,000", "15,870", "0.0625", "123.08"] in lines
    assert ["one more rule, REST: in force in the kernel", "-", "1.5 ms", "3.0 ms"] in lines
    assert ["one more rule, REST: answered", "-", "1.7 ms", "3.5 ms"] in lines
    assert ["acl, IPv4", "10", "7.0 MB", "rows 5.0 MB"] in lines
    assert ["xdp", "10", "250 ms", "128,227", "9,235"] in lines


def test_the_picture_is_drawn_from_the_streams() -> None:
    picture = ElementTree.fromstring(svg(times()))
    words = [node.text for node in picture.iter() if node.tag.endswith("text")]
    assert "xdpwall, XDP" in words
    assert "nftables, addresses" in words
    assert "xdp-filter" not in words  # it was measured by test-run only
    assert sum(node.tag.endswith("circle") for node in picture.iter()) == 5


def test_columns_are_as_wide_as_their_widest_cell() -> None:
    assert table(("a", "bb"), [("long", "1")]) == "| a    | bb |\n| ---- | -: |\n| long |  1 |"


def test_json_keeps_every_round() -> None:
    whole = json.loads(json.dumps(result().to_json()))
    family: Family = "ipv4"
    assert {
        "contender": OURS,
        "hook": "xdp",
        "family": family,
        "what": "acl",
        "size": 1,
        "case": "first",
        "path": "run",
        "beside": None,
        "ns": [50, 50],
        "median": 50.0,
    } in whole["packets"]
    assert whole["machine"] == {"kernel": "6.1"}
    assert whole["memory"][0]["bytes"] == 7_000_000
