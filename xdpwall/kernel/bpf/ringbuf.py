"""A BPF ring buffer, read by libbpf. One reader at a time: the place read so far is the map's."""

from __future__ import annotations

import ctypes
import errno
import weakref

from xdpwall.closing import Closing
from xdpwall.kernel.os_errors import os_error

from .libbpf import RING_SAMPLE, check, lib
from .maps import Map

_ENOUGH = -errno.ECANCELED


class RingBuffer(Closing):
    """Over an open map of type RINGBUF, which stays the caller's. Not for several threads."""

    def __init__(self, ring: Map) -> None:
        self._map = ring
        self._records: list[bytes] = []
        self._most = 0
        self._sample = RING_SAMPLE(self._take)  # held here: libbpf keeps the pointer
        handle = lib().ring_buffer__new(ring.fileno(), self._sample, None, None)
        if not handle:
            raise os_error(ctypes.get_errno(), f"map {ring.info.name} cannot be read")
        self._handle = handle
        self._closer = weakref.finalize(self, lib().ring_buffer__free, handle)

    def read(self, timeout: float, most: int = 4096) -> list[bytes]:
        """The records that are there, oldest first, at most `most`; [] after `timeout` seconds.

        Each is given once; its room is free for new ones from then on.
        """
        self._records, self._most = [], most
        self._check(lib().ring_buffer__consume(self._handle))
        if not self._records and timeout > 0:
            self._check(lib().ring_buffer__poll(self._handle, max(1, round(timeout * 1000))))
        return self._records

    def close(self) -> None:
        """What was not read stays in the map for the next reader."""
        self._closer()

    def _take(self, context: int | None, data: int, size: int) -> int:
        self._records.append(ctypes.string_at(data, size))
        # A stop after this record, which libbpf counts as read: a flood would keep it busy forever.
        return _ENOUGH if len(self._records) >= self._most else 0

    def _check(self, result: int) -> None:
        if result not in (_ENOUGH, -errno.EINTR):
            check(result, f"map {self._map.info.name} cannot be read")
