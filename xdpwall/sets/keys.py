"""An entry of a set as bytes: for the store, and as the kernel's maps want it. Pure."""

from __future__ import annotations

from typing import Literal

from .entries import AddressEntry

Kind = Literal["v4", "v6", "p4", "p6"]
KINDS: tuple[Kind, ...] = ("v4", "v6", "p4", "p6")


def kind_of(entry: AddressEntry) -> Kind:
    """Which of the four arrays of `Entries` it stands in."""
    if entry.family == 4:
        return "v4" if entry.exact else "p4"
    return "v6" if entry.exact else "p6"


def stored(entry: AddressEntry) -> bytes:
    """The address in network order, then the length: 5 or 17 bytes."""
    return address_bytes(entry) + bytes((entry.length,))


def unstored(key: bytes) -> AddressEntry:
    """The inverse of `stored`."""
    return AddressEntry(4 if len(key) == 5 else 6, int.from_bytes(key[:-1], "big"), key[-1])


def address_bytes(entry: AddressEntry) -> bytes:
    """4 or 16 bytes in network order: the key of set4 and set6."""
    return entry.address.to_bytes(4 if entry.family == 4 else 16, "big")


def prefix_key(entry: AddressEntry, length: int | None = None) -> bytes:
    """The key of set4_prefixes and set6_prefixes; of a wider one with `length`."""
    bits = entry.length if length is None else length
    return bits.to_bytes(4, "little") + address_bytes(entry)
