"""One-time codes: what a user of this host shows once in a browser, for a session with his own role."""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Callable
from typing import NamedTuple

from xdpwall.values.roles import Role

GOOD_FOR = 60
"""Seconds."""
MOST = 64
"""Codes at once; past them the oldest is given up."""


class CodeGrant(NamedTuple):
    """What a code opens."""

    owner: str
    role: Role


class PageCodes:
    """The codes that were made and not shown yet; they end with the process. For one thread."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._codes: dict[bytes, tuple[float, CodeGrant]] = {}

    def make(self, grant: CodeGrant) -> str:
        """A code of 128 random bits."""
        code = secrets.token_urlsafe(16)
        while len(self._codes) >= MOST:
            del self._codes[next(iter(self._codes))]
        self._codes[_digest(code)] = (self._clock() + GOOD_FOR, grant)
        return code

    def take(self, code: str) -> CodeGrant | None:
        """What the code opens, once; None for one that is unknown, over, or was shown before."""
        ends, grant = self._codes.pop(_digest(code), (0.0, None))
        return grant if self._clock() < ends else None


def _digest(code: str) -> bytes:
    # Looked up by a digest: how long that takes says nothing about the codes.
    return hashlib.sha256(code.encode(errors="replace")).digest()
