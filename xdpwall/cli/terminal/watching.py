"""Looking again and again: at which moments, how fast counters grow, and on a cleared terminal."""

from __future__ import annotations

import time
from collections.abc import Hashable, Iterator, Mapping
from typing import Generic, TypeVar

from .output import Printer

_HOME_AND_CLEAR = "\x1b[H\x1b[J"
K = TypeVar("K", bound=Hashable)


def is_live(printer: Printer) -> bool:
    """Whether each look is drawn over the one before: tables on a terminal."""
    return printer.asked.output in ("table", "wide") and printer.stream.isatty()


def begin_look(printer: Printer, number: int) -> None:
    """Clear the terminal, or part this look from the one before by an empty line."""
    if is_live(printer):
        printer.stream.write(_HOME_AND_CLEAR)
    elif number:
        printer.line()


def look_times(interval: float, times: int | None) -> Iterator[float]:
    """The moments to look at, by the monotonic clock; a late look does not shift the next."""
    due = time.monotonic()
    done = 0
    while times is None or done < times:
        if done:
            time.sleep(max(0.0, due - time.monotonic()))
        yield time.monotonic()
        done += 1
        due += interval


class RateMeter(Generic[K]):
    """Packets and bits a second since the look before."""

    def __init__(self) -> None:
        self._before: Mapping[K, tuple[int, int]] = {}
        self._last: float | None = None

    def rates(
        self, moment: float, counts: Mapping[K, tuple[int, int]]
    ) -> dict[K, tuple[float, float] | None]:
        """By key, from (packets, bytes); None where there was no look before. A counter that was
        reset in between has no rate."""
        seconds = 0.0 if self._last is None else moment - self._last
        found: dict[K, tuple[float, float] | None] = {}
        for key, (packets, size) in counts.items():
            before = self._before.get(key)
            if before is None or seconds <= 0:
                found[key] = None
            else:
                grown = max(0, packets - before[0]), max(0, size - before[1])
                found[key] = grown[0] / seconds, grown[1] * 8 / seconds
        self._before, self._last = dict(counts), moment
        return found
