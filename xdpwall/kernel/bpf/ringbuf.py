"""Read a BPF ring buffer through libbpf. One reader at a time: the map has one read position."""

from __future__ import annotations

import ctypes
import errno
import weakref

from xdpwall.closing import Closing
from xdpwall.kernel.os_errors import os_error

from .libbpf import RING_SAMPLE, check, lib
from .maps import Map

_STOP = -errno.ECANCELED


class RingBuffer(Closing):
    """Reader of an open map of type RINGBUF, which stays the caller's. Not thread-safe."""

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
        """Take the waiting records, oldest first, at most `most`; [] after `timeout` seconds.

        Each is returned once; its room is then free for new ones.
        """
        self._records, self._most = [], most
        self._check(lib().ring_buffer__consume(self._handle))
        if not self._records and timeout > 0:
            self._check(lib().ring_buffer__poll(self._handle, max(1, round(timeout * 1000))))
        return self._records

    def close(self) -> None:
        """End reading; unread records stay in the map for the next reader."""
        self._closer()

    def _take(self, context: int | None, data: int, size: int) -> int:
        self._records.append(ctypes.string_at(data, size))
        # Stop after this record, which libbpf counts as read: a flood would keep it busy forever.
        return _STOP if len(self._records) >= self._most else 0

    def _check(self, result: int) -> None:
        if result not in (_STOP, -errno.EINTR):
            check(result, f"map {self._map.info.name} cannot be read")
