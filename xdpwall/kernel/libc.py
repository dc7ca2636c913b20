"""Functions of the C library that Python 3.11 does not offer, as ctypes declarations."""

from __future__ import annotations

import ctypes
import functools
import os
from ctypes import POINTER, c_char_p, c_int, c_size_t, c_uint, c_ulong, c_void_p
from typing import Any

_ARGUMENTS: dict[str, list[Any]] = {
    "adjtimex": [c_void_p],
    "aio_error": [c_void_p],
    "aio_fsync": [c_int, c_void_p],
    "aio_return": [c_void_p],
    "aio_suspend": [c_void_p, c_int, c_void_p],
    "capget": [c_void_p, c_void_p],
    "capset": [c_void_p, c_void_p],
    "free": [c_void_p],
    "inotify_add_watch": [c_int, c_char_p, c_uint],
    "inotify_init1": [c_int],
    "malloc_trim": [c_size_t],
    "mount": [c_char_p, c_char_p, c_char_p, c_ulong, c_char_p],
    "renameat2": [c_int, c_char_p, c_int, c_char_p, c_uint],
    "setfsgid": [c_uint],
    "setfsuid": [c_uint],
    "setns": [c_int, c_int],
    "statfs": [c_char_p, c_void_p],
    "timerfd_create": [c_int, c_int],
    "timerfd_settime": [c_int, c_int, c_void_p, c_void_p],
    "vasprintf": [POINTER(c_void_p), c_char_p, c_void_p],
}
_GNU_ONLY = {"malloc_trim", "renameat2"}


@functools.cache
def libc() -> Any:
    """The library of this process; a function that fails sets ctypes.get_errno()."""
    library = ctypes.CDLL(None, use_errno=True)
    for name, arguments in _ARGUMENTS.items():
        if name not in _GNU_ONLY or hasattr(library, name):
            getattr(library, name).argtypes = arguments
    return library


def last_error(path: str | os.PathLike[str] | None = None) -> OSError:
    """The OSError of the call that failed last in this thread, about `path` if given."""
    number = ctypes.get_errno()
    return OSError(number, os.strerror(number), *([] if path is None else [str(path)]))
