"""Long work in pieces, on several CPUs: for system calls, which let other threads run."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable

MOST = 4
"""Threads; what is done here is to leave CPUs to others."""


def spread(work: Callable[[int], None], pieces: range) -> None:
    """`work(piece)` for each, in no order, by as many threads as there are CPUs for this process.

    The first error ends it, Ctrl-C as well: no further piece is begun, and none is at work when
    the error is raised.
    """
    left, lock = iter(pieces), threading.Lock()
    failures: list[BaseException] = []

    def run() -> None:
        try:
            while not failures:
                with lock:
                    piece = next(left, None)
                if piece is None:
                    return
                work(piece)
        except BaseException as error:  # noqa: BLE001 - raised below, by the caller's thread
            failures.append(error)

    count = min(MOST, len(os.sched_getaffinity(0)), len(pieces)) - 1
    others = [threading.Thread(target=run, daemon=True) for _ in range(count)]
    try:
        for thread in others:
            thread.start()
        run()
    except BaseException as error:  # noqa: BLE001 - likewise
        failures.append(error)
    for thread in others:
        if thread.ident is not None:
            _wait(thread, failures)
    if failures:
        raise failures[0]


def _wait(thread: threading.Thread, failures: list[BaseException]) -> None:
    """Until it has ended, also when Ctrl-C comes meanwhile; then that is a failure."""
    try:
        thread.join()
    except KeyboardInterrupt as error:
        failures.append(error)
        _wait(thread, failures)
