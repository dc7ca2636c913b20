"""The kernel's tick: BPF programs read jiffies64 for less than any clock costs, but not its rate."""

from __future__ import annotations

import time

_MONOTONIC_COARSE = 6  # linux/time.h


def jiffies_per_second() -> int:
    """The kernel's HZ: CLOCK_MONOTONIC_COARSE advances once a jiffy."""
    return round(1 / time.clock_getres(_MONOTONIC_COARSE))
