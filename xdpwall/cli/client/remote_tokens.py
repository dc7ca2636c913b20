"""Tokens over the service's socket, which RemoteFirewall inherits (remote.py)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from xdpwall.values.author import Author
from xdpwall.views.tokens import TokenList, TokenOutcome, TokensRevoked

from .service_calls import ANYBODY, ServiceCalls, read_answer


class RemoteTokens(ServiceCalls):
    """Makes, lists and takes back tokens."""

    def tokens(self) -> TokenList:
        return self._get(TokenList, "/tokens")

    def add_token(
        self,
        name: str,
        role: str,
        *,
        expires: str | None = None,
        sources: Sequence[str] = (),
        by: Author = ANYBODY,
    ) -> TokenOutcome:
        body: dict[str, Any] = {"name": name, "role": role, "from": list(sources)}
        if expires is not None:
            body["expires"] = expires
        return read_answer(TokenOutcome, self._change("POST", "/tokens", body, by).body)

    def rotate_token(self, name: str, *, by: Author = ANYBODY) -> TokenOutcome:
        answer = self._change("POST", f"/tokens/{quote(name, safe='')}/rotate", None, by)
        return read_answer(TokenOutcome, answer.body)

    def revoke_tokens(self, names: Sequence[str], *, by: Author = ANYBODY) -> TokensRevoked:
        answer = self._change("POST", "/tokens/revoke", {"names": list(names)}, by)
        return read_answer(TokensRevoked, answer.body)
