"""Nested prefixes, the index of them, and the occupancy bitmaps, against plain loops."""

from __future__ import annotations

import ipaddress
from typing import Literal

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from xdpwall.abi import HASH_FACTOR
from xdpwall.sets.entries import AddressEntry, Entries
from xdpwall.sets.keys import KINDS, entry_bytes, entry_from_bytes
from xdpwall.sets.occupancy import BITMAP_KINDS, Occupied
from xdpwall.sets.prefix_index import PrefixIndex, prefix_entries, prefix_keys
from xdpwall.values.nesting import nested_ends, nesting_levels

Family = Literal[4, 6]


def entries(family: Family, *, exact: bool = False) -> st.SearchStrategy[AddressEntry]:
    """Addresses that share their first bits, so that many prefixes nest."""
    bits = 32 if family == 4 else 128

    def made(address: int, length: int) -> AddressEntry:
        return AddressEntry(family, address >> (bits - length) << (bits - length), length)

    address = st.one_of(
        st.integers(0, 2**bits - 1), st.integers(0, 7).map(lambda high: high << (bits - 3))
    )
    return st.builds(made, address, st.integers(0, bits if exact else bits - 1))


def network(entry: AddressEntry) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    kind = ipaddress.IPv4Network if entry.family == 4 else ipaddress.IPv6Network
    return kind((entry.address, entry.length))


def inside(entry: AddressEntry, wide: AddressEntry) -> bool:
    return entry != wide and network(entry).subnet_of(network(wide))  # type: ignore[arg-type]


PREFIXES = st.sampled_from([4, 6]).flatmap(
    lambda family: st.lists(entries(family), min_size=1, max_size=20)  # type: ignore[arg-type]
)


@settings(deadline=None, max_examples=60)
@given(PREFIXES)
def test_each_prefix_has_its_narrowest_wider_one(found: list[AddressEntry]) -> None:
    family = found[0].family
    keys = prefix_keys(family, Entries.from_entries(found))
    prefixes = prefix_entries(family, keys)
    assert set(prefixes) == set(found)
    parent, depths = nesting_levels(nested_ends(keys))
    for entry, above in zip(prefixes, parent.tolist(), strict=True):
        wider = [other for other in prefixes if inside(entry, other)]
        narrowest = max(wider, key=lambda other: other.length, default=None)
        assert (prefixes[above] if above >= 0 else None) == narrowest
    order = np.concatenate(depths).tolist()
    assert sorted(order) == list(range(len(prefixes)))
    assert all(order.index(p) < order.index(i) for i, p in enumerate(parent.tolist()) if p >= 0)


@settings(deadline=None, max_examples=40)
@given(PREFIXES, st.data())
def test_the_index_finds_what_is_inside(found: list[AddressEntry], data: st.DataObject) -> None:
    family = found[0].family
    base = data.draw(st.lists(st.sampled_from(found), unique=True))
    index = PrefixIndex(family, prefix_keys(family, Entries.from_entries(base)))
    there = set(base)
    for entry in found:
        if data.draw(st.booleans()):
            index.add(entry)
            there.add(entry)
        else:
            index.remove(entry)
            there.discard(entry)
        if data.draw(st.booleans()):
            index.keys()
        for asked in (entry, AddressEntry(family, 0, 0)):
            assert sorted(index.inside(asked), key=str) == sorted(
                [other for other in there if inside(other, asked)], key=str
            )
            assert (asked in index) == (asked in there)
    assert set(prefix_entries(family, index.keys())) == there


@settings(deadline=None, max_examples=60)
@given(st.lists(st.sampled_from([4, 6]).flatmap(lambda f: entries(f, exact=True)), max_size=20))  # type: ignore[arg-type]
def test_no_bit_is_missing_and_few_are_too_many(found: list[AddressEntry]) -> None:
    together, alone = Occupied(), Occupied()
    every = Entries.from_entries(found)
    for kind in KINDS:
        together.add(kind, getattr(every, kind))
    for entry in found:
        alone.add_one(entry)
        assert entry_from_bytes(entry_bytes(entry)) == entry
    for place, marked in enumerate(BITMAP_KINDS):
        assert (together.bits(marked) == alone.bits(marked)).all()
        assert (
            together.has_kind(place) == alone.has_kind(place) == bool(len(getattr(every, marked)))
        )
    assert (
        together.has_short6
        == alone.has_short6
        == any(e.family == 6 and e.length < 16 for e in found)
    )
    for entry in found:
        if entry.family == 4 and entry.exact:
            continue
        bits = 32 if entry.family == 4 else 128
        last = entry.address | (1 << (bits - entry.length)) - 1
        for address in (entry.address, last):
            assert _bit(together, AddressEntry(entry.family, address, bits), exact=entry.exact)
    count = sum(int(word).bit_count() for word in together.bits("v6"))
    tops = {e.address >> 80 for e in found if e.family == 6 and e.exact}
    assert count == len({top * HASH_FACTOR % 2**64 >> 40 for top in tops})


def _bit(occupied: Occupied, address: AddressEntry, *, exact: bool) -> bool:
    """As bpf/sets.h asks."""
    if address.family == 4:
        words, bit = occupied.bits("p4"), address.address >> 8
    else:
        if not exact and occupied.has_short6:
            return True
        top = address.address >> (80 if exact else 96)
        words, bit = occupied.bits("v6" if exact else "p6"), top * 0x9E3779B97F4A7C15 % 2**64 >> 40
    return bool(int(words[bit >> 6]) >> (bit & 63) & 1)


def test_bits_are_taken_over() -> None:
    old, new = Occupied(), Occupied()
    old.add_one(AddressEntry(6, 0, 8))
    old.add_one(AddressEntry(4, 1 << 24, 32))
    old.add_one(AddressEntry(4, 1 << 24, 31))
    new.add_one(AddressEntry(4, 2 << 24, 30))
    for kind in KINDS:
        old.copy_from(new, kind)
    assert not old.has_short6 and old.has_kind(0) and not old.has_kind(1)
    assert all((old.bits(marked) == new.bits(marked)).all() for marked in BITMAP_KINDS)
