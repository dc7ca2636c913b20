"""The history over the service's socket, which RemoteFirewall inherits (remote.py)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from xdpwall.values.author import Author
from xdpwall.views.history import AuditTrailView, History, RollbackOutcome, RulesetDifference

from .service_calls import ANYBODY, ServiceCalls, read_answer

if TYPE_CHECKING:
    from xdpwall.ruleset.ruleset import Ruleset


class RemoteHistory(ServiceCalls):
    """Reads revisions and puts them in force."""

    def diff(self, ruleset: Ruleset) -> RulesetDifference:
        answer = self._transport.call("POST", "/diff", ruleset.to_json())
        return read_answer(RulesetDifference, answer.body)

    def history(
        self,
        *,
        limit: int = 20,
        before: int | None = None,
        since: str | None = None,
        diff: bool = False,
    ) -> History:
        query = _query(limit, before, since) | ({"diff": "true"} if diff else {})
        return read_answer(
            History, self._transport.call("GET", "/ruleset/history", query=query).body
        )

    def audit_trail(
        self, *, limit: int = 20, before: int | None = None, since: str | None = None
    ) -> AuditTrailView:
        query = _query(limit, before, since)
        return read_answer(AuditTrailView, self._transport.call("GET", "/audit", query=query).body)

    def rollback(
        self,
        revision: int | None = None,
        *,
        allow_empty: bool = False,
        dry_run: bool = False,
        by: Author = ANYBODY,
    ) -> RollbackOutcome:
        body: dict[str, Any] = {} if revision is None else {"revision": revision}
        body |= {"allow_empty": True} if allow_empty else {}
        query = {"dry_run": "true"} if dry_run else {}
        answer = self._change("POST", "/ruleset/rollback", body, by, query)
        return read_answer(RollbackOutcome, answer.body)


def _query(limit: int, before: int | None, since: str | None) -> dict[str, str]:
    query = {"limit": str(limit)}
    if before is not None:
        query["before"] = str(before)
    if since is not None:
        query["since"] = since
    return query
