"""Which entries of a set contain an address. Pure."""

from __future__ import annotations

from .entries import AddressEntry, Entries


def entries_containing(entries: Entries, address: AddressEntry) -> list[AddressEntry]:
    """The entries that contain an address, or a prefix and are wider, found by one search for each
    prefix length."""
    import numpy as np

    from xdpwall.values.arrays import keys16

    from .prefix_index import prefix_entries, prefix_keys

    bits = 32 if address.family == 4 else 128
    exact = Entries.from_entries([address])
    every, one = (entries.v4, exact.v4) if bits == 32 else (keys16(entries.v6), keys16(exact.v6))
    keys = prefix_keys(address.family, entries)
    found = (
        [address]
        if len(one) and len(every) and every[np.searchsorted(every, one[0]) % len(every)] == one[0]
        else []
    )
    for length in range(address.length if len(keys) else 0):
        network = address.address >> (bits - length) << (bits - length)
        wide = Entries.from_entries([AddressEntry(address.family, network, length)])
        key = prefix_keys(address.family, wide)[0]
        at = int(np.searchsorted(keys, key))
        if at < len(keys) and keys[at] == key:
            found += prefix_entries(address.family, keys[at : at + 1])
    return found
