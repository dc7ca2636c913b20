"""Run long work in pieces on several CPUs: for system calls, which release the GIL."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable

MAX_THREADS = 4
"""Limit that leaves CPUs to other processes."""


def spread(work: Callable[[int], None], pieces: range) -> None:
    """Call `work(piece)` for each piece, in any order, in a thread for each CPU of this process.

    After the first error, Ctrl-C included, no further piece is started, and all started ones have
    ended when the error is raised.
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

    count = min(MAX_THREADS, len(os.sched_getaffinity(0)), len(pieces)) - 1
    others = [threading.Thread(target=run, daemon=True) for _ in range(count)]
    try:
        for thread in others:
            thread.start()
        run()
    except BaseException as error:  # noqa: BLE001 - raised below
        failures.append(error)
    for thread in others:
        if thread.ident is not None:
            _wait(thread, failures)
    if failures:
        raise failures[0]


def _wait(thread: threading.Thread, failures: list[BaseException]) -> None:
    """Wait for the end of the thread; Ctrl-C meanwhile is added to `failures`."""
    try:
        thread.join()
    except KeyboardInterrupt as error:
        failures.append(error)
        _wait(thread, failures)
