"""Pause or put off Python's search for cyclic garbage. Touches no files and no kernel."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

_OBJECTS = 20_000
"""Objects that come between two searches: some MB, where all of them are garbage."""


@contextmanager
def no_collections() -> Iterator[None]:
    """For what makes many objects that stay, as a ruleset does: the search goes through all of them
    again and again, which is a fifth of the time that 10,000 rules take.

    It is the whole process's. When two threads are in here, the first that leaves may end it for
    both, and the last that leaves has ended it."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def put_off_collections() -> None:
    """Exempt all present objects from the search, and let newer ones be searched less often.

    For a service that has started: a search, by default after 700 new objects, would hold a
    change up for milliseconds."""
    gc.freeze()
    gc.set_threshold(_OBJECTS)
