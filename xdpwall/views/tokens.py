"""Tokens, as they are listed and as they are made."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from xdpwall.values.roles import Role

from .base import View


class TokenView(View):
    """One token, without its secret, which nobody has but who was given it."""

    name: str
    role: Role
    kind: Literal["token", "page"] = "token"
    """page: the session of a browser."""
    owner: str | None = None
    """Who opened the session."""
    created: str
    expires: str | None = None
    expired: bool = False
    sources: list[str] = Field(
        default=[], alias="from", description="the prefixes that it is taken from; none is all"
    )
    last_used: str | None = None
    """To the minute, or so."""
    last_from: str | None = None
    """The client's address then."""


class TokenList(View):
    """GET /tokens, by name."""

    tokens: list[TokenView]


class TokenOutcome(View):
    """The answer to add and rotate: the only one that has the secret."""

    token: TokenView
    secret: str
    """What `Authorization: Bearer` takes; it is not kept."""


class TokensRevoked(View):
    """The answer to revoke."""

    revoked: list[str]


class SessionView(View):
    """GET /session: who asks, and what he may."""

    name: str
    """As the audit trail has it."""
    via: Literal["socket", "tcp", "page"]
    role: Role | None = None
    expires: str | None = None


class PageCode(View):
    """The answer to POST /page: an address that opens the page, once."""

    url: str
    code: str
    """The part of the address that is secret."""
    seconds: int
    """For which it is good."""
    role: Role
    """Of the session that it opens."""
