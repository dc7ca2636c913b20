"""Entries as bytes: for the store, and as keys of the kernel's maps. Pure."""

from __future__ import annotations

from typing import Literal

from .entries import AddressEntry

Kind = Literal["v4", "v6", "p4", "p6"]
KINDS: tuple[Kind, ...] = ("v4", "v6", "p4", "p6")


def kind_of(entry: AddressEntry) -> Kind:
    """The array of `Entries` that an entry is in."""
    if entry.family == 4:
        return "v4" if entry.exact else "p4"
    return "v6" if entry.exact else "p6"


def entry_bytes(entry: AddressEntry) -> bytes:
    """Encode for the store: the address in network order, then the length; 5 or 17 bytes."""
    return address_bytes(entry) + bytes((entry.length,))


def entry_from_bytes(key: bytes) -> AddressEntry:
    """Decode what `entry_bytes` encoded."""
    return AddressEntry(4 if len(key) == 5 else 6, int.from_bytes(key[:-1], "big"), key[-1])


def address_bytes(entry: AddressEntry) -> bytes:
    """The key of set4 and set6: 4 or 16 bytes in network order."""
    return entry.address.to_bytes(4 if entry.family == 4 else 16, "big")


def prefix_key(entry: AddressEntry, length: int | None = None) -> bytes:
    """The key of set4_prefixes and set6_prefixes (struct bpf_lpm_trie_key); with `length`, of the
    first bits only."""
    bits = entry.length if length is None else length
    return bits.to_bytes(4, "little") + address_bytes(entry)
