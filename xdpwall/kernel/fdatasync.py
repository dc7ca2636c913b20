"""fdatasync of one file while its caller does something else: POSIX aio_fsync(3).

The C library has a thread for it. One of Python's would need the interpreter to begin, and its
caller would have to stop until it has begun.
"""

from __future__ import annotations

import ctypes
import errno
import functools
import os

_SIGEV_NONE = 1


class _Event(ctypes.Structure):
    """struct sigevent."""

    _fields_ = (
        ("value", ctypes.c_void_p),
        ("signal", ctypes.c_int),
        ("notify", ctypes.c_int),
        ("more", ctypes.c_char * 48),
    )


class _Block(ctypes.Structure):
    """struct aiocb of 64-bit systems; what follows these fields is the C library's."""

    _fields_ = (
        ("fildes", ctypes.c_int),
        ("opcode", ctypes.c_int),
        ("priority", ctypes.c_int),
        ("buffer", ctypes.c_void_p),
        ("size", ctypes.c_size_t),
        ("event", _Event),
        ("own", ctypes.c_char * 256),
    )


@functools.cache
def _lib() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


class DiskWait:
    """One wait at a time."""

    def __init__(self) -> None:
        self._block = _Block(event=_Event(notify=_SIGEV_NONE))
        self._blocks = (ctypes.POINTER(_Block) * 1)(ctypes.pointer(self._block))

    def begin(self, fd: int) -> None:
        """On disk when wait() returns, which has to be called; `fd` is writable. OSError."""
        self._block.fildes = fd
        if _lib().aio_fsync(os.O_DSYNC, ctypes.byref(self._block)):
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))

    def wait(self) -> None:
        """The end of what begin() began; OSError."""
        lib, block = _lib(), ctypes.byref(self._block)
        while (number := lib.aio_error(block)) == errno.EINPROGRESS:
            lib.aio_suspend(self._blocks, 1, None)
        lib.aio_return(block)
        if number:
            raise OSError(number, os.strerror(number))
