"""BPF maps: single elements, batches, per-CPU values and memory mappings.

Keys and values are bytes in the kernel's layout. A per-CPU value has one element of `stride` bytes
for each possible CPU. Failures: Full when there is no room (E2BIG, ENOMEM, ENOSPC),
NeedsPrivileges, NotFound for a pin or an index that does not exist, Failed for the rest.
"""

from __future__ import annotations

import ctypes
import errno
import functools
import mmap
import os
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from xdpwall.errors import XdpwallError
from xdpwall.kernel.os_errors import os_error

from . import batch
from .handle import Handle
from .libbpf import MapCreateOpts, MapInfo, check, cpus, lib
from .map_info import MapDescription, MapType

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Bytes2 = NDArray[np.uint8]  # (n, width)
    from .batch import Buffer

_PERCPU = {MapType.PERCPU_HASH, MapType.PERCPU_ARRAY, MapType.LRU_PERCPU_HASH}
_ARRAYS = {MapType.ARRAY, MapType.PERCPU_ARRAY, MapType.ARRAY_OF_MAPS}


class Map(Handle):
    """An open map. Threads may share it: the kernel does the locking."""

    kind: ClassVar[str] = "map"

    @functools.cached_property
    def info(self) -> MapDescription:
        """The kernel's description, read once: it never changes."""
        raw, size = MapInfo(), ctypes.c_uint32(ctypes.sizeof(MapInfo))
        result = lib().bpf_obj_get_info_by_fd(self.fileno(), ctypes.byref(raw), ctypes.byref(size))
        check(result, "a map cannot be described")
        return MapDescription(
            id=raw.id,
            name=raw.name.decode(),
            type=raw.type,
            key_size=raw.key_size,
            value_size=raw.value_size,
            max_entries=raw.max_entries,
            flags=raw.map_flags,
        )

    @property
    def id(self) -> int:
        return self.info.id

    @property
    def stride(self) -> int:
        """Bytes from one element to the next in mmap(), and between CPUs: a multiple of 8."""
        return (self.info.value_size + 7) & ~7

    @functools.cached_property
    def value_bytes(self) -> int:
        """Bytes that one lookup gives and one update takes."""
        return self.stride * cpus() if self.info.type in _PERCPU else self.info.value_size

    @property
    def is_array(self) -> bool:
        return self.info.type in _ARRAYS

    def lookup(self, key: bytes | int) -> bytes | None:
        """The value, or None when there is no such key. An int is a u32 key (arrays)."""
        value = ctypes.create_string_buffer(self.value_bytes)
        result = lib().bpf_map_lookup_elem(self.fileno(), self._key(key), value)
        if result == -errno.ENOENT:
            return None
        check(result, self._cannot("looked up"))
        return value.raw

    def update(self, key: bytes | int, value: bytes, flags: int = 0) -> None:
        """Write one element. `flags`: BPF_ANY 0, BPF_NOEXIST 1 (Conflict), BPF_EXIST 2 (NotFound)."""
        if len(value) != self.value_bytes:
            raise ValueError(
                f"{self.info.name}: value of {len(value)} bytes, not {self.value_bytes}"
            )
        result = lib().bpf_map_update_elem(self.fileno(), self._key(key), value, flags)
        if result < 0:
            raise self.failure(-result, "written")

    def delete(self, key: bytes) -> bool:
        """Remove one element of a hash or a trie; False when there was none."""
        result = lib().bpf_map_delete_elem(self.fileno(), self._key(key))
        if result == -errno.ENOENT:
            return False
        check(result, self._cannot("deleted from"))
        return True

    def keys(self) -> Iterator[bytes]:
        """Every key. Keys that come and go meanwhile may be missed or, in a hash, met twice."""
        last: bytes | None = None
        following = ctypes.create_string_buffer(self.info.key_size)
        while True:
            result = lib().bpf_map_get_next_key(self.fileno(), last, following)
            if result == -errno.ENOENT:
                return
            check(result, self._cannot("listed"))
            last = following.raw
            yield last

    def update_batch(self, keys: Buffer, values: Buffer, count: int, flags: int = 0) -> None:
        """Write `count` elements: keys of count x key_size bytes, all different; values of count x
        value_bytes. Not atomic: after Full, `detail` says how many elements the failed system call
        had written."""
        batch.update_elements(self, keys, values, count, flags)

    def delete_batch(self, keys: Buffer, count: int) -> int:
        """Remove `count` keys; returns how many existed."""
        return batch.delete_elements(self, keys, count)

    def lookup_batch(self) -> tuple[Bytes2, Bytes2]:
        """Every element: keys (n, key_size) and values (n, value_bytes), u8. Elements of a hash that
        change meanwhile may be read twice or not at all."""
        return batch.lookup_all(self)

    def read_percpu(self, indices: Sequence[int] | range | NDArray[Any]) -> NDArray[np.uint8]:
        """Elements of a per-CPU array: u8 (len(indices), ncpu, value_size), in the given order."""
        return batch.read_percpu(self, indices)

    def zero_percpu(self, index: int) -> None:
        """Zero one element on all CPUs. Not atomic: no program may count there meanwhile."""
        self.update(index, bytes(self.value_bytes))

    def mmap(self, *, writable: bool = True) -> memoryview:
        """The elements of an array made with BPF_F_MMAPABLE, `stride` bytes each, in this memory.

        The mapping lives as long as the view, or anything made from it (np.frombuffer), also after
        close(); a map that was replaced is freed when the last view goes.
        """
        protection = mmap.PROT_READ | (mmap.PROT_WRITE if writable else 0)
        length = self.stride * self.info.max_entries
        try:
            mapping = mmap.mmap(self.fileno(), length, mmap.MAP_SHARED, protection)
        except OSError as error:
            raise self.failure(error.errno or errno.EINVAL, "mapped into memory") from error
        return memoryview(mapping)

    def failure(self, number: int, verb: str, more: str | None = None) -> XdpwallError:
        """The error for errno `number`; E2BIG is NotFound for an array and Full for other maps."""
        message = self._cannot(verb)
        if number == errno.E2BIG and self.is_array:
            number, message = errno.ENOENT, f"map {self.info.name}: no such index"
        elif number in (errno.E2BIG, errno.ENOSPC):
            message = f"map {self.info.name} is full ({self.info.max_entries} entries)"
        return os_error(number, message, more=more)

    def _cannot(self, verb: str) -> str:
        return f"map {self.info.name} cannot be {verb}"

    def _key(self, key: bytes | int) -> bytes:
        if isinstance(key, int):
            key = key.to_bytes(4, "little")
        if len(key) != self.info.key_size:
            raise ValueError(f"{self.info.name}: key of {len(key)} bytes, not {self.info.key_size}")
        return key


def create_map(
    type: int,
    name: str,
    key_size: int,
    value_size: int,
    max_entries: int,
    flags: int = 0,
    *,
    inner: Map | None = None,
) -> Map:
    """A new map; it is gone with its last descriptor or pin. `inner` is the template of a map of
    maps. `name`: up to 15 letters, digits, `_` and `.`."""
    options = MapCreateOpts(
        sz=ctypes.sizeof(MapCreateOpts),
        map_flags=flags,
        inner_map_fd=inner.fileno() if inner else 0,
    )
    result = lib().bpf_map_create(
        type, os.fsencode(name), key_size, value_size, max_entries, ctypes.byref(options)
    )
    return Map(check(result, f"map {name} cannot be made"))
