"""The maps of flows, and the mirror of bpf/abi_flows.h: sizes, layouts, the secret of the hash.

tests/packets/test_flows_abi.py compares every dtype and constant here with the header.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from math import log2

import numpy as np

from xdpwall.abi import FLOW_BUCKET as BUCKET
from xdpwall.kernel.bpf.map_info import MapType
from xdpwall.kernel.bpf.maps import Map
from xdpwall.kernel.bpf.objects import MapSize
from xdpwall.kernel.jiffies import jiffies_per_second
from xdpwall.ruleset.flow_timeouts import FlowTimeouts
from xdpwall.values.arrays import Array

FLOW_TABLES = ("flow_index4", "flow_index6", "flows4", "flows6")
FLOW_COUNTS = "flow_counts"
FLOW_MAPS = (*FLOW_TABLES, "flow_timeouts", FLOW_COUNTS)

CLAIMED = 1
LAYOUT = 1
"""Version of what the tables hold and of how a packet finds its flow: only tables of this one are gone on with."""

ORIGIN, REPLIED, FIN0, FIN1, RESET, ASSURED, PICKED_UP, SYN_ACK = (1 << n for n in range(8))
"""The flags of a flow, XW_FLOW_..."""
ASKER1 = 0x80000000
"""In `zone`, of an echo: endpoint 1 asks."""

REST = [
    ("ports_meta", "<u8"),
    ("zone", "<u4"),
    ("deadline", "<u4"),
    ("number", "<u4"),
    ("packets", "<u4"),
]
FLOW4 = np.dtype([("addresses", "<u8"), ("rest", REST)])
"""struct xw_flow4."""
FLOW6 = np.dtype([("addresses", "u1", (32,)), ("rest", REST), ("pad", "<u8")])
"""struct xw_flow6."""
COUNTS = (
    *("made", "evicted_tcp", "evicted_udp", "evicted_icmp", "evicted_other"),
    *("lost", "by_socket", "invalid"),
)
"""The fields of struct xw_flow_counts, each a u64."""


def tick_shift() -> int:
    """The power of two of jiffies that is nearest to a second: 2 ** 8 with HZ 250 or 300."""
    return round(log2(jiffies_per_second()))


def ticks_of(seconds: int, shift: int) -> int:
    """The ticks that last at least so long."""
    return -(-seconds * jiffies_per_second() >> shift)


def seconds_of(ticks: int, shift: int) -> float:
    """How long so many ticks are."""
    return (ticks << shift) / jiffies_per_second()


def timeout_ticks(timeouts: FlowTimeouts) -> Array:
    """struct xw_timeouts: (10,) u32."""
    shift = tick_shift()
    return np.array([ticks_of(one, shift) for one in timeouts.in_order()], dtype="<u4")


def flow_map_sizes(places: int) -> dict[str, MapSize]:
    """The sizes of the tables of `places` a family: a power of two, from BUCKET on."""
    return {
        "flow_index4": MapSize(value_size=4 * (places + BUCKET)),
        "flow_index6": MapSize(value_size=4 * (places + BUCKET)),
        "flows4": MapSize(value_size=places * FLOW4.itemsize),
        "flows6": MapSize(value_size=places * FLOW6.itemsize),
    }


def places_of(maps: Mapping[str, Map]) -> int:
    """How many places a family's table has."""
    return maps["flows4"].info.value_size // FLOW4.itemsize


def flow_constants(maps: Mapping[str, Map]) -> dict[str, int | bytes]:
    """The constants in .rodata that follow from the maps (bpf/flow_maps.h)."""
    return {
        "flow_mask": places_of(maps) // BUCKET - 1,
        "flow_shift": tick_shift(),
        "flow_key": hash_key(maps),
    }


def is_flow_table(maps: Mapping[str, Map]) -> bool:
    """Whether the maps of FLOW_TABLES, and the counts, are what the programs of this version work on."""
    places, counts = places_of(maps), maps[FLOW_COUNTS].info
    if places < BUCKET or places & (places - 1):
        return False
    sizes = flow_map_sizes(places)
    if any(maps[name].info.value_size != sizes[name].value_size for name in FLOW_TABLES):
        return False
    if (counts.type, counts.value_size) != (MapType.PERCPU_ARRAY, 8 * len(COUNTS)):
        return False
    tail = _tail(maps)
    return bool(tail[1]) and int(tail[2]) == LAYOUT


def hash_key(maps: Mapping[str, Map]) -> bytes:
    """The 128 bits of the hash, which are made with the maps. They stand behind IPv4's buckets, and
    leave the kernel only into programs' constants."""
    tail = _tail(maps)
    if not tail[1]:
        tail[0] = secrets.randbits(64)
        tail[2] = LAYOUT
        tail[1] = secrets.randbits(64) | 1
    return tail[:2].tobytes()


def _tail(maps: Mapping[str, Map]) -> Array:
    """What stands behind IPv4's buckets, in u64: the hash's key, LAYOUT."""
    words: Array = np.frombuffer(maps["flow_index4"].mmap(), "<u8")
    return words[places_of(maps) // 2 :]
