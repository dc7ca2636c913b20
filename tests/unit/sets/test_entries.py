"""Entries' algebra beside a slow one of Python's ipaddress, and its bytes."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network, ip_network

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xdpwall.errors import InvalidInput
from xdpwall.sets.entries import Entries, parse_entry

Network = IPv4Network | IPv6Network


@st.composite
def networks(draw: st.DrawFn) -> Network:
    """Few bits vary, so that networks are often equal or inside one another."""
    if draw(st.booleans()):
        length = draw(st.sampled_from([0, 1, 8, 15, 16, 24, 31, 32]))
        number = draw(st.sampled_from([0, 10 << 24, 255 << 24])) | draw(st.integers(0, 3)) << 8
        number |= draw(st.integers(0, 3))
        return IPv4Network((number >> (32 - length) << (32 - length), length))
    length = draw(st.sampled_from([0, 1, 16, 32, 63, 64, 65, 127, 128]))
    number = 0x20010DB8 << 96 | draw(st.integers(0, 3)) << 63 | draw(st.integers(0, 3))
    return IPv6Network((number >> (128 - length) << (128 - length), length))


lists = st.lists(networks(), max_size=12)


def spelled(network: Network) -> str:
    text = str(network)
    full = f"/{network.max_prefixlen}"
    return text.removesuffix(full)


def entries(found: list[Network] | set[Network]) -> Entries:
    return Entries.of(spelled(one) for one in found)


def inside(one: Network, other: Network) -> bool:
    if one.version != other.version or one == other:
        return False
    return one.subnet_of(other)  # type: ignore[arg-type]


@given(lists)
def test_every_entry_once_and_as_it_was(found: list[Network]) -> None:
    made = entries(found)
    assert len(made) == len(set(found))
    assert {ip_network(text) for text in made.texts()} == set(found)
    assert Entries.of(reversed(made.texts())) == made


@given(lists, st.integers(0, 14), st.integers(0, 14))
def test_a_part_is_a_slice_of_the_whole(found: list[Network], start: int, count: int) -> None:
    made = entries(found)
    assert made.texts(start, count) == made.texts()[start : start + count]


@given(lists, lists)
def test_union_and_difference_are_those_of_sets(a: list[Network], b: list[Network]) -> None:
    assert entries(a).union(entries(b)) == entries(set(a) | set(b))
    assert entries(a).difference(entries(b)) == entries(set(a) - set(b))


@given(lists)
def test_covered_drops_exactly_what_lies_in_a_wider_entry(found: list[Network]) -> None:
    outer = {one for one in found if not any(inside(one, other) for other in found)}
    kept, dropped = entries(found).covered()
    assert kept == entries(outer)
    assert dropped == len(set(found)) - len(outer)


@given(lists)
def test_packed_entries_come_back(found: list[Network]) -> None:
    made = entries(found)
    assert Entries.unpack(made.pack()) == made


@settings(max_examples=200)
@given(lists, st.data())
def test_bytes_that_pack_never_gives_are_refused(found: list[Network], data: st.DataObject) -> None:
    packed = bytearray(entries(found).pack())
    place = data.draw(st.integers(0, len(packed) - 1))
    packed[place] ^= data.draw(st.integers(1, 255))
    try:
        other = Entries.unpack(bytes(packed))
    except InvalidInput as error:
        assert error.field == "packed"
    else:
        # A changed byte may make another set, never one that is not as `of` makes it.
        assert Entries.of(other.texts()) == other


@pytest.mark.parametrize("data", [b"", b"XWSET1\0\0", b"x" * 40, Entries.empty().pack() + b"x"])
def test_foreign_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(InvalidInput, match="packed"):
        Entries.unpack(data)


def test_arrays_are_as_documented() -> None:
    made = Entries.of(["10.0.0.1", "10.0.0.0/8", "2001:db8::1", "2001:db8::/32"])
    assert made.v4.dtype == np.dtype("<u4") and made.v4.tolist() == [0x0A000001]
    assert made.p4.dtype == np.dtype("<u8") and made.p4.tolist() == [0x0A000000 << 8 | 8]
    assert made.v6.shape == (1, 2) and made.v6.tolist() == [[0x20010DB8 << 32, 1]]
    assert made.p6.tolist() == [(0x20010DB8 << 32, 0, 32)]


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("10.0.0.5/8", "10.0.0.0/8 (the network)"),
        ("!10.0.0.1", "a rule negates a set"),
        ("@friends", "is not an entry"),
        ("::ffff:10.0.0.1", "the IPv4 spelling"),
        ("host.example", "names of hosts"),
        (7, "is not text"),
    ],
)
def test_what_is_no_entry_is_named_by_its_place(text: object, right: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        Entries.of(["10.0.0.1", text])
    assert caught.value.field == "entries[1]"
    assert right in f"{caught.value.message} {caught.value.hint}"


def test_an_entry_prints_as_a_rule_does() -> None:
    assert parse_entry("10.0.0.1/32").text == "10.0.0.1"
    assert parse_entry("2001:DB8:0::/32").text == "2001:db8::/32"
