"""What is refused before it reaches a route: counted, told at a bounded rate, and slowed.

A wrong token is somebody who tries, or a program whose token was changed. The first ones of a user
are answered at once, the next ones ever later; right tokens never wait.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from xdpwall.api.serving.crowd import Owner
from xdpwall.errors import XdpwallError
from xdpwall.values.author import Author

log = logging.getLogger("xdpwall.api")

CODES = (
    "wrong-token",
    "expired-token",
    "wrong-code",
    "no-token",
    "wrong-role",
    "wrong-host",
    "wrong-origin",
    "not-http",
    "too-slow",
    "too-many-connections",
)
"""What is counted."""
LOG_EVERY = 60.0
AUDIT_EVERY = 600.0
"""Seconds between two lines about wrong tokens: a flood must not push out what else is told."""
FREE_TRIES = 5
FIRST_DELAY, MAX_DELAY = 0.1, 2.0
FORGET_AFTER = 60.0
"""Seconds without a wrong token after which a user's tries are free again."""
MOST_USERS = 1024

Note = Callable[[str, Author], Awaitable[None]]
"""Writes an entry of the audit trail."""


class Tally:
    """Tells at once what happens for the first time, then once a period how often it did since."""

    def __init__(self, period: float, tell: Callable[[int, str], None]) -> None:
        """`tell` gets how often, and who the last time."""
        self._period = period
        self._tell = tell
        self._count = 0
        self._who = ""
        self._timer: asyncio.TimerHandle | None = None

    def add(self, who: str) -> None:
        """It has happened, by `who`. To be called in the event loop."""
        self._count += 1
        self._who = who
        if self._timer is None:
            self._tell_now()

    def _tell_now(self) -> None:
        self._timer = None
        if self._count:
            count, self._count = self._count, 0
            self._timer = asyncio.get_running_loop().call_later(self._period, self._tell_now)
            self._tell(count, self._who)


@dataclass(slots=True)
class _Tries:
    count: int
    latest: float


class Refusals:
    """Counts since the service started, and what is done about wrong tokens."""

    def __init__(self, note: Note) -> None:
        self.counts = Counter(dict.fromkeys(CODES, 0))
        self._note = note
        self._tries: dict[Owner, _Tries] = {}
        self._logged = Tally(LOG_EVERY, _log_wrong_tokens)
        self._audited = Tally(AUDIT_EVERY, self._write_entry)
        self._misused = Tally(LOG_EVERY, self._tell_misuse)
        self._overreached = Tally(LOG_EVERY, _log_wrong_role)
        self._tasks: set[asyncio.Task[None]] = set()

    def count(self, code: str) -> None:
        """Count a refusal, where its code is one of CODES."""
        if code in self.counts:
            self.counts[code] += 1

    async def wrong_token(self, owner: Owner) -> None:
        """Tell of a wrong token, and wait as long as its answer has to."""
        who = author_name(owner)
        self._logged.add(who)
        self._audited.add(who)
        if delay := self.delay_of(owner, asyncio.get_running_loop().time()):
            await asyncio.sleep(delay)

    def wrong_role(self, who: str, what: str) -> None:
        """Count and tell of what somebody asked for whose role it is not."""
        self.count("wrong-role")
        self._overreached.add(f"{who}: {what}")

    def misused_token(self, name: str, address: str | None) -> None:
        """Tell of a token from where it is not valid."""
        self._misused.add(f"{name} from {address or 'an unknown place'}")

    def delay_of(self, owner: Owner, now: float) -> float:
        """Count a try of this user at `now`; the seconds for which its answer waits."""
        tries = self._tries.get(owner)
        if tries is None or now - tries.latest > FORGET_AFTER:
            if len(self._tries) >= MOST_USERS:
                self._tries.clear()
            tries = self._tries[owner] = _Tries(0, now)
        tries.count += 1
        tries.latest = now
        if tries.count <= FREE_TRIES:
            return 0.0
        doubled = min(tries.count - FREE_TRIES - 1, 10)
        return min(MAX_DELAY, FIRST_DELAY * 2.0**doubled)

    def _write_entry(self, count: int, who: str) -> None:
        self._begin_entry(f"refused {_times(count)}", Author(who, "tcp"))

    def _tell_misuse(self, count: int, what: str) -> None:
        times = "" if count == 1 else f", the last of {count:,}"
        log.warning("refused %s, where it is not valid%s", what, times)
        name, _, address = what.partition(" from ")
        by = Author(name, "tcp", address=address)
        self._begin_entry(f"refused: used where it is not valid{times}", by)

    def _begin_entry(self, action: str, by: Author) -> None:
        task = asyncio.ensure_future(self._write(action, by))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _write(self, action: str, by: Author) -> None:
        try:
            await self._note(action, by)
        except XdpwallError as error:
            log.warning("audit trail: %s", error.message)


def author_name(owner: Owner) -> str:
    """A user or a place, as the audit trail names it."""
    if owner is None:
        return "unknown"
    return f"uid {owner}" if isinstance(owner, int) else owner


def _log_wrong_tokens(count: int, who: str) -> None:
    log.warning("refused %s over TCP, the last of %s", _times(count), who)


def _log_wrong_role(count: int, what: str) -> None:
    times = "" if count == 1 else f", the last of {count:,}"
    log.warning("refused what needs another role%s: %s", times, what)


def _times(count: int) -> str:
    return "a wrong token" if count == 1 else f"{count:,} wrong tokens"
