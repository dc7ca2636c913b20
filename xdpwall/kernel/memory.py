"""This process's own memory."""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Callable


def give_back() -> None:
    """Memory that is not in use goes back to the system. The C library keeps what large arrays
    leave between small things; to look for it takes some milliseconds."""
    _trim()(0)


@functools.cache
def _trim() -> Callable[[int], int]:
    found: Callable[[int], int] | None = getattr(ctypes.CDLL(None), "malloc_trim", None)
    return found or (lambda pad: 0)  # a C library that is not GNU's
