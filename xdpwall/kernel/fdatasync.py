"""fdatasync(2) of one file while its caller does something else: POSIX aio_fsync(3).

The C library has a thread for it. A thread of Python's would need the interpreter to start, and its
caller would have to stop until it has started. A process forked from one that used it has not that thread,
and the library waits for it (glibc keeps it for a second after its last work): there the caller writes itself.
"""

from __future__ import annotations

import ctypes
import errno
import os

from .libc import last_error, libc

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


_main_process = os.getpid()
"""In which this module was loaded, and the library's thread may be."""


class BackgroundFdatasync:
    """An fdatasync in the background; at most one at a time."""

    def __init__(self) -> None:
        self._begun = False
        self._block = _Block(event=_Event(notify=_SIGEV_NONE))
        self._blocks = (ctypes.POINTER(_Block) * 1)(ctypes.pointer(self._block))

    def begin(self, fd: int) -> None:
        """Start writing the file of the writable `fd` to disk; wait() must follow. OSError."""
        if os.getpid() != _main_process:
            os.fdatasync(fd)
            return
        self._block.fildes = fd
        if libc().aio_fsync(os.O_DSYNC, ctypes.byref(self._block)):
            raise last_error()
        self._begun = True

    def wait(self) -> None:
        """Wait until the write that begin() started is on disk; OSError when it failed."""
        if not self._begun:
            return
        self._begun = False
        lib, block = libc(), ctypes.byref(self._block)
        while (number := lib.aio_error(block)) == errno.EINPROGRESS:
            lib.aio_suspend(self._blocks, 1, None)
        lib.aio_return(block)
        if number:
            raise OSError(number, os.strerror(number))
