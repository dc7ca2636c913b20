"""The facade's methods about tokens, which Firewall inherits."""

from __future__ import annotations

import hashlib
import logging
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from difflib import get_close_matches
from itertools import count
from typing import TYPE_CHECKING

from xdpwall.changes.transactions import writing
from xdpwall.errors import Conflict, Failed, Full, NotFound, XdpwallError
from xdpwall.store.token_file import StoredToken, Tokens
from xdpwall.values.addresses import parse_prefix, prefix_text
from xdpwall.values.author import Author
from xdpwall.values.inputs import first_few, invalid, parse_in_list
from xdpwall.values.names import parse_name
from xdpwall.values.roles import Role, parse_role
from xdpwall.values.time_read import parse_expiry
from xdpwall.values.times import epoch_seconds, epoch_text
from xdpwall.views.tokens import TokenList, TokenOutcome, TokensRevoked, TokenView

from .token_book import TokenBook

if TYPE_CHECKING:
    from xdpwall.instance.instance import Instance

MAX_TOKENS = 256
MAX_SOURCES = 64
"""Prefixes of one token."""
SESSION_HOURS = 12
MAX_SESSIONS = 32
"""Sessions of browsers at once."""
FIRST = "first"
"""The name of the token that was the file `token` of an earlier release."""
PREFIX = "xdpwall_"
"""In front of each secret, so that a scanner for leaked ones knows it."""

_ANYONE = Author()
log = logging.getLogger("xdpwall.tokens")


class TokenMethods:
    """Makes, lists and takes back the tokens of `_instance`."""

    _instance: Instance
    _book: TokenBook | None = None

    @property
    def token_book(self) -> TokenBook:
        """The tokens, for whoever takes requests."""
        if self._book is None:
            with self._instance.lock.threads:
                self._instance.clock.seconds()  # which asks the disk the first time, and then no more
            self._book = TokenBook(self._instance.settings.state_dir, self._instance.clock.seconds)
        return self._book

    def tokens(self) -> TokenList:
        """Every token, without its secret."""
        book = self.token_book
        with _told():
            found = book.with_uses(book.file.tokens())
        return TokenList(tokens=[self._view(found[name]) for name in sorted(found)])

    def add_token(
        self,
        name: str,
        role: str,
        *,
        expires: str | None = None,
        sources: Sequence[str] = (),
        by: Author = _ANYONE,
    ) -> TokenOutcome:
        """Make a token. Conflict "token-exists", Full "too-many-tokens"."""
        parse_name("name", name, "a token's name")
        made = StoredToken(
            name,
            parse_role("role", role),
            "",
            self._moment(),
            None if expires is None else self._expiry(expires),
            _parse_sources(sources),
        )
        secret, digest = _new_secret()
        with self._changing() as tokens:
            if name in tokens:
                raise Conflict(
                    f"a token is called {name!r} already",
                    code="token-exists",
                    field="name",
                    value=name,
                    hint=f"a new secret for it: xdpwall token rotate {name}",
                )
            if len(tokens) >= MAX_TOKENS:
                raise Full(
                    f"{MAX_TOKENS} tokens are there already, the most that fit",
                    code="too-many-tokens",
                    hint="revoke those that are over or not used: xdpwall token list",
                )
            # First, so that no token is made of which the audit trail does not know.
            self._note(f"token add {name} ({made.role})", by)
            tokens[name] = replace(made, digest=digest)
        return TokenOutcome(token=self._view(made), secret=secret)

    def rotate_token(self, name: str, *, by: Author = _ANYONE) -> TokenOutcome:
        """A new secret for a token; the former one is refused from now on."""
        secret, digest = _new_secret()
        with self._changing() as tokens:
            found = tokens[name] = replace(
                _find(tokens, name), digest=digest, last_used=None, last_from=None
            )
        self.token_book.forget_use(name)
        self._note_late(f"token rotate {name}", by)
        return TokenOutcome(token=self._view(found), secret=secret)

    def revoke_tokens(self, names: Sequence[str], *, by: Author = _ANYONE) -> TokensRevoked:
        """Refuse these tokens from now on: all of them or, where one is unknown, none."""
        with self._changing() as tokens:
            for name in names:
                _find(tokens, name)
            for name in names:
                tokens.pop(name, None)
                self.token_book.forget_use(name)
        revoked = list(dict.fromkeys(names))
        self._note_late(f"token revoke {first_few(revoked)}", by)
        return TokensRevoked(revoked=revoked)

    def open_session(self, owner: str, role: Role) -> TokenOutcome:
        """Make the token of a browser's session, for `owner` ("uid 0"), with his role, for SESSION_HOURS.
        Sessions that are over go, and past MAX_SESSIONS the oldest."""
        secret, digest = _new_secret()
        now = int(self.token_book.seconds())
        with self._changing() as tokens:
            sessions = sorted(
                (one for one in tokens.values() if one.owner is not None),
                key=lambda one: one.expires or "",
            )
            left = [one for one in sessions if epoch_seconds(one.expires or "") > now]
            for one in {*sessions} - {*left[-(MAX_SESSIONS - 1) :]}:
                del tokens[one.name]
            name = next(f"page-{n}" for n in count(1) if f"page-{n}" not in tokens)
            expires = epoch_text(now + SESSION_HOURS * 3600)
            made = StoredToken(name, role, digest, epoch_text(now), expires, owner=owner)
            tokens[name] = made
        self._note_late(f"open the page ({name}, {role})", Author(owner, "page"))
        return TokenOutcome(token=self._view(made), secret=secret)

    def keep_first_token(self, secret: str) -> None:
        """Keep the secret of an earlier release as the admin token `first`."""
        digest = hashlib.sha256(secret.encode()).hexdigest()
        with self._changing() as tokens:
            found = tokens.get(FIRST)
            if found is None or found.digest != digest:
                tokens[FIRST] = StoredToken(FIRST, "admin", digest, self._moment())

    # -- the rest --------------------------------------------------------------------------------
    @contextmanager
    def _changing(self) -> Iterator[Tokens]:
        with _told(), self.token_book.file.changing() as tokens:
            yield tokens

    def _view(self, one: StoredToken) -> TokenView:
        over = one.expires is not None and epoch_seconds(one.expires) <= self.token_book.seconds()
        shown = asdict(one)
        sources = list(shown.pop("sources"))
        del shown["digest"]
        kind = "token" if one.owner is None else "page"
        # By validation, since `from` is no name in Python.
        return TokenView.model_validate({**shown, "from": sources, "kind": kind, "expired": over})

    def _moment(self) -> str:
        return epoch_text(int(self.token_book.seconds()))

    def _expiry(self, expires: str) -> str:
        found = parse_expiry("expires", expires)
        if epoch_seconds(found) <= self.token_book.seconds():
            raise invalid("expires", expires, "is over", "a time to come, or a duration: 90d")
        return found

    def _note(self, action: str, by: Author) -> None:
        with writing(self._instance, in_need=True):
            self._instance.store.note(by=by, action=action, now=self._instance.clock.now_text())

    def _note_late(self, action: str, by: Author) -> None:
        """Note what holds already: a damaged database must keep nobody from taking a token back."""
        try:
            self._note(action, by)
        except XdpwallError as error:
            log.warning("audit trail: %s by %s: %s", action, by.name, error.message)


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise Failed(f"tokens: {error.filename}: {error.strerror}", code="store") from error


def _new_secret() -> tuple[str, str]:
    """A secret of 256 random bits, and its digest."""
    secret = PREFIX + secrets.token_urlsafe(32)
    return secret, hashlib.sha256(secret.encode()).hexdigest()


def _find(tokens: Tokens, name: str) -> StoredToken:
    if name in tokens:
        return tokens[name]
    close = get_close_matches(name, list(tokens), 1)
    raise NotFound(
        f"no token is called {name!r}",
        field="name",
        value=name,
        hint=f"did you mean {close[0]}?" if close else "see them with: xdpwall token list",
    )


def _parse_sources(sources: Sequence[str]) -> tuple[str, ...]:
    if len(sources) > MAX_SOURCES:
        raise invalid("from", len(sources), "are too many", f"{MAX_SOURCES} prefixes at most")
    return tuple(
        parse_in_list("from", index, _parse_source, one) for index, one in enumerate(sources)
    )


def _parse_source(text: str) -> str:
    negated, prefix = parse_prefix("from", text)
    if negated:
        raise invalid("from", text, "is negated", "a prefix like 10.0.0.0/8 or 2001:db8::/32")
    return prefix_text(prefix)
