"""The table of IPv4 addresses against a dict, with few buckets, so that they fill up; and at every
single store, since packets look at it in between."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from tests.support.kernel.set_maps import make_maps
from xdpwall.abi import BUCKET, BUCKET_GONE, BUCKET_REST
from xdpwall.dataplane.set_hash4 import SetHash4, bucket_count
from xdpwall.errors import Full
from xdpwall.kernel.bpf.maps import Map
from xdpwall.values.arrays import Array

ROOM = 16
FEW = [0, 0xFFFFFFFF, *random.Random(7).sample(range(1, 0xFFFFFFFF), 70)]


@pytest.fixture
def maps() -> Iterator[dict[str, Map]]:
    made = make_maps(set4=ROOM)
    yield made
    for m in made.values():
        m.close()


@pytest.fixture
def table(maps: dict[str, Map]) -> SetHash4:
    return SetHash4(maps["set4"], maps["set4_rest"])


def key(address: int) -> bytes:
    return address.to_bytes(4, "little")


def column(numbers: list[int]) -> Array:
    return np.array(numbers, "<u4").view("u1").reshape(-1, 4)


def words_of(maps: dict[str, Map]) -> Array:
    return np.frombuffer(maps["set4"].mmap(), "<u8").reshape(-1, BUCKET)[:-1]


def factor_of(maps: dict[str, Map]) -> int:
    return SetHash4.of(maps).factor


def seen(maps: dict[str, Map], address: int) -> int:
    """The class that a packet finds (bpf/sets.h, find_exact_class4)."""
    words = words_of(maps)
    for word in words[(address * factor_of(maps) >> 32) & (len(words) - 1)].tolist():
        if word & 0xFFFFFFFF == address:
            return int(word >> 32 & 0xFFFF)
        if not word:
            return 0
    if not word >> BUCKET_REST & 0x7FFF:
        return 0
    return int.from_bytes(maps["set4_rest"].lookup(key(address)) or b"\0", "little")


def check(maps: dict[str, Map], table: SetHash4, held: dict[int, int]) -> None:
    """Packets and processes find what is held, and the words are as they should be."""
    for address in FEW:
        found = table.lookup(key(address))
        assert (int.from_bytes(found, "little") if found else 0) == held.get(address, 0)
        assert seen(maps, address) == held.get(address, 0)
    keys, values = table.lookup_batch()
    there = zip(keys.view("<u4").ravel().tolist(), values.view("<u4").ravel().tolist(), strict=True)
    assert sorted(there) == sorted(held.items())
    words = words_of(maps)
    assert ((words[:, 1:] == 0) | (words[:, :-1] != 0)).all(), "zeros are at the end"
    rest, factor = [0] * len(words), factor_of(maps)
    for one in maps["set4_rest"].lookup_batch()[0]:
        rest[int.from_bytes(one.tobytes(), "little") * factor >> 32 & len(words) - 1] += 1
    for bucket, more in zip(words.tolist(), rest, strict=True):
        counted = bucket[-1] >> BUCKET_REST & 0x7FFF
        assert counted == more
        last = next((word for word in reversed(bucket) if word), 0)
        assert counted or not last & BUCKET_GONE, "what was taken out at the end is zero again"


@pytest.mark.parametrize("seed", range(6))
def test_random_changes(maps: dict[str, Map], table: SetHash4, seed: int) -> None:
    draw, held = random.Random(seed), dict[int, int]()
    crowded = 0
    for _ in range(200):
        few = draw.random() < 0.7  # or too many for the kernel's hash of what finds no room
        address, number = draw.choice(FEW), draw.randint(1, 65535)
        what = draw.choice(("one", "one", "many", "out", "out", "many out"))
        if what == "one" and (len(held) < 40 or address in held):
            table.update(key(address), number.to_bytes(4, "little"))
            held[address] = number
        elif what == "many" and len(held) < 30:
            some = draw.sample(FEW, 3 if few else 12)
            table.update_batch(column(some), column([number] * len(some)), len(some))
            held.update(dict.fromkeys(some, number))
        elif what == "out":
            assert table.delete(key(address)) is (held.pop(address, None) is not None)
        elif what == "many out":
            some = draw.sample(FEW, 3 if few else 40)
            table.delete_batch(column(some), len(some))
            for one in some:
                held.pop(one, None)
        crowded += len(maps["set4_rest"].lookup_batch()[0]) > 0
        check(maps, table, held)
    assert crowded > 50, "buckets overflowed"


class Watched(Array):
    """Words that call `look` after every store."""

    look: Callable[[], None]

    def __setitem__(self, at: Any, value: Any) -> None:
        super().__setitem__(at, value)
        Watched.look()


@pytest.mark.parametrize("seed", range(3))
def test_others_are_found_at_every_store(maps: dict[str, Map], table: SetHash4, seed: int) -> None:
    draw, held = random.Random(seed), dict[int, int]()
    table._words = table._words.view(Watched)
    changing = {0}
    stores = 0

    def look() -> None:
        nonlocal stores
        stores += 1
        for address in FEW:
            if address not in changing:
                assert seen(maps, address) == held.get(address, 0)

    Watched.look = look
    for _ in range(300):
        some = draw.sample(FEW, draw.choice((1, 1, 5)))
        changing = set(some)
        numbers = [draw.randint(1, 65535) for _ in some]
        if draw.random() < 0.5 and len(held) < 36:
            if len(some) == 1:
                table.update(key(some[0]), numbers[0].to_bytes(4, "little"))
            else:
                table.update_batch(column(some), column(numbers), len(some))
            held.update(zip(some, numbers, strict=True))
        else:
            if len(some) == 1:
                table.delete(key(some[0]))
            else:
                table.delete_batch(column(some), len(some))
            for address in some:
                held.pop(address, None)
    assert stores > 300
    check(maps, table, held)


def test_what_comes_and_goes_leaves_no_trace() -> None:
    """A set of addresses that are blocked for a while, one after the other."""
    maps = make_maps(set4=1 << 10)
    table = SetHash4(maps["set4"], maps["set4_rest"])
    numbers = random.Random(3).sample(range(1, 0xFFFFFFFF), 20_000)
    held = 900
    for at, address in enumerate(numbers):
        if at >= held:
            assert table.delete(key(numbers[at - held]))
        table.update(key(address), b"\1\0\0\0")
    words = words_of(maps)
    full = int((words[:, -1] != 0).sum())
    # Of 256 buckets; by chance 900 fill 12 at any time (Poisson, mean 3.5), and some are not back.
    assert full < 40
    assert len(maps["set4_rest"].lookup_batch()[0]) < 40
    for address in numbers[-held:]:
        assert table.delete(key(address))
    assert not words.any(), "and nothing is left"
    for m in maps.values():
        m.close()


def test_a_hash_that_is_full_leaves_the_bucket_as_it_was(
    maps: dict[str, Map], table: SetHash4
) -> None:
    maps["set4_rest"].close()
    small = make_maps(set4=1)
    table = SetHash4(maps["set4"], small["set4_rest"])
    factor = factor_of(maps)
    one = [a for a in range(1, 4000) if a * factor >> 32 & len(words_of(maps)) - 1 == 0]
    for address in one[: BUCKET + 1]:
        table.update(key(address), b"\1\0\0\0")
    before = words_of(maps).copy()
    with pytest.raises(Full):
        table.update(key(one[BUCKET + 1]), b"\1\0\0\0")
    assert (words_of(maps) == before).all()
    for m in small.values():
        m.close()


def test_what_ctrl_c_broke_off_is_still_counted(
    maps: dict[str, Map], table: SetHash4, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kernel had it: not counted, it could be neither found nor taken out, until another address
    without room made packets look there."""
    rest = maps["set4_rest"]
    factor = factor_of(maps)
    one = [a for a in range(1, 4000) if a * factor >> 32 & len(words_of(maps)) - 1 == 0]
    for address in one[:BUCKET]:
        table.update(key(address), b"\1\0\0\0")

    def broken_off(number: bytes, value: bytes) -> None:
        Map.update(rest, number, value)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(rest, "update", broken_off)
        with pytest.raises(KeyboardInterrupt):
            table.update(key(one[BUCKET]), b"\2\0\0\0")
    assert table.lookup(key(one[BUCKET])) == b"\2\0\0\0"
    assert table.delete(key(one[BUCKET]))
    table.update(key(one[BUCKET + 1]), b"\3\0\0\0")
    assert seen(maps, one[BUCKET]) == 0 and seen(maps, one[BUCKET + 1]) == 3


def test_many_at_once() -> None:
    """More than one piece: all of a full table, then half of it out, then others in their place."""
    maps = make_maps(set4=1 << 18)
    table = SetHash4(maps["set4"], maps["set4_rest"])
    rng = np.random.default_rng(1)
    # Without a step: multiples of a number fill buckets unevenly by one factor in some hundreds.
    drawn = np.unique(rng.integers(0, 1 << 32, 300_000, dtype="u8"))
    numbers = rng.permutation(drawn)[: 1 << 18].astype("<u4")
    classes = rng.integers(1, 65536, len(numbers), dtype="<u4")
    table.update_batch(numbers.view("u1"), classes.view("u1"), len(numbers))
    held = dict(zip(numbers.tolist(), classes.tolist(), strict=True))
    assert contents(table) == held
    in_rest = len(maps["set4_rest"].lookup_batch()[0])
    assert 0 < in_rest < len(held) / 50, "most of a full table is in its buckets"
    out = numbers[::2].copy()
    assert not table.worn
    table.delete_batch(out.view("u1"), len(out))
    for address in out.tolist():
        del held[address]
    assert contents(table) == held and table.worn
    other = (out ^ np.uint32(1 << 31)).astype("<u4")
    other = other[~np.isin(other, numbers)]
    table.update_batch(other.view("u1"), np.ones(len(other), "<u4").view("u1"), len(other))
    held.update(dict.fromkeys(other.tolist(), 1))
    assert contents(table) == held
    fresh = make_maps(set4=1 << 18)
    copied = SetHash4(fresh["set4"], fresh["set4_rest"])
    table.copy_to(copied)
    assert contents(copied) == held and not copied.worn
    assert not (words_of(fresh) & np.uint64(BUCKET_GONE)).any()
    for m in (*maps.values(), *fresh.values()):
        m.close()


def contents(table: SetHash4) -> dict[int, int]:
    keys, values = (part.view("<u4").ravel().tolist() for part in table.lookup_batch())
    assert len(set(keys)) == len(keys), "each once"
    return dict(zip(keys, values, strict=True))


def test_sizes() -> None:
    assert [bucket_count(n) for n in (1, 2, 4, 8, 1024, 1 << 20)] == [1, 1, 1, 2, 256, 1 << 18]


def test_addresses_chosen_for_a_factor_that_is_known_fill_no_bucket() -> None:
    """Each table has a factor of its own, which stays as long as it does."""
    maps = make_maps()
    table, other = SetHash4.of(maps), SetHash4.of(make_maps())
    assert table.factor != other.factor and SetHash4.of(maps).factor == table.factor
    assert table.factor % 2 and table.factor >> 32
    mask = np.uint64(len(words_of(maps)) - 1)
    every = np.arange(1 << 22, dtype="<u8")
    bucket = every * np.uint64(other.factor) >> np.uint64(32) & mask
    chosen = every[bucket < 4][:2000].astype("<u4")
    assert len(chosen) == 2000
    values = np.ones(len(chosen), "<u4").view("u1").reshape(-1, 4)
    table.update_batch(chosen.view("u1").reshape(-1, 4), values, len(chosen))
    in_rest = len(maps["set4_rest"].lookup_batch()[0])
    assert in_rest < 1000, "they would all but 32 be there"
