"""A progress bar on stderr."""

from __future__ import annotations

import sys
import time
from typing import Self

from xdpwall.cli.options import Invocation

from .text import with_prefix

_WIDTH = 30
_PERIOD = 0.1
"""Seconds between two drawings."""


class ProgressBar:
    """A bar on one line, erased at the end. Nothing is drawn off a terminal or with -q."""

    def __init__(self, words: str, asked: Invocation) -> None:
        self._words = words
        self._shown = sys.stderr.isatty() and not asked.quiet
        self._next = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        if self._shown and self._next:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)

    def update(self, done: int, total: int) -> None:
        """Draw `done` of `total` bytes; a total of 0 is unknown."""
        now = time.monotonic()
        if not self._shown or now < self._next and done < total:
            return
        self._next = now + _PERIOD
        words = f"{self._words} {with_prefix(done, 'B')}"
        if total:
            part = min(done / total, 1.0)
            bar = ("#" * round(part * _WIDTH)).ljust(_WIDTH, ".")
            words = f"{self._words} [{bar}] {part:4.0%}"
        print(f"\r{words}\x1b[K", end="", file=sys.stderr, flush=True)

    def message(self, words: str) -> None:
        """Draw a message instead of the bar."""
        if self._shown:
            self._next = time.monotonic()
            print(f"\r{words}\x1b[K", end="", file=sys.stderr, flush=True)
