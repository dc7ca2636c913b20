"""Who asks, and what he may: by his user and groups over the unix socket, by his token over TCP."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from xdpwall.api.errors import HttpError
from xdpwall.api.serving.peer_roles import PeerRoles
from xdpwall.firewall.token_book import KnownToken, TokenBook
from xdpwall.values.roles import Role, rank_of

if TYPE_CHECKING:
    from starlette.types import Scope

CALLER = "xdpwall.caller"
"""The scope's key under which the middleware notes the Caller."""


@dataclass(slots=True)
class Peer:
    """The other end of a connection."""

    via: Literal["socket", "tcp"] = "tcp"
    uid: int | None = None
    """The peer's user id; None where it is not known, which over TCP may happen."""
    groups: tuple[int, ...] = ()
    """The peer's groups, over the unix socket."""
    certificate: tuple[str, ...] = ()
    """The names in its client certificate, which was verified."""
    place: str | None = None
    """Its address, or the /64 of it, where no user of this host is at the other end."""
    admitted: bool = False
    """It has shown a token, or needs none."""
    caller: Caller | None = None
    """Who that is by the roles of `asked`."""
    asked: PeerRoles | None = None

    @property
    def owner(self) -> int | str | None:
        """Whose connection it is, as far as is known: a user of this host, or a place elsewhere."""
        return self.place if self.uid is None else self.uid


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks."""

    name: str
    """As the audit trail has it: "uid 0", "token grafana"."""
    via: Literal["socket", "tcp", "page"]
    """page: a browser, for the user who opened its session."""
    role: Role | None = None
    token: KnownToken | None = None
    rank: int = field(init=False)
    """The role's, by which a request is let in."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "rank", rank_of(self.role))


MOST_CALLERS = 1024
"""Callers that are kept for the next request with the same token."""
NOBODY = Caller("nobody", "tcp")
"""Who has shown no token and needs none for what he asks."""


class Callers:
    """Finds out who asks."""

    def __init__(self, book: TokenBook, roles: PeerRoles | None = None) -> None:
        self.book = book
        self.roles = PeerRoles() if roles is None else roles
        self._by_digest: dict[str, Caller] = {}

    def by_peer(self, peer: Peer) -> Caller:
        """The caller at the other end of the unix socket; his role may be none."""
        if peer.caller is None or peer.asked is not self.roles:
            role = self.roles.role_of(peer.uid, peer.groups)
            peer.caller, peer.asked = Caller(f"uid {peer.uid}", "socket", role), self.roles
        return peer.caller

    def by_certificate(self, peer: Peer) -> Caller:
        """The caller with the peer's client certificate; his role may be none."""
        if peer.caller is None or peer.asked is not self.roles:
            name, role = self.roles.role_of_certificate(peer.certificate)
            peer.caller = Caller(f"certificate {name}", "tcp", role)
            peer.asked = self.roles
        return peer.caller

    def by_token(self, secret: bytes, address: str | None) -> Caller:
        """The caller with this secret. HttpError 401, MisusedToken."""
        known = self.book.find(secret)
        if known is None:
            raise _refusal("wrong-token", "the token is wrong")
        if known.expires is not None and known.is_over(self.book.seconds()):
            raise _refusal("expired-token", f"the token was valid until {known.stored.expires}")
        caller = self._by_digest.get(known.stored.digest)
        if caller is None or caller.token is not known:
            caller = _caller_with(known)
            if len(self._by_digest) >= MOST_CALLERS:
                self._by_digest.clear()
            self._by_digest[known.stored.digest] = caller
        if known.networks and not known.takes(address):
            # As if there were no such token: whoever has stolen it need not learn more.
            raise MisusedToken(caller.name)
        self.book.use(known, address)
        return caller

    def still(self, caller: Caller) -> bool:
        """Whether a caller who was let in would be let in now: his token may be gone meanwhile."""
        if caller.token is None:
            return True  # A peer's role is read from the settings, his connection is his own.
        stored = caller.token.stored
        known = self.book.named(stored.name, stored.digest)
        return known is not None and not known.is_over(self.book.seconds())


def caller_of(scope: Scope) -> Caller:
    """Who sent a request."""
    found: Caller = scope.get(CALLER, NOBODY)
    return found


TOKEN_HINT = "send `Authorization: Bearer TOKEN`; tokens are made by: sudo xdpwall token add NAME"


class MisusedToken(HttpError):
    """A token from where it is not valid: told as a wrong one, and noted as what it is."""

    def __init__(self, name: str) -> None:
        refusal = _refusal("wrong-token", "the token is wrong")
        super().__init__(
            401, refusal.code, refusal.detail, hint=refusal.hint, headers=refusal.headers
        )
        self.name = name


def _refusal(code: str, detail: str) -> HttpError:
    challenge: Mapping[str, str] = {
        "www-authenticate": 'Bearer realm="xdpwall", error="invalid_token"'
    }
    return HttpError(401, code, detail, hint=TOKEN_HINT, headers=challenge)


def wrong_token() -> HttpError:
    """The refusal of what is no token of this instance."""
    return _refusal("wrong-token", "the token is wrong")


def _caller_with(known: KnownToken) -> Caller:
    stored = known.stored
    if stored.owner is not None:
        return Caller(stored.owner, "page", stored.role, known)
    return Caller(f"token {stored.name}", "tcp", stored.role, known)
