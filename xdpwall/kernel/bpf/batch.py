"""Read and write many map elements by one system call (BPF_MAP_*_BATCH), as numpy arrays.

numpy is imported only when something is read, as importing it delays the start of commands.
"""

from __future__ import annotations

import ctypes
import errno
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from .libbpf import BatchOpts, cpus, lib
from .spread import spread

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from xdpwall.errors import XdpwallError

    from .map_info import MapDescription

    Buffer = bytes | bytearray | NDArray[Any]

_CHUNK = 65536
"""Elements per system call; Ctrl-C takes effect between two calls."""
_HASH = 1
_ATTEMPTS = 10
_GAP = 64  # reading this many unwanted elements is cheaper than one more system call


class Table(Protocol):
    """The attributes of maps.Map that batches use."""

    @property
    def info(self) -> MapDescription: ...
    @property
    def stride(self) -> int: ...
    @property
    def value_bytes(self) -> int: ...
    def fileno(self) -> int: ...
    def failure(self, number: int, verb: str, more: str | None = None) -> XdpwallError: ...


class _Memory:
    """The address of a buffer of `size` bytes, which lives as long as this object; else ValueError."""

    def __init__(self, buffer: Buffer, size: int, what: str) -> None:
        if isinstance(buffer, bytes | bytearray):
            self._keep: Any = ctypes.create_string_buffer(bytes(buffer), len(buffer))
            self.address, length = ctypes.addressof(self._keep), len(buffer)
        else:
            import numpy as np

            self._keep = np.ascontiguousarray(buffer)
            self.address, length = self._keep.ctypes.data, self._keep.nbytes
        if length != size:
            raise ValueError(f"{what}: {length} bytes, not {size}")


def _options(flags: int = 0) -> BatchOpts:
    return BatchOpts(sz=ctypes.sizeof(BatchOpts), elem_flags=flags)


def update_elements(table: Table, keys: Buffer, values: Buffer, count: int, flags: int) -> None:
    """As Map.update_batch()."""
    if count == 0:
        return
    key_memory = _Memory(keys, count * table.info.key_size, "keys")
    value_memory = _Memory(values, count * table.value_bytes, "values")

    def piece(start: int) -> None:
        size = min(_CHUNK, count - start)
        done = ctypes.c_uint32(size)
        result = lib().bpf_map_update_batch(
            table.fileno(),
            key_memory.address + start * table.info.key_size,
            value_memory.address + start * table.value_bytes,
            ctypes.byref(done),
            ctypes.byref(_options(flags)),
        )
        if result < 0:
            raise table.failure(-result, "written", f"{done.value} of {size} elements written")

    _in_pieces(table, piece, count)


def delete_elements(table: Table, keys: Buffer, count: int) -> int:
    """As Map.delete_batch()."""
    memory = _Memory(keys, count * table.info.key_size, "keys")
    deleted: list[int] = []

    def piece(start: int) -> None:
        at, end = start, min(start + _CHUNK, count)
        while at < end:
            done = ctypes.c_uint32(end - at)
            result = lib().bpf_map_delete_batch(
                table.fileno(),
                memory.address + at * table.info.key_size,
                ctypes.byref(done),
                ctypes.byref(_options()),
            )
            deleted.append(done.value)
            at += done.value
            if result == -errno.ENOENT:
                at += 1  # the batch ended at a missing key
            elif result < 0:
                raise table.failure(-result, "deleted from", f"{sum(deleted)} elements deleted")

    _in_pieces(table, piece, count)
    return sum(deleted)


def _in_pieces(table: Table, piece: Callable[[int], None], count: int) -> None:
    """Call `piece(start)` for each _CHUNK elements; in several threads for a hash, which has a lock
    for each bucket, where a trie has one lock."""
    starts = range(0, count, _CHUNK)
    if len(starts) > 1 and table.info.type == _HASH:
        spread(piece, starts)
    else:
        for start in starts:
            piece(start)


def _lookup(
    table: Table, after: Any, cursor: Any, keys: NDArray[np.uint8], values: NDArray[np.uint8]
) -> tuple[int, int]:
    """Read at most len(keys) elements into `keys` and `values`: (result, elements read)."""
    done = ctypes.c_uint32(len(keys))
    result = lib().bpf_map_lookup_batch(
        table.fileno(),
        after,
        cursor,
        keys.ctypes.data,
        values.ctypes.data,
        ctypes.byref(done),
        ctypes.byref(_options()),
    )
    return result, done.value


def lookup_all(table: Table) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """As Map.lookup_batch()."""
    import numpy as np

    chunk = max(1, min(table.info.max_entries, _CHUNK))
    attempts = 0
    parts: list[tuple[NDArray[np.uint8], NDArray[np.uint8]]] = []
    cursor = ctypes.create_string_buffer(max(table.info.key_size, 4))
    after = None
    while True:
        keys = np.empty((chunk, table.info.key_size), np.uint8)
        values = np.empty((chunk, table.value_bytes), np.uint8)
        result, count = _lookup(table, after, cursor, keys, values)
        if (
            result == -errno.EINTR and attempts < _ATTEMPTS
        ):  # a trie that changed meanwhile: read it again
            attempts, after, parts = attempts + 1, None, []
            continue
        if result < 0 and result != -errno.ENOENT:
            raise table.failure(-result, "read")
        parts.append((keys[:count], values[:count]))
        if result == -errno.ENOENT:
            break
        after = cursor
    return np.concatenate([p[0] for p in parts]), np.concatenate([p[1] for p in parts])


def read_percpu(table: Table, indices: Sequence[int] | range | NDArray[Any]) -> NDArray[np.uint8]:
    """As Map.read_percpu()."""
    import numpy as np

    wanted = np.asarray(indices, dtype=np.int64)
    out = np.empty((len(wanted), cpus(), table.stride), np.uint8)
    if len(wanted) == 0:
        return out[:, :, : table.info.value_size]
    order = np.argsort(wanted, kind="stable")
    ordered = wanted[order]
    if ordered[0] < 0 or ordered[-1] >= table.info.max_entries:
        raise IndexError(f"{table.info.name} has the indices 0 to {table.info.max_entries - 1}")
    for run in np.split(np.arange(len(order)), np.flatnonzero(np.diff(ordered) > _GAP) + 1):
        first, last = int(ordered[run[0]]), int(ordered[run[-1]])
        block = _read_run(table, first, last - first + 1)
        out[order[run]] = block.reshape(-1, cpus(), table.stride)[ordered[run] - first]
    return out[:, :, : table.info.value_size]


def _read_run(table: Table, first: int, count: int) -> NDArray[np.uint8]:
    """Read `count` elements of an array from index `first`: u8 (count, value_bytes)."""
    import numpy as np

    keys = np.empty((count, 4), np.uint8)
    values = np.empty((count, table.value_bytes), np.uint8)
    cursor = ctypes.create_string_buffer(4)
    # The kernel starts after the given index, and at 0 without one.
    after = ctypes.c_uint32(first - 1) if first else None
    result, done = _lookup(
        table, ctypes.byref(after) if after is not None else None, cursor, keys, values
    )
    if (result < 0 and result != -errno.ENOENT) or done != count:
        raise table.failure(-result, "read", f"{done} of {count} elements read")
    return values
