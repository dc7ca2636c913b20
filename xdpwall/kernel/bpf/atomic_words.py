"""Read or write a u64 of a memory-mapped map by a single instruction.

Python's slices and numpy's copies promise nothing about how many stores they use; a control word
that programs read at the same time must change at once.
"""

from __future__ import annotations

import ctypes
import threading

_fence = threading.Lock()


def _at(memory: memoryview, offset: int) -> ctypes.c_uint64:
    if offset % 8 or not 0 <= offset <= memory.nbytes - 8:
        raise ValueError(f"offset {offset} is not that of a u64 in {memory.nbytes} bytes")
    return ctypes.c_uint64.from_buffer(memory, offset)


def store_u64(memory: memoryview, offset: int, value: int) -> None:
    """Write `value` at byte `offset` (a multiple of 8) of a writable mapping, native byte order.

    Everything that this thread wrote before is visible to whoever sees the new value.
    """
    if not 0 <= value < 1 << 64:
        raise ValueError(f"{value} is not a u64")
    with _fence:  # two lock operations order the stores on CPUs that reorder them
        pass
    with _fence:
        _at(memory, offset).value = value


def load_u64(memory: memoryview, offset: int) -> int:
    """Read the u64 at byte `offset` of a writable mapping."""
    return _at(memory, offset).value
