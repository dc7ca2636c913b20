"""Address prefixes that nest and repeat, as a few networks' do."""

from __future__ import annotations

import ipaddress
from collections import defaultdict
from random import Random

_ROOTS = {4: 16, 6: 32}
"""Bits of a site's network."""
_DEEPEST = 4
"""Prefixes inside one another, the site's own not counted (ClassBench acl1: 4)."""

Entry = tuple[int, int]
"""(prefix as a number of `length` bits, how many it lies in)."""


class Prefixes:
    """One side's addresses of one family. The same Random, the same prefixes."""

    def __init__(
        self, random: Random, family: int, sites: int, nesting: float, again: float
    ) -> None:
        self._random = random
        self._bits = 32 if family == 4 else 128
        self._address = ipaddress.IPv4Address if family == 4 else ipaddress.IPv6Address
        self._nesting, self._again = nesting, again
        self._root = _ROOTS[family]
        # 10/8 to 172/8 and 2001:0::/20 are unicast, whoever they belong to; 203.0.113.0/24 and
        # 2001:db8::/32, which documents use, stay free for packets that no rule knows.
        self._sites = [
            random.randrange(10 << 8, 127 << 8)
            if family == 4
            else 0x24000000 + random.randrange(1 << 22)
            for _ in range(max(1, sites))
        ]
        self._known: dict[int, list[Entry]] = defaultdict(list)

    def draw(self, length: int) -> str | None:
        """A prefix of this length; None is any address."""
        if length == 0:
            return None
        known = self._known[length]
        if known and self._random.random() < self._again:
            number, _ = self._random.choice(known)
        else:
            number, depth = self._fresh(length)
            known.append((number, depth))
        return f"{self._address(number << (self._bits - length))}/{length}"

    def _fresh(self, length: int) -> Entry:
        wider = [size for size, held in self._known.items() if size < length and held]
        if wider and self._random.random() < self._nesting:
            size = self._random.choice(wider)
            number, depth = self._random.choice(self._known[size])
            if depth < _DEEPEST:
                return self._below(number, size, length), depth + 1
        # The first sites have most of the hosts.
        site = self._sites[int(len(self._sites) * self._random.random() ** 2)]
        if length <= self._root:
            return site >> (self._root - length), 0
        return self._below(site, self._root, length), 0

    def _below(self, number: int, size: int, length: int) -> int:
        extra = length - size
        return number << extra | self._random.getrandbits(extra)
