"""The buckets of bpf/gcra.h against a slow reference, which keeps every token ever taken."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from functools import partial
from math import floor

import pytest

from tests.support.kernel.host_gcra import HostBuckets
from xdpwall.compiler.rates import kernel_rate
from xdpwall.dataplane.rate_maps import PLACES
from xdpwall.values.rates import Rate, least_burst, rate_of

HERTZ = (100, 250, 300, 1000)
BOOT = (1 << 32) - 300 * 250
"""jiffies64 when a machine has just begun (INITIAL_JIFFIES)."""


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> HostBuckets:
    return HostBuckets(tmp_path_factory.mktemp("gcra"))


class SlowBucket:
    """A bucket by its definition: no window of ticks, as short as it may really be, has too much."""

    def __init__(self, rate: Rate, hertz: int) -> None:
        fields = kernel_rate(rate, hertz)
        self.per_tick = Fraction(1 << (30 + fields["shift"]), fields["token"])
        self.burst = rate.burst
        self.taken = Counter[int]()
        """Tokens by tick."""

    def take(self, tick: int, tokens: int) -> bool:
        """Take them, if no window forbids it."""
        had = self.taken[tick] + tokens
        if self._was_full(tick):
            fits = had <= self.burst
        else:
            fits = had <= self.burst - self.per_tick and all(
                had + before <= self.burst + floor((tick - first - 1) * self.per_tick)
                for first, before in self._windows(tick)
            )
        if fits:
            self.taken[tick] = had
        return fits

    def _was_full(self, tick: int) -> bool:
        """Whether all that was taken before this tick had come in again a tick ago."""
        return all(
            before <= (tick - first - 1) * self.per_tick for first, before in self._windows(tick)
        )

    def _windows(self, tick: int) -> Iterator[tuple[int, int]]:
        """(a tick, the tokens taken from then on until before this tick)"""
        total = 0
        for first in sorted((one for one in self.taken if one < tick), reverse=True):
            total += self.taken[first]
            yield first, total


def _drawn_rate(rng: random.Random) -> Rate:
    tokens = rng.choice((1, 6, 10, 99, 1000, 12_345, 1_000_000, 100_000_000))
    seconds = rng.choice((1, 60, 3600)) if tokens < 10_000 else 1
    least = least_burst(Fraction(tokens, seconds), False)
    return Rate(tokens, seconds, False, least + rng.choice((0, 0, 1, 4, 50)))


def _steps(rng: random.Random, rate: Rate, hertz: int) -> Iterator[tuple[int, int]]:
    """(ticks to go on, tokens to ask for)"""
    each = float(Fraction(hertz) / rate.per_second)
    for _ in range(60):
        pause = rng.choice((0, 0, 0, 1, 2, each, each * rate.burst, each * 3 * rng.random()))
        yield (
            round(pause),
            rng.choice((1, 1, 1, 2, rate.burst // 2 or 1, rate.burst, rate.burst + 1)),
        )


@pytest.mark.parametrize("seed", range(12))
def test_it_takes_what_the_slow_bucket_does(host: HostBuckets, seed: int) -> None:
    rng = random.Random(seed)
    hertz, rate = rng.choice(HERTZ), _drawn_rate(rng)
    bucket, slow = host.rate(rate, hertz), SlowBucket(rate, hertz)
    tick = BOOT + rng.randrange(1 << 33)
    answers = Counter[bool]()
    for pause, tokens in _steps(rng, rate, hertz):
        tick += pause
        looked = host.take(bucket, tick, tokens, peek=True)
        before = bucket["bucket"][0]
        took = host.take(bucket, tick, tokens)
        assert looked == took, "a look says what a taking does"
        assert took or bucket["bucket"][0] == before, "a packet over the rate writes nothing"
        wanted = tokens <= rate.burst and slow.take(tick, tokens)
        if took and not wanted and _looks_the_same(tick, slow):
            slow.taken[tick] += tokens
        else:
            assert bool(took) == wanted, (rate, hertz, slow.taken, pause, tokens)
        answers[wanted] += 1
    assert len(answers) == 2


def _looks_the_same(tick: int, slow: SlowBucket) -> bool:
    """Whether the last tick in which a token was taken has the mark of this one (gcra.h)."""
    last = max(slow.taken)
    return last < tick and last % 64 == tick % 64


@pytest.mark.parametrize("seed", range(12))
def test_no_time_has_more_than_its_rate_and_the_burst(host: HostBuckets, seed: int) -> None:
    """In real time, of which a tick tells only the whole part: rate * T + burst, wherever T begins."""
    rng = random.Random(1000 + seed)
    hertz, rate = rng.choice(HERTZ), _drawn_rate(rng)
    bucket = host.rate(rate, hertz)
    now, log = Fraction(BOOT), []
    for pause, tokens in _steps(rng, rate, hertz):
        now += pause * Fraction(rng.randrange(500, 1500), 1000) + Fraction(rng.randrange(99), 1000)
        if host.take(bucket, floor(now), tokens):
            log.append((now, tokens))
    for at, (first, _) in enumerate(log):
        total = 0
        for last, tokens in log[at:]:
            total += tokens
            assert total <= rate.per_second * (last - first) / hertz + rate.burst
    assert log


@pytest.mark.parametrize("seed", range(12))
def test_a_stream_below_the_rate_is_never_refused(host: HostBuckets, seed: int) -> None:
    """Bursts of no more than the burst less what comes in two ticks, in the mean below the rate."""
    rng = random.Random(2000 + seed)
    hertz, rate = rng.choice(HERTZ), _drawn_rate(rng)
    bucket = host.rate(rate, hertz)
    size = floor(rate.burst - 2 * rate.per_second / hertz)
    assert size >= 1
    effective = Fraction(kernel_rate(rate, hertz)["token"], 1 << 30)
    now = Fraction(BOOT) + Fraction(rng.randrange(1000), 1000)
    for _ in range(200):
        asked = rng.randint(1, size)
        assert host.take(bucket, floor(now), asked)
        now += asked * effective


def test_a_full_bucket_gives_its_burst_at_once(host: HostBuckets) -> None:
    for hertz in HERTZ:
        for text in ("10/s burst 5", "6/m burst 6", "1000/s burst 21", "1000000/s burst 20001"):
            rate = rate_of(text)
            bucket = host.rate(rate, hertz)
            assert host.take_many(bucket, BOOT, 30_000) == rate.burst
            filled = BOOT + round(Fraction(hertz) * rate.burst / rate.per_second) + 2
            assert host.take_many(bucket, filled, 30_000) == rate.burst


def test_bytes_are_counted_as_exactly_as_packets(host: HostBuckets) -> None:
    for text in (
        "1500B/s burst 4kB",
        "10MB/s burst 266kB",
        "10GB/s burst 300MB",
        "1kB/d burst 66kB",
    ):
        rate = rate_of(text)
        bucket = host.rate(rate, 250)
        taken, size = 0, max(1000, rate.burst // 200)
        while host.take(bucket, BOOT, size):
            taken += size
        assert 0.99 * rate.burst - size <= taken <= rate.burst
        passed, tick = 0, BOOT
        step = max(1, round(250 * size / rate.per_second))
        for _ in range(500):
            tick += step
            while host.take(bucket, tick, size):
                passed += size
        meant = rate.per_second * 500 * step / 250
        assert 0.98 * meant <= passed <= meant + rate.burst


def test_a_bucket_that_was_not_used_for_ages_is_full(host: HostBuckets) -> None:
    """The word's clock of 34 bits goes round: what is left of the last round is no debt."""
    rate = rate_of("10/s burst 5")
    bucket = host.rate(rate, 1000)
    assert host.take_many(bucket, BOOT, 9) == 5
    for away in (1 << 20, 1 << 32, 1 << 33, (1 << 34) - (1 << 13)):
        assert host.take_many(bucket.copy(), BOOT + away, 9) == 5
    late = bucket.copy()
    assert host.take_many(late, BOOT - 1, 9) == 0, "another CPU's tick is a little behind"


def test_sources_have_buckets_of_their_own(host: HostBuckets) -> None:
    rng = random.Random(7)
    rate = rate_of("6/m burst 4")
    fields, line = host.rate(rate, 250), host.line()
    slow = {key: SlowBucket(rate, 250) for key in (11, 22, 33, 44)}
    tick = BOOT
    for _ in range(400):
        key = rng.choice([*slow])
        tick += rng.choice((0, 0, 1, 700))
        assert bool(host.take(fields, tick, line=line, key=key)) == slow[key].take(tick, 1)
    assert sorted(line["key"]) == [*slow]


def test_a_source_that_owes_nothing_gives_up_its_place(host: HostBuckets) -> None:
    fields, line = host.rate(rate_of("6/m burst 4"), 250), host.line()
    for key in (1, 2, 3, 4):
        assert host.take(fields, BOOT, line=line, key=key) == HostBuckets.TAKEN
    paid = BOOT + 250 * 10 + 2
    for key in (5, 6, 7, 8):
        assert host.take(fields, paid, line=line, key=key) == HostBuckets.TAKEN
    assert sorted(line["key"]) == [5, 6, 7, 8]


def test_the_one_that_owes_least_is_forgotten(host: HostBuckets) -> None:
    fields, line = host.rate(rate_of("6/m burst 4"), 250), host.line()
    for key, packets in ((1, 4), (2, 2), (3, 3), (4, 4)):
        assert host.take_many(fields, BOOT, packets, line=line, key=key) == packets
    assert host.take(fields, BOOT, line=line, key=5, peek=True) == HostBuckets.TAKEN
    assert 5 not in line["key"], "a look takes no place"
    assert host.take(fields, BOOT, line=line, key=5) == HostBuckets.FORGOTTEN
    assert sorted(line["key"]) == [1, 3, 4, 5]
    assert host.take_many(fields, BOOT, 9, line=line, key=5) == 3


@pytest.mark.parametrize("places", [0, PLACES])
def test_two_cpus_take_no_token_twice(host: HostBuckets, places: int) -> None:
    rate = Rate(1, 1, False, 40_000)
    for _ in range(5):
        fields, line = host.rate(rate, 250), host.line() if places else None
        hammer = partial(host.take_many, fields, BOOT, 200_000, line=line, key=9)
        with ThreadPoolExecutor(2) as pool:
            taken = sum(one.result() for one in [pool.submit(hammer), pool.submit(hammer)])
        assert rate.burst <= taken <= rate.burst + (1 if places else 0)
