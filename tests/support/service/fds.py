"""List the open descriptors of this process, for tests of leaks."""

from __future__ import annotations

import contextlib
import gc
import os
from collections.abc import Iterator


def open_fds() -> dict[int, str]:
    """Number to target of every descriptor."""
    gc.collect()
    found = {}
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(FileNotFoundError):  # the listing's own
            found[int(name)] = os.readlink(f"/proc/self/fd/{name}")
    return found


@contextlib.contextmanager
def no_new_fds() -> Iterator[None]:
    """AssertionError when more BPF descriptors are open after the block than before."""
    before = open_fds()
    yield
    new = {fd: to for fd, to in open_fds().items() if fd not in before and "bpf" in to}
    assert not new, f"left open: {new}"
