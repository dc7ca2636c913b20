"""The tokens of an instance: state_dir/tokens, 0600, replaced as a whole.

Not in the database: whoever holds a token must get in when that is damaged, and a token that was
revoked must not come back with an older copy of it. Of a secret only its SHA-256 is kept. That is no
hash for passwords, and need not be: nobody guesses 256 random bits.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from time import monotonic

from xdpwall.errors import Failed
from xdpwall.values.roles import Role

from .checked_file import FileHead, claimed, read_checked, write_checked

_NO_HEAD = FileHead(None, 0, 0)


@dataclass(frozen=True, slots=True)
class StoredToken:
    """One token. Times are canonical."""

    name: str
    role: Role
    digest: str
    """SHA-256 of the secret, in hex."""
    created: str
    expires: str | None = None
    sources: tuple[str, ...] = ()
    """Prefixes, in their canonical spelling; none is all."""
    owner: str | None = None
    """Of a browser's session: who opened it."""
    last_used: str | None = None
    last_from: str | None = None


Tokens = dict[str, StoredToken]
"""By name."""


LOOK_EVERY = 0.25
"""Seconds between two looks at whether another process has changed the file."""


class TokenFile:
    """Reads the file again when it is another one than before. To be used by any thread."""

    def __init__(self, state_dir: Path) -> None:
        self._path = state_dir / "tokens"
        self._read: tuple[object, Tokens] = (None, {})
        self._looked = -LOOK_EVERY

    def tokens(self) -> Tokens:
        """The tokens now; not to be changed. What another process changes is seen LOOK_EVERY seconds
        later at the latest. Failed "corrupt" for a damaged file, OSError."""
        known, tokens = self._read
        moment = monotonic()
        if moment - self._looked < LOOK_EVERY:
            return tokens
        seen = self._signature()
        if seen != known:
            tokens = self._parse()
            self._read = (seen, tokens)
        self._looked = moment
        return tokens

    @contextmanager
    def changing(self) -> Iterator[Tokens]:
        """The tokens, to be changed: what is in them at the end is on disk. Nobody else writes meanwhile."""
        with claimed(self._path):
            before = self._parse()
            tokens = dict(before)
            yield tokens
            if tokens != before:
                records = [asdict(tokens[name]) for name in sorted(tokens)]
                content = json.dumps({"version": 1, "tokens": records}).encode()
                write_checked(self._path, _NO_HEAD, [content], lambda step: None)
                self._read = (self._signature(), tokens)

    def _signature(self) -> object:
        try:
            found = os.lstat(self._path)
        except FileNotFoundError:
            return None
        return found.st_ino, found.st_mtime_ns, found.st_size

    def _parse(self) -> Tokens:
        try:
            found = read_checked(self._path)
            if found is None:
                return {}
            records = json.loads(found[1][0])["tokens"]
            tokens = [StoredToken(**{**one, "sources": tuple(one["sources"])}) for one in records]
        except (Failed, ValueError, LookupError, TypeError) as error:
            if isinstance(error, Failed) and error.code != "corrupt":
                raise
            raise Failed(
                f"{self._path}: is damaged, so no token is taken",
                code="corrupt",
                hint=f"remove it and make the tokens anew: rm {self._path}; xdpwall token add",
                detail=str(error),
            ) from error
        return {one.name: one for one in tokens}
