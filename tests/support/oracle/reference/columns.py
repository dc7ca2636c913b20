"""Many packets as columns of numbers, for the fast judge."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from tests.support.oracle.reference.packet import Field, Hidden, Packet
from xdpwall.values.arrays import Array

ABSENT, HIDDEN = -2, -3
"""In place of a value; -1 is VLAN_NONE."""
NUMBERS = (
    *("vlan", "ethertype", "family", "length", "ttl", "fragment", "proto"),
    *("sport", "dport", "tcp_flags", "icmp_type", "icmp_code"),
)
FRAGMENTS = {"none": 0, "first": 1, "later": 2}


@dataclass(frozen=True)
class Addresses:
    """One side's. `known`: 1 a value, ABSENT or HIDDEN. `order` sorts by (family, high, low)."""

    known: Array
    high: Array
    """u64; IPv4's is 0."""
    low: Array


@dataclass(frozen=True)
class Columns:
    """n packets: every array is of n elements."""

    numbers: dict[str, Array]
    """i64 of each of NUMBERS."""
    src: Addresses
    dst: Addresses
    size: Array
    neighbor_discovery: Array
    malformed: Array

    def __len__(self) -> int:
        return len(self.size)

    @classmethod
    def of(cls, packets: Iterable[Packet]) -> Columns:
        """From packets as decode() and the fragment memory give them."""
        packets = list(packets)
        return cls(
            {
                name: np.array([_number(getattr(p, name)) for p in packets], dtype=np.int64)
                for name in NUMBERS
            },
            _addresses([p.src for p in packets]),
            _addresses([p.dst for p in packets]),
            np.array([p.size for p in packets], dtype=np.int64),
            np.array([p.neighbor_discovery for p in packets], dtype=bool),
            np.array([bool(p.hidden) for p in packets], dtype=bool),
        )


def _number(value: Field) -> int:
    if value is None:
        return ABSENT
    if isinstance(value, Hidden):
        return HIDDEN
    return FRAGMENTS[value] if isinstance(value, str) else value


def _addresses(values: list[Field]) -> Addresses:
    known = [v if isinstance(v, int) else 0 for v in values]
    mask = (1 << 64) - 1
    return Addresses(
        np.array([1 if isinstance(v, int) else _number(v) for v in values], dtype=np.int64),
        np.array([v >> 64 for v in known], dtype=np.uint64),
        np.array([v & mask for v in known], dtype=np.uint64),
    )
