"""Whose secret it is: the tokens in memory, found by their digests, and when each was used last."""

from __future__ import annotations

import hashlib
import ipaddress
import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from time import monotonic

from xdpwall.errors import XdpwallError
from xdpwall.store.token_file import StoredToken, TokenFile, Tokens
from xdpwall.values.times import epoch_seconds, epoch_text

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

log = logging.getLogger("xdpwall.tokens")


@dataclass(frozen=True, slots=True)
class KnownToken:
    """A token in the form in which requests are held against it."""

    stored: StoredToken
    expires: float | None
    """Seconds since 1970."""
    networks: tuple[Network, ...]

    def is_over(self, now: float) -> bool:
        """Whether its time is over at `now`, in seconds since 1970."""
        return self.expires is not None and now >= self.expires

    def takes(self, address: str | None) -> bool:
        """Whether it may be used from an address."""
        if not self.networks:
            return True
        if address is None:
            return False
        try:
            found = ipaddress.ip_address(address.partition("%")[0])
        except ValueError:
            return False
        plain = getattr(found, "ipv4_mapped", None) or found
        return any(plain in network for network in self.networks)


class TokenBook:
    """The tokens of one state folder. Any thread may use it."""

    def __init__(self, state_dir: Path, seconds: Callable[[], float]) -> None:
        """`seconds` is the time of day that expiries are held against."""
        self.file = TokenFile(state_dir)
        self.seconds = seconds
        self._known: tuple[Tokens, dict[str, KnownToken]] = ({}, {})
        self._used: dict[str, tuple[float, str | None]] = {}
        self._fault: str | None = None

    def find(self, secret: bytes) -> KnownToken | None:
        """The token of this secret, which may be over; None when there is none."""
        return self._by_digest().get(hashlib.sha256(secret).hexdigest())

    def named(self, name: str, digest: str) -> KnownToken | None:
        """The token of this name, if it still has this digest."""
        found = self._by_digest().get(digest)
        return found if found is not None and found.stored.name == name else None

    def use(self, known: KnownToken, address: str | None) -> None:
        """Keep in mind that it is used now."""
        self._used[known.stored.name] = (monotonic(), address)

    def forget_use(self, name: str) -> None:
        """Forget when the token of this name was used: it has another secret now, or is gone."""
        self._used.pop(name, None)

    @property
    def has_uses(self) -> bool:
        """Whether save_uses() has something to write."""
        return bool(self._used)

    def with_uses(self, tokens: Tokens) -> Tokens:
        """The tokens with what is in mind about their use."""
        found, behind = dict(tokens), self.seconds() - monotonic()
        for name, (moment, address) in list(self._used.items()):
            if name in found:
                found[name] = replace(
                    found[name], last_used=epoch_text(int(moment + behind)), last_from=address
                )
        return found

    def save_uses(self) -> None:
        """Write when and from where tokens were used last. A full disk keeps nobody out."""
        used = dict(self._used)
        with suppress(XdpwallError, OSError), self.file.changing() as tokens:
            tokens.update(self.with_uses(tokens))
        for name, seen in used.items():
            if self._used.get(name) == seen:
                del self._used[name]

    def _by_digest(self) -> dict[str, KnownToken]:
        try:
            tokens = self.file.tokens()
        except (XdpwallError, OSError) as error:
            self._tell(str(error))
            return {}
        self._fault = None
        before, known = self._known
        if tokens is not before:
            known = {one.digest: _known(one) for one in tokens.values()}
            self._known = (tokens, known)
        return known

    def _tell(self, fault: str) -> None:
        if fault != self._fault:
            log.error("tokens: %s", fault)
        self._fault = fault


def _known(stored: StoredToken) -> KnownToken:
    expires = None if stored.expires is None else float(epoch_seconds(stored.expires))
    return KnownToken(stored, expires, tuple(map(ipaddress.ip_network, stored.sources)))
