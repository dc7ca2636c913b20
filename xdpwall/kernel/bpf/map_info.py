"""What a map is to bpf(2): enum bpf_map_type, creation flags, struct bpf_map_info."""

from __future__ import annotations

import enum
from dataclasses import dataclass

BPF_F_NO_PREALLOC = 1 << 0
BPF_F_MMAPABLE = 1 << 10


class MapType(enum.IntEnum):
    """enum bpf_map_type, as far as we use it."""

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
    """What the kernel says about a map. `name` is cut to 15 characters by the kernel."""

    id: int
    name: str
    type: int
    key_size: int
    value_size: int
    max_entries: int
    flags: int
