"""Sets of addresses for the references: what is in them, by looking."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

from xdpwall.sets.entries import parse_entry


class SetMembers:
    """One set; its entries never expire."""

    def __init__(self, texts: Iterable[str]) -> None:
        self._networks: defaultdict[tuple[int, int], set[int]] = defaultdict(set)
        for text in texts:
            entry = parse_entry(text)
            bits = 32 if entry.family == 4 else 128
            self._networks[entry.family, entry.length].add(entry.address >> (bits - entry.length))

    def holds(self, family: int, address: int) -> bool:
        """Whether an entry is the address or contains it."""
        bits = 32 if family == 4 else 128
        return any(
            address >> (bits - length) in networks
            for (its, length), networks in self._networks.items()
            if its == family
        )


Sets = Mapping[str, SetMembers]
