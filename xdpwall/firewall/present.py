"""Now, for a process that has not opened the instance: what a command counts `for 10m` from."""

from __future__ import annotations

import functools
import time
from contextlib import closing

from xdpwall.dataplane.pinned_clock import PinnedClock
from xdpwall.errors import Refused
from xdpwall.instance.clock import InstanceClock
from xdpwall.kernel.clock import SystemClock
from xdpwall.settings import Settings
from xdpwall.trusted import check_file

_LOOK_AGAIN = 1.0
"""Seconds after which the clock may have been set."""


def believed_seconds(settings: Settings) -> float:
    """Now, in seconds since 1970, as this instance believes it; the clock where that cannot be read."""
    return _present(settings).seconds()


class _BelievedNow:
    def __init__(self, settings: Settings) -> None:
        newest = functools.partial(_newest_change, settings)
        self._clock = InstanceClock(SystemClock(), newest, PinnedClock(settings.bpffs))
        self._looked = float("-inf")

    def seconds(self) -> float:
        if time.monotonic() - self._looked >= _LOOK_AGAIN:
            self._clock.look()
            self._clock.close()
            self._looked = time.monotonic()
        return self._clock.seconds()


_present = functools.lru_cache(maxsize=1)(_BelievedNow)


def _newest_change(settings: Settings) -> str | None:
    import sqlite3

    try:
        path = settings.state_dir / "xdpwall.db"
        check_file(path)
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as connection:
            row = connection.execute("SELECT time FROM audit ORDER BY id DESC LIMIT 1").fetchone()
            return None if row is None else str(row[0])
    except (sqlite3.Error, OSError, Refused):
        return None
