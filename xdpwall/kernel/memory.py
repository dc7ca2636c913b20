"""The memory of this process."""

from __future__ import annotations

from .libc import libc


def give_back() -> None:
    """Return free memory to the system, which takes some milliseconds.

    glibc keeps what large arrays leave between small allocations; other C libraries have no
    malloc_trim(3), and then nothing happens.
    """
    if hasattr(libc(), "malloc_trim"):
        libc().malloc_trim(0)
