"""/ruleset/confirm and /ruleset/rollback: keep a change, or take changes back."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from xdpwall.api.body_checks import parse_body
from xdpwall.api.openapi import examples, examples_history
from xdpwall.api.openapi.bodies import PendingBody, RollbackBody
from xdpwall.api.openapi.describe import answer_docs, body_docs
from xdpwall.api.request import (
    MESSAGE_AND_BODY,
    ChangeCall,
    ConfirmableCall,
    RawBody,
    allow_query,
    json_answer,
    revision_etag,
)
from xdpwall.api.roles import OPERATOR
from xdpwall.firewall.facade import Facade
from xdpwall.views.history import RollbackOutcome
from xdpwall.views.pending import PendingOutcome

router = APIRouter(tags=["ruleset"])


@router.post(
    "/ruleset/confirm",
    responses=answer_docs(PendingOutcome, examples.CONFIRMED),
    dependencies=[OPERATOR, *MESSAGE_AND_BODY],
    openapi_extra=body_docs(PendingBody, {"revision": 10}, required=False),
)
async def confirm(call: ChangeCall, raw: RawBody) -> Response:
    """Keep the change that waits. Send its revision, so that nobody confirms another's change."""

    def work(firewall: Facade) -> Response:
        outcome = firewall.confirm(_revision(raw), by=call.by)
        return json_answer(outcome, etag=revision_etag(outcome.revision))

    return await call.write(work)


@router.post(
    "/ruleset/rollback",
    responses=answer_docs(RollbackOutcome, examples_history.ROLLED_BACK),
    dependencies=[OPERATOR, allow_query("message", "force", "confirm", "dry_run")],
    openapi_extra=body_docs(RollbackBody, {"revision": 9}, required=False),
)
async def rollback(
    call: ConfirmableCall,
    raw: RawBody,
    dry_run: Annotated[bool, Query(description="say what would change, change nothing")] = False,
) -> Response:
    """Take the change that waits back at once, where `revision` is absent, its own or the one before.
    Where none waits, put the ruleset of `revision` in force again; absent is the one before."""

    def work(firewall: Facade) -> Response:
        body = parse_body(RollbackBody, raw.strip() or b"{}")
        call.check_revision(firewall)
        outcome = firewall.rollback(
            body.revision, allow_empty=body.allow_empty, dry_run=dry_run, by=call.by
        )
        return json_answer(outcome, etag=None if dry_run else revision_etag(outcome.revision))

    return await call.write(work)


def _revision(raw: bytes) -> int | None:
    return parse_body(PendingBody, raw).revision if raw.strip() else None
