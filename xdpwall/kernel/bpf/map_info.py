"""Types, flags and descriptions of maps: enum bpf_map_type, BPF_F_*, struct bpf_map_info."""

from __future__ import annotations

import enum
from dataclasses import dataclass

BPF_F_NO_PREALLOC = 1 << 0
BPF_F_MMAPABLE = 1 << 10


class MapType(enum.IntEnum):
    """The types of enum bpf_map_type that are used here."""

    HASH = 1
    ARRAY = 2
    PERCPU_HASH = 5
    PERCPU_ARRAY = 6
    LRU_HASH = 9
    LRU_PERCPU_HASH = 10
    LPM_TRIE = 11
    ARRAY_OF_MAPS = 12
    HASH_OF_MAPS = 13
    RINGBUF = 27


@dataclass(frozen=True, slots=True)
class MapDescription:
    """The kernel's description of a map, which cuts `name` to 15 characters."""

    id: int
    name: str
    type: int
    key_size: int
    value_size: int
    max_entries: int
    flags: int
