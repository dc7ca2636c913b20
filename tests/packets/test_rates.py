"""Rules with `limit` and `over` in the programs of all places: who matches, and how often."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction

import pytest

from tests.support.kernel.dataplane import PLACES, KernelBench
from tests.support.packets import frames as f
from xdpwall.abi import Feature
from xdpwall.compiler.delta import Edit, apply_edit
from xdpwall.dataplane.explaining import Explainer, Question
from xdpwall.dataplane.program_loader import load_program
from xdpwall.dataplane.rate_maps import RATE_MAPS
from xdpwall.errors import Full
from xdpwall.values.rates import rate_of
from xdpwall.values.terms import Place

TCP, UDP = f.ether(f.ipv4(f.tcp())), f.ether(f.ipv4(f.udp()))
TCP6, UDP6 = f.ether(f.ipv6(f.tcp())), f.ether(f.ipv6(f.udp()))
_COARSE = 6  # CLOCK_MONOTONIC_COARSE of linux/time.h
FLOOD = 400_000
"""Packets of a sender."""


@pytest.fixture(params=PLACES)
def place(request: pytest.FixtureRequest) -> Place:
    chosen: Place = request.param
    return chosen


def passed(bench: KernelBench, place: Place, frame: bytes, times: int) -> int:
    """How many of so many frames pass."""
    return sum(not bench.run(place, frame) for _ in range(times))


def limited(bench: KernelBench) -> list[int]:
    """What rates kept from matching, of each rule."""
    return bench.dataplane.map_set.rates.limited(range(len(bench.rules)))


@pytest.mark.parametrize("frame", [TCP, TCP6], ids=["ipv4", "ipv6"])
def test_limit_matches_while_tokens_last(bench: KernelBench, place: Place, frame: bytes) -> None:
    bench.load(["accept tcp limit 6/h burst 3", "drop tcp"])
    assert passed(bench, place, frame, 8) == 3
    assert [packets for packets, _ in bench.counters()] == [3, 5]
    assert limited(bench) == [5, 0]


@pytest.mark.parametrize("frame", [TCP, TCP6], ids=["ipv4", "ipv6"])
def test_over_matches_once_they_do_not(bench: KernelBench, place: Place, frame: bytes) -> None:
    bench.load(["drop tcp over 6/h burst 3", "count tcp"])
    assert passed(bench, place, frame, 8) == 3
    assert [packets for packets, _ in bench.counters()] == [5, 3]
    assert limited(bench) == [3, 0]


def test_one_bucket_is_shared_by_all_attachments(bench: KernelBench) -> None:
    bench.load(["accept limit 6/h burst 7", "drop"])
    assert sum(passed(bench, one, frame, 2) for one in PLACES for frame in (TCP, UDP6)) == 7


def test_tokens_are_asked_for_of_the_first_rule_whose_fields_match(bench: KernelBench) -> None:
    """Behind a rule that decides no token is taken; each rule has a bucket of its own."""
    bench.load(["drop udp", "accept limit 6/h burst 2", "accept tcp limit 6/h burst 3", "drop"])
    assert passed(bench, "xdp", UDP, 9) == 0
    assert passed(bench, "xdp", TCP, 9) == 5
    assert [packets for packets, _ in bench.counters()] == [9, 2, 3, 4]


def test_count_may_have_a_rate(bench: KernelBench, place: Place) -> None:
    bench.load(["count tcp over 6/h burst 4", "count tcp limit 6/h burst 3", "drop tcp"])
    assert passed(bench, place, TCP, 9) == 0
    assert [packets for packets, _ in bench.counters()] == [5, 3, 9]


def test_rules_without_a_rate_are_asked_as_ever(bench: KernelBench, place: Place) -> None:
    """Expiry and `count` beside rates, in front and behind."""
    over = "2020-01-01T00:00:00Z"
    texts = [f"drop tcp until {over}", "count tcp", "drop tcp over 6/h burst 2", "count tcp"]
    bench.load([*texts, f"drop limit 6/h burst 9 until {over}", "accept tcp"])
    assert passed(bench, place, TCP, 5) == 2
    assert [packets for packets, _ in bench.counters()] == [0, 5, 3, 2, 0, 2]


def test_more_rates_than_are_applied_at_once(bench: KernelBench, place: Place) -> None:
    """Behind the first rules of a word the walk goes on (bpf/walk.h), and stops at each rate."""
    bench.load([f"accept tcp limit 6/h burst {2 + n % 3}" for n in range(200)] + ["drop"])
    whole = sum(2 + n % 3 for n in range(200))
    assert passed(bench, place, TCP, whole + 5) == whole
    assert bench.counters()[-1][0] == 5
    assert limited(bench)[:200] == [
        whole + 5 - sum(2 + m % 3 for m in range(n + 1)) for n in range(200)
    ]


def test_rates_far_behind_in_a_large_ruleset(bench: KernelBench) -> None:
    """Packed rows, and rules with a rate in words that only the walk reaches."""
    rules = [f"drop tcp/{1 + n % 60_000} from 10.{n // 250}.{n % 250}.0/24" for n in range(3000)]
    for at in range(100, 3000, 100):
        rules[at] = "drop tcp over 6/h burst 2"
    bench.load([*rules, "accept tcp limit 6/h burst 9", "drop tcp"])
    assert passed(bench, "xdp", TCP, 20) == 2, "the first `over` drops from the third on"
    assert bench.counters()[100][0] == 18
    assert [one for one in limited(bench) if one] == [2] * 29


@pytest.mark.parametrize(
    ("rule", "pairs"),
    [
        ("drop udp over 6/h burst 3 per src", [("10.0.0.1", "10.0.0.2"), ("2001:db8::1", "2001:db8:0:1::1")]),
        ("drop udp ipv4 over 6/h burst 3 per src/24", [("10.0.0.1", "10.0.1.1")]),
        ("drop udp ipv6 over 6/h burst 3 per src/48", [("2001:db8::1", "2001:db8:1::1")]),
    ],
)  # fmt: skip
def test_a_bucket_for_each_source(
    bench: KernelBench, place: Place, rule: str, pairs: list[tuple[str, str]]
) -> None:
    bench.load([rule])
    for pair in pairs:
        for source in pair:
            assert passed(bench, place, _from(source), 5) == 3


@pytest.mark.parametrize(
    ("rule", "one", "same"),
    [
        ("drop udp over 6/h burst 3 per src", "2001:db8::1", "2001:db8::ffff:0:0:1"),
        ("drop udp ipv4 over 6/h burst 3 per src/24", "10.0.0.1", "10.0.0.255"),
        ("drop udp ipv4 over 6/h burst 3 per src/1", "10.0.0.1", "127.255.255.255"),
        ("drop udp ipv6 over 6/h burst 3 per src/48", "2001:db8::1", "2001:db8:0:ffff::1"),
    ],
)
def test_one_bucket_for_a_network(bench: KernelBench, rule: str, one: str, same: str) -> None:
    bench.load([rule])
    assert passed(bench, "xdp", _from(one), 2) + passed(bench, "xdp", _from(same), 9) == 3


def test_families_and_rules_share_no_source(bench: KernelBench) -> None:
    """An IPv6 source that has an IPv4 one's number in its first bits is another one."""
    bench.load(["drop udp over 6/h burst 3 per src", "drop udp over 6/h burst 6 per src"])
    four, six = _from("10.0.0.1"), _from("0:0:a00:1::")
    assert passed(bench, "xdp", four, 9) == 3
    assert passed(bench, "xdp", six, 9) == 3
    assert limited(bench) == [6, 6]


def _from(source: str) -> bytes:
    if ":" in source:
        return f.ether(f.ipv6(f.udp(), src=source))
    return f.ether(f.ipv4(f.udp(), src=source))


def test_a_source_that_cannot_be_read_satisfies_drop_alone(
    bench: KernelBench, place: Place
) -> None:
    """An IPv4 header that is cut off is no source; a later rule without a rate decides."""
    cut = UDP[: 14 + 16] if place == "xdp" else f.ether(f.ipv4(f.udp(), version=5))
    bench.load(["accept limit 6/h burst 5 per src", "count over 6/h burst 5 per src"])
    assert passed(bench, place, cut, 3) == 3
    assert [packets for packets, _ in bench.counters()] == [0, 0]
    for rate in ("limit", "over"):
        bench.load([f"drop {rate} 6/h burst 5 per src"])
        assert passed(bench, place, cut, 3) == 0
        assert limited(bench) == [0]


def test_a_frame_that_is_not_ip_takes_tokens_too(bench: KernelBench, place: Place) -> None:
    bench.load(["drop ethertype arp over 6/h burst 4"])
    assert passed(bench, place, f.ether(f.arp()), 9) == 4


def test_a_rate_of_bytes(bench: KernelBench, place: Place) -> None:
    frame = f.ether(f.ipv4(f.udp(bytes(958))))
    assert len(frame) == 1000
    bench.load(["drop udp over 6kB/h burst 5kB"])
    assert passed(bench, place, frame, 9) == 5
    bench.load(["drop udp over 6kB/h burst 2kB"])
    assert passed(bench, place, f.ether(f.ipv4(f.udp(bytes(2000)))), 1) == 0, "it never fits"


@pytest.fixture
def explainers(bench: KernelBench) -> Iterator[dict[Place, Explainer]]:
    bench.load(["drop tcp over 6/h burst 3", "accept udp limit 6/h burst 2 per src", "drop udp"])
    load = bench.dataplane.programs.load_explainer
    xdp, tc = load("xdp"), load("tc")
    yield {"xdp": xdp, "tc-ingress": tc, "tc-egress": tc}
    xdp.close()
    tc.close()


def test_explaining_takes_no_token(
    bench: KernelBench, place: Place, explainers: dict[Place, Explainer]
) -> None:
    question = Question(number=1, egress=place == "tc-egress")

    def ask(frame: bytes) -> tuple[bool, list[tuple[int, bool]]]:
        answer = explainers[place].ask(frame, question)
        return answer.dropped, [(one.slot, one.limited) for one in answer.matched]

    rates = bench.dataplane.map_set.rates
    before = rates.held()
    for _ in range(9):
        assert ask(TCP) == (False, [(0, True)])
        assert ask(UDP) == (False, [(1, False)])
    assert rates.held() == before
    assert limited(bench) == [0, 0, 0]
    assert passed(bench, place, TCP, 9) == 3
    assert passed(bench, place, UDP, 9) == 2
    for _ in range(2):
        assert ask(TCP) == (True, [(0, False)])
        assert ask(UDP) == (True, [(1, True), (2, False)])
    assert limited(bench) == [3, 7, 0]


def test_a_bucket_lives_through_moves_and_changes_of_others(bench: KernelBench) -> None:
    bench.load(["accept udp limit 6/h burst 5", "drop udp", "drop tcp over 6/h burst 4 per src"])
    assert passed(bench, "xdp", UDP, 3) == passed(bench, "xdp", TCP, 3) == 3
    now = bench.dataplane.generations
    active = now.active
    assert active is not None
    entry, other = active.entries[0], active.entries[2]
    for edit in (Edit(0, 1, ()), Edit(1, 0, (entry,)), Edit(2, 1, ()), Edit(0, 0, (other,))):
        assert apply_edit(active, edit)
    assert [one.slot for one in active.entries] == [2, 1, 0]
    now.expect(active)
    now.fill(active)
    now.switch(bench.revision + 1)
    assert passed(bench, "xdp", TCP, 3) == 1
    now.forget_active()


def test_a_program_without_rates_has_none_of_their_code(bench: KernelBench) -> None:
    """And with them its constants stand where they do in the other object."""
    shared, maps = bench.dataplane.shared, bench.dataplane.map_set
    rated = Feature.RULES | Feature.COUNTING | Feature.RATES
    sizes = []
    for place in PLACES:
        for features in (Feature.RULES, Feature.RULES | Feature.COUNTING, rated):
            with load_program(maps, shared, place, 7, features=features) as program:
                constant = bench.dataplane.programs.constant
                assert constant(program, "features") == int(features)
                assert constant(program, "number") == 7
                assert {maps.maps[name].info.id for name in RATE_MAPS} <= set(program.map_ids)
                sizes.append(program.info.xlated_len)
    assert sizes[0] < sizes[1] < sizes[2]


def test_too_many_rates_are_refused(bench: KernelBench) -> None:
    texts = [f"drop tcp/{n + 1} over 6/h" for n in range(1025)]
    bench.load(texts[:1024])
    with pytest.raises(Full, match="1025 enabled rules have a rate") as caught:
        bench.load(texts)
    assert caught.value.code == "too-many-rates"


@pytest.mark.parametrize("senders", [1, 2])
@pytest.mark.parametrize("rate", ["10/s burst 5", "1000/s burst 21", "1000000/s burst 20001"])
@pytest.mark.parametrize("per", ["", " per src"])
def test_a_flood_passes_no_more_than_the_rate(
    bench: KernelBench, rate: str, senders: int, per: str
) -> None:
    """The time is that of the tick itself, which the coarse clock moves with."""
    bench.load([f"accept udp limit {rate}{per}", "drop udp"])
    programs = [bench.program("xdp"), bench.program("tc-ingress")][:senders]
    begun = time.clock_gettime_ns(_COARSE)
    with ThreadPoolExecutor(senders) as pool:
        for one in [pool.submit(p.test_run, UDP, repeat=FLOOD) for p in programs]:
            one.result()
    took = Fraction(time.clock_gettime_ns(_COARSE) - begun, 10**9)
    (through, _), (dropped, _) = bench.counters()
    meant = rate_of(rate)
    assert through + dropped == senders * FLOOD
    most = meant.per_second * took + meant.burst
    assert meant.burst <= through <= most + (senders if per else 0)
    print(f"{rate}{per}, {senders} senders: {through} of {float(most):.1f} in {float(took):.3f} s")


def test_a_hundred_thousand_sources(bench: KernelBench) -> None:
    """Each within its rate passes; the one that floods is dropped before, meanwhile and after."""
    bench.load(["drop udp over 1/h burst 2 per src"])
    program = bench.program("xdp")
    bad = f.ether(f.ipv4(f.udp(), src="192.0.2.1"))
    assert passed(bench, "xdp", bad, 5) == 2
    frame, sources = bytearray(UDP), random.Random(5).sample(range(1 << 32), 100_000)
    for n, source in enumerate(sources):
        frame[26:30] = source.to_bytes(4, "big")
        assert program.test_run(bytes(frame), out_size=0).retval == 2
        if n % 10_000 == 0:
            assert bench.run("xdp", bad)
    assert bench.run("xdp", bad)
    rates = bench.dataplane.map_set.rates
    assert limited(bench) == [100_002]
    assert 0 < rates.forgotten < 2_000, "lines with more than four of them"
