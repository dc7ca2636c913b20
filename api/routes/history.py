"""/ruleset/history, /audit and /diff: who changed what, and what a ruleset would change."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query
from starlette.responses import Response

from xdpwall.api.body_checks import parse_json
from xdpwall.api.openapi import examples, examples_history, words
from xdpwall.api.openapi.bodies import RulesetBody
from xdpwall.api.openapi.describe import answer_docs, body_docs
from xdpwall.api.request import RawBody, ReadCall, allow_query, json_answer, no_body, revision_etag
from xdpwall.api.roles import READ
from xdpwall.firewall.facade import Facade
from xdpwall.ruleset.ruleset import Ruleset
from xdpwall.values.time_read import parse_since
from xdpwall.views.history import AuditTrailView, History, RulesetDifference

router = APIRouter(tags=["ruleset"])

MOST = 1000
"""Lines of one answer."""
_LARGEST = (1 << 63) - 1

Limit = Annotated[int, Query(ge=1, le=MOST, description="at most so many")]
Before = Annotated[
    int | None, Query(ge=0, le=_LARGEST, description="only those with a lower number")
]
Since = Annotated[
    str | None,
    Query(
        description="only those since a time (RFC 3339), or of the last 10m",
        json_schema_extra={"anyOf": [words.EXPIRY]},
    ),
]


@router.get(
    "/ruleset/history",
    responses=answer_docs(History, examples_history.HISTORY),
    dependencies=[READ, allow_query("limit", "before", "since", "diff"), Depends(no_body)],
)
async def show_history(
    call: ReadCall,
    limit: Limit = 20,
    before: Before = None,
    since: Since = None,
    diff: Annotated[bool, Query(description="what each changed, too")] = False,
) -> Response:
    """The revisions that are kept, newest first; POST /ruleset/rollback goes back to one."""

    def work(firewall: Facade) -> Response:
        found = firewall.history(limit=limit, before=before, since=_moment(since), diff=diff)
        return json_answer(found)

    return await call.read(work)


@router.get(
    "/audit",
    responses=answer_docs(AuditTrailView, examples_history.AUDIT),
    dependencies=[READ, allow_query("limit", "before", "since"), Depends(no_body)],
)
async def show_audit_trail(
    call: ReadCall, limit: Limit = 20, before: Before = None, since: Since = None
) -> Response:
    """Everything that was done, refused or failed, newest first."""

    def work(firewall: Facade) -> Response:
        return json_answer(firewall.audit_trail(limit=limit, before=before, since=_moment(since)))

    return await call.read(work)


@router.post(
    "/diff",
    responses=answer_docs(RulesetDifference, examples_history.DIFFERENCE),
    dependencies=[READ, allow_query()],
    openapi_extra=body_docs(RulesetBody, examples.RULESET),
)
async def diff(call: ReadCall, raw: RawBody) -> Response:
    """What PUT /ruleset would change, rule by rule."""

    def work(firewall: Facade) -> Response:
        found = firewall.diff(Ruleset.parse(parse_json(raw)))
        return json_answer(found, etag=revision_etag(found.revision))

    return await call.read(work)


def _moment(since: str | None) -> str | None:
    return None if since is None else parse_since("since", since)
